/* The master: minimise v over cuts G x - v <= D, rows G x <= D and the box [-1, 1]; dual simplex.

   A basis is n + 1 active constraints: k >= 0 a cut or row, -1 - j the upper end of column j, and
   -1 - n - j its lower end. A new cut leaves it dual feasible, so that few pivots follow each. */
#ifndef ICNN_SIMPLEX_H
#define ICNN_SIMPLEX_H

#include "oracle.h"

#define NONE INT64_MIN
#define ROUNDED 1e-10 /* miss of a row of size 1 that may be the rounding of its own numbers */
#define REFRESH 60 /* pivots after which the inverse is computed anew */
#define RESCAN 8 /* pivots after which all constraints are, too */
enum { STUCK = -1, EMPTY = -2 };

/* Rows first, then cuts. */
typedef struct {
    int64_t n, rows, count, capacity;
    int64_t line; /* capacity and zeros up to a multiple of 4 */
    double *G;    /* (capacity, n) */
    double *T;    /* (n, line), the same numbers: all constraints at a point at once */
    double *D;    /* (capacity) */
    const void **column; /* (n) those of T */
    double *over; /* (line) G x - D at the point last scanned */
    double *ahead; /* (line) the same at a point that is about to be asked */
    int64_t known; /* how many of `over` belong to the master's vertex */
    int64_t since; /* pivots since they were computed anew */
} Model;

INLINE double most(double a, double b) { return a > b ? a : b; }
INLINE double least(double a, double b) { return a < b ? a : b; }

/* Constraint p is in G: put it into T as well. */
INLINE void spread_out(Model *model, int64_t p) {
    for (int64_t j = 0; j < model->n; j++)
        model->T[j * model->line + p] = model->G[p * model->n + j];
}

/* over = G x - D of rows and cuts. */
INLINE void scan(const Model *model, const double *x, double *over) {
    Work columns = {.factor = (double *)x, .column = model->column};
    int64_t count = (model->count + 3) / 4 * 4; /* the rest of the last four is never read */
    for (int64_t i = 0; i < count; i++) over[i] = -model->D[i];
    add_columns(&columns, model->n, model->n, count, over);
}

typedef struct {
    double *x;       /* (n + 1), v last */
    double *y;       /* (n + 1) multipliers of the basis, >= 0 */
    int64_t *active; /* (n + 1) */
    int64_t *held;   /* (n) which of them holds a column at its end; -1: it is free */
    double *inverse; /* (n + 1, wide) of the matrix whose rows are the active normals; the row of a
                        held column has one entry, +-1 */
    double *share;   /* (n) by how much a unit of miss moved each column of `moved` */
    const void **moved; /* (n) their lines of T */
    int64_t moving;
    double *w, *side;
    double *square;  /* (n + 1, wide) */
    int64_t wide;    /* n + 1 and zeros up to a multiple of 4 */
    int64_t age;     /* pivots since the inverse was computed */
} Master;

/* The vertex of the last cut alone: each column at the end where that cut is least. */
INLINE void start(Model *model, Master *master) {
    model->known = 0;
    int64_t n = model->n, m = n + 1, wide = master->wide, p = model->count - 1;
    const double *g = model->G + p * n;
    double value = -model->D[p];
    for (int64_t i = 0; i < m * wide; i++) master->inverse[i] = 0;
    for (int64_t j = 0; j < n; j++) {
        double sign = g[j] > 0 ? -1 : 1;
        master->active[j] = sign > 0 ? -1 - j : -1 - n - j;
        master->held[j] = j;
        master->x[j] = sign;
        master->y[j] = fabs(g[j]);
        master->inverse[j * wide + j] = sign;
        master->inverse[n * wide + j] = sign * g[j];
        value += g[j] * sign;
    }
    master->inverse[n * wide + n] = -1;
    master->active[n] = p;
    master->y[n] = 1;
    master->x[n] = value;
    master->age = 0;
}

/* The constraint that (x, v) misses most by the last scan, and by how much; NONE within the
   tolerance. */
INLINE int64_t worst(const Model *model, const double *x, double v, double tolerance,
                     double *miss) {
    int64_t n = model->n, rows = model->rows, p = NONE;
    const double *over = model->over;
    double cut = -INFINITY, end = -INFINITY, best = tolerance;
    for (int64_t i = rows; i < model->count; i++) cut = most(cut, over[i]);
    for (int64_t j = 0; j < n; j++) end = most(end, fabs(x[j]));
    for (int64_t i = 0; i < rows; i++)
        if (over[i] > best && over[i] > ROUNDED) best = over[i], p = i;
    if (cut - v > best) {
        best = cut - v;
        for (p = rows; over[p] != cut;) p++;
    }
    if (end - 1 > best) {
        int64_t j = 0;
        best = end - 1;
        while (fabs(x[j]) != end) j++;
        p = x[j] > 0 ? -1 - j : -1 - n - j;
    }
    *miss = best;
    return p;
}

INLINE int64_t most_violated(Model *model, const double *x, double v, double tolerance,
                             double *miss) {
    model->known = 0;
    scan(model, x, model->over);
    return worst(model, x, v, tolerance, miss);
}

/* The column whose end is constraint p < 0. */
INLINE int64_t column_of(int64_t p, int64_t n) { return p >= -n ? -1 - p : -1 - n - p; }

/* w: the normal of constraint p in terms of the active normals. */
INLINE void coordinates(const Model *model, Master *master, int64_t p) {
    int64_t n = model->n, wide = master->wide;
    double *restrict w = master->w;
    const double *line = master->inverse + n * wide, *g = model->G + p * n;
    double v = p >= model->rows ? -1 : 0;
    if (p < 0) {
        v = p >= -n ? 1 : -1;
        line = master->inverse + column_of(p, n) * wide;
    }
    for (int64_t i = 0; i < wide; i++) w[i] = v * line[i];
    if (p < 0) return;
    const double *waiting = NULL;
    double factor = 0;
    for (int64_t j = 0; j < n; j++) {
        const double *restrict Q = master->inverse + j * wide;
        if (master->held[j] >= 0) {
            w[master->held[j]] += g[j] * Q[master->held[j]];
        } else if (waiting) {
            const double *restrict P = waiting;
            for (int64_t i = 0; i < wide; i++) w[i] += factor * P[i] + g[j] * Q[i];
            waiting = NULL;
        } else {
            waiting = Q, factor = g[j];
        }
    }
    if (waiting)
        for (int64_t i = 0; i < wide; i++) w[i] += factor * waiting[i];
}

/* The active constraint whose multiplier reaches zero first; -1 if none does. */
INLINE int64_t leaving(const Master *master, int64_t m) {
    const double *w = master->w, *y = master->y;
    double *ratio = master->side, first = INFINITY, largest = 0;
    int64_t r = -1;
    for (int64_t i = 0; i < m; i++) ratio[i] = w[i] > 1e-11 ? y[i] / w[i] : INFINITY;
    for (int64_t i = 0; i < m; i++) first = least(first, ratio[i]);
    if (first == INFINITY) return -1;
    for (int64_t i = 0; i < m; i++) /* of those that tie, the one with the largest pivot */
        if (ratio[i] <= first + 1e-14 && w[i] > largest) largest = w[i], r = i;
    return r;
}

/* Constraint p takes the place of the r-th active one; what is held does not move. */
INLINE void pivot(const Model *model, Master *master, int64_t r, int64_t p, double miss) {
    int64_t n = model->n, wide = master->wide, out = master->active[r];
    const double *restrict w = master->w;
    double *restrict y = master->y, step = most(y[r] / w[r], 0), share = 1 / w[r];
    master->moving = 0;
    for (int64_t j = 0; j <= n; j++) {
        double *restrict line = master->inverse + j * wide, t = line[r] * share;
        if (t == 0) continue;
        for (int64_t i = 0; i < wide; i++) line[i] -= w[i] * t;
        line[r] = t;
        master->x[j] -= miss * t;
        if (j == n) break;
        master->share[master->moving] = -miss * t;
        master->moved[master->moving++] = model->column[j];
    }
    for (int64_t i = 0; i <= n; i++) y[i] = most(y[i] - step * w[i], 0);
    y[r] = step;
    if (out < 0) master->held[column_of(out, n)] = -1;
    if (p < 0) master->held[column_of(p, n)] = r;
    master->active[r] = p;
    master->age++;
}

/* Gauss-Jordan with row pivoting; B (m, m) is overwritten. 0 if B is singular. */
static int inverted(double *B, double *X, int64_t m, int64_t wide) {
    for (int64_t i = 0; i < m * wide; i++) X[i] = i % (wide + 1) == 0;
    for (int64_t k = 0; k < m; k++) {
        int64_t r = k;
        for (int64_t i = k + 1; i < m; i++)
            if (fabs(B[i * wide + k]) > fabs(B[r * wide + k])) r = i;
        if (!(fabs(B[r * wide + k]) > 1e-13)) return 0;
        double t = 1 / B[r * wide + k];
        for (int64_t j = 0; j < wide; j++) {
            double b = B[k * wide + j], x = X[k * wide + j];
            B[k * wide + j] = B[r * wide + j], X[k * wide + j] = X[r * wide + j];
            B[r * wide + j] = b, X[r * wide + j] = x;
        }
        for (int64_t j = 0; j < wide; j++) B[k * wide + j] *= t, X[k * wide + j] *= t;
        for (int64_t i = 0; i < m; i++) {
            double s = B[i * wide + k];
            if (i == k || s == 0) continue;
            double *restrict b = B + i * wide, *restrict x = X + i * wide;
            const double *bk = B + k * wide, *xk = X + k * wide;
            for (int64_t j = 0; j < wide; j++) b[j] -= s * bk[j], x[j] -= s * xk[j];
        }
    }
    return 1;
}

/* Inverse, vertex and multipliers anew from the active set; 0 if it is singular. */
static int refresh(Model *model, Master *master) {
    int64_t n = model->n, m = n + 1, wide = master->wide;
    model->known = 0;
    double *B = master->square;
    for (int64_t i = 0; i < m * wide; i++) B[i] = 0;
    for (int64_t j = 0; j < n; j++) master->held[j] = -1;
    for (int64_t i = 0; i < m; i++) {
        int64_t p = master->active[i];
        double *line = B + i * wide;
        master->side[i] = p >= 0 ? model->D[p] : 1;
        if (p >= 0) {
            for (int64_t j = 0; j < n; j++) line[j] = model->G[p * n + j];
            line[n] = p >= model->rows ? -1 : 0;
        } else {
            line[column_of(p, n)] = p >= -n ? 1 : -1;
            master->held[column_of(p, n)] = i;
        }
    }
    if (!inverted(B, master->inverse, m, wide)) return 0;
    for (int64_t j = 0; j < n; j++) { /* exactly, whatever the rounding */
        double *line = master->inverse + j * wide;
        int64_t i = master->held[j];
        if (i < 0) continue;
        memset(line, 0, (size_t)wide * 8);
        line[i] = master->active[i] >= -n ? 1 : -1;
    }
    for (int64_t j = 0; j < m; j++) {
        double total = 0;
        for (int64_t i = 0; i < m; i++) total += master->inverse[j * wide + i] * master->side[i];
        master->x[j] = total;
        master->y[j] = most(-master->inverse[n * wide + j], 0);
    }
    master->age = 0;
    return 1;
}

/* `over` at the master's vertex, where some of it may be known. */
INLINE void look(Model *model, const Master *master) {
    int64_t n = model->n;
    if (model->known == 0 || model->since >= RESCAN) {
        scan(model, master->x, model->over);
        model->since = 0;
    } else {
        for (int64_t p = model->known; p < model->count; p++) {
            double total = -model->D[p];
            for (int64_t j = 0; j < n; j++) total += model->G[p * n + j] * master->x[j];
            model->over[p] = total;
        }
    }
    model->known = model->count;
}

/* The same after a pivot, by the columns that it moved. */
INLINE void follow(Model *model, const Master *master) {
    Work columns = {.factor = master->share, .column = master->moved};
    int64_t count = (model->count + 3) / 4 * 4;
    add_columns(&columns, master->moving, master->moving, count, model->over);
    model->since++;
}

/* Pivot until nothing is violated: the number of pivots, STUCK, or EMPTY. */
INLINE int64_t resolve(Model *model, Master *master, double tolerance) {
    int64_t n = model->n, m = n + 1, limit = 100 * m + 1000;
    for (int64_t pivots = 0; pivots < limit; pivots++) {
        double miss;
        if (master->age >= REFRESH + m && !refresh(model, master)) return STUCK;
        look(model, master);
        int64_t p = worst(model, master->x, master->x[n], tolerance, &miss);
        if (p == NONE) return pivots;
        coordinates(model, master, p);
        int64_t r = leaving(master, m);
        if (r >= 0) {
            pivot(model, master, r, p, miss);
            follow(model, master);
        } else if (master->age == 0) {
            return EMPTY;
        } else if (!refresh(model, master)) {
            return STUCK;
        }
    }
    return STUCK;
}

#endif
