/* Rows of the set and cuts of f, and which of them a point misses most. Constraint k >= 0 is a cut or
   row, -1 - j the upper end of column j, and -1 - n - j its lower end. */
#ifndef ICNN_MODEL_H
#define ICNN_MODEL_H

#include "extremes.h"
#include "oracle.h"

#define NONE INT64_MIN
#define ROUNDED 1e-10 /* miss of a row of size 1 that may be the rounding of its own numbers */

/* Rows first, then cuts. */
typedef struct {
    int64_t n, rows, count, capacity;
    int64_t line; /* capacity and zeros up to a multiple of 16 */
    int64_t ends; /* n and zeros up to a multiple of 4 */
    double *G;    /* (capacity, ends) */
    double *T;    /* (n, line), the same numbers: all constraints at a point at once */
    double *D;    /* (capacity) */
    double *back; /* (capacity) 1 / |normal|^2 */
    const void **column; /* (n) those of T */
    double *over; /* (line) G x - D at the point last scanned */
    double *ahead; /* (line) the same at a point that is about to be asked */
    int64_t known; /* how many of `over` belong to the master's vertex */
    int64_t since; /* pivots since they were computed anew */
} Model;

INLINE double *normal_of(const Model *model, int64_t p) { return model->G + p * model->ends; }

/* Constraint p is in G: put it into T as well, and its size in `back`. */
INLINE void spread_out(Model *model, int64_t p) {
    double size = 0, *entry = normal_of(model, p), *column = model->T + p;
    for (int64_t j = 0; j < model->n; j++, column += model->line) {
        *column = entry[j];
        size += entry[j] * entry[j];
    }
    model->back[p] = 1 / most(size, 1e-300);
}

/* over = G x - D of rows and cuts. */
INLINE void scan(const Model *model, const double *x, double *over) {
    Work columns = {.factor = (double *)x, .column = model->column};
    int64_t count = (model->count + 15) / 16 * 16; /* the rest of the last sixteen is never read */
    for (int64_t i = 0; i < count; i++) over[i] = -model->D[i];
    add_columns(&columns, model->n, model->n, count, over);
}

/* The row or cut that (x, v) misses most by the last scan, and by how much; NONE within `miss`. */
INLINE int64_t worst_line(const Model *model, double v, double *miss) {
    int64_t rows = model->rows, p = NONE;
    const double *over = model->over;
    double cut = largest(over + rows, model->count - rows);
    for (int64_t i = 0; i < rows; i++)
        if (over[i] > *miss && over[i] > ROUNDED) *miss = over[i], p = i;
    if (cut - v > *miss) {
        *miss = cut - v;
        for (p = rows; over[p] != cut;) p++;
    }
    return p;
}

/* The end of column j, if x misses that by more than p is missed by. */
INLINE int64_t or_end(const double *x, int64_t n, int64_t j, int64_t p, double *miss) {
    if (!(fabs(x[j]) - 1 > *miss)) return p;
    *miss = fabs(x[j]) - 1;
    return x[j] > 0 ? -1 - j : -1 - n - j;
}

INLINE int64_t most_violated(Model *model, const double *x, double v, double tolerance,
                             double *miss) {
    model->known = 0;
    scan(model, x, model->over);
    *miss = tolerance;
    int64_t p = worst_line(model, v, miss);
    for (int64_t j = 0; j < model->n; j++) p = or_end(x, model->n, j, p, miss);
    return p;
}

/* The column whose end is constraint p < 0. */
INLINE int64_t column_of(int64_t p, int64_t n) { return p >= -n ? -1 - p : -1 - n - p; }

#endif
