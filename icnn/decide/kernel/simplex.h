/* The master: minimise v over cuts G x - v <= D, rows G x <= D and the box [-1, 1]; dual simplex.

   A basis is n + 1 active constraints: k >= 0 a cut or row, -1 - j the upper end of column j, and
   -1 - n - j its lower end. A new cut leaves it dual feasible, so that few pivots follow each. */
#ifndef ICNN_SIMPLEX_H
#define ICNN_SIMPLEX_H

#include "oracle.h"

#define NONE INT64_MIN
#define ROUNDED 1e-10 /* miss of a row of size 1 that may be the rounding of its own numbers */
#define REFRESH 60 /* pivots after which the inverse is computed anew */
enum { STUCK = -1, EMPTY = -2 };

/* Rows first, then cuts. */
typedef struct {
    int64_t n, rows, count, capacity;
    double *G; /* (capacity, n) */
    double *D; /* (capacity) */
} Model;

typedef struct {
    double *x;       /* (n + 1), v last */
    double *y;       /* (n + 1) multipliers of the basis, >= 0 */
    int64_t *active; /* (n + 1) */
    double *inverse; /* (n + 1, n + 1) of the matrix whose rows are the active normals */
    double *w, *side;
    double *square;  /* (n + 1, n + 1) */
    int64_t age;     /* pivots since the inverse was computed */
} Master;

/* The vertex of the last cut alone: each column at the end where that cut is least. */
INLINE void start(const Model *model, Master *master) {
    int64_t n = model->n, m = n + 1, p = model->count - 1;
    const double *g = model->G + p * n;
    double value = -model->D[p];
    for (int64_t i = 0; i < m * m; i++) master->inverse[i] = 0;
    for (int64_t j = 0; j < n; j++) {
        double sign = g[j] > 0 ? -1 : 1;
        master->active[j] = sign > 0 ? -1 - j : -1 - n - j;
        master->x[j] = sign;
        master->y[j] = fabs(g[j]);
        master->inverse[j * m + j] = sign;
        master->inverse[n * m + j] = sign * g[j];
        value += g[j] * sign;
    }
    master->inverse[n * m + n] = -1;
    master->active[n] = p;
    master->y[n] = 1;
    master->x[n] = value;
    master->age = 0;
}

/* The constraint that (x, v) misses most, and by how much; NONE within the tolerance. */
INLINE int64_t most_violated(const Model *model, const double *x, double v, double tolerance,
                             double *miss) {
    int64_t n = model->n, p = NONE;
    double best = tolerance;
    for (int64_t i = 0; i < model->count; i++) {
        const double *g = model->G + i * n;
        double over = 0;
        for (int64_t j = 0; j < n; j++) over += g[j] * x[j];
        over -= model->D[i] + (i >= model->rows ? v : 0);
        if (over > best && (i >= model->rows || over > ROUNDED)) best = over, p = i;
    }
    for (int64_t j = 0; j < n; j++) {
        if (x[j] - 1 > best) best = x[j] - 1, p = -1 - j;
        if (-1 - x[j] > best) best = -1 - x[j], p = -1 - n - j;
    }
    *miss = best;
    return p;
}

/* w: the normal of constraint p in terms of the active normals. */
INLINE void coordinates(const Model *model, Master *master, int64_t p) {
    int64_t n = model->n, m = n + 1;
    double *restrict w = master->w;
    if (p < 0) {
        int64_t j = p >= -n ? -1 - p : -1 - n - p;
        double sign = p >= -n ? 1 : -1;
        for (int64_t i = 0; i < m; i++) w[i] = sign * master->inverse[j * m + i];
        return;
    }
    double v = p >= model->rows ? -1 : 0;
    for (int64_t i = 0; i < m; i++) w[i] = v * master->inverse[n * m + i];
    for (int64_t j = 0; j < n; j++) {
        double g = model->G[p * n + j];
        const double *line = master->inverse + j * m;
        for (int64_t i = 0; i < m; i++) w[i] += g * line[i];
    }
}

/* The active constraint whose multiplier reaches zero first; -1 if none does. */
INLINE int64_t leaving(const Master *master, int64_t m) {
    const double *w = master->w, *y = master->y;
    double least = INFINITY;
    int64_t r = -1;
    for (int64_t i = 0; i < m; i++) {
        if (!(w[i] > 1e-11)) continue;
        double ratio = y[i] / w[i];
        if (ratio < least - 1e-14 || (ratio <= least + 1e-14 && w[i] > w[r])) {
            if (ratio < least) least = ratio;
            r = i;
        }
    }
    return r;
}

/* Constraint p takes the place of the r-th active one. */
INLINE void pivot(Master *master, int64_t m, int64_t r, int64_t p, double miss) {
    const double *restrict w = master->w;
    double step = fmax(master->y[r] / w[r], 0);
    for (int64_t j = 0; j < m; j++) {
        double *restrict line = master->inverse + j * m;
        double t = line[r] / w[r];
        for (int64_t i = 0; i < m; i++) line[i] -= w[i] * t;
        line[r] = t;
        master->x[j] -= miss * t;
    }
    for (int64_t i = 0; i < m; i++) master->y[i] = fmax(master->y[i] - step * w[i], 0);
    master->y[r] = step;
    master->active[r] = p;
    master->age++;
}

/* Gauss-Jordan with row pivoting; B (m, m) is overwritten. 0 if B is singular. */
static int inverted(double *B, double *X, int64_t m) {
    for (int64_t i = 0; i < m * m; i++) X[i] = i % (m + 1) == 0;
    for (int64_t k = 0; k < m; k++) {
        int64_t r = k;
        for (int64_t i = k + 1; i < m; i++)
            if (fabs(B[i * m + k]) > fabs(B[r * m + k])) r = i;
        if (!(fabs(B[r * m + k]) > 1e-13)) return 0;
        double t = 1 / B[r * m + k];
        for (int64_t j = 0; j < m; j++) {
            double b = B[k * m + j], x = X[k * m + j];
            B[k * m + j] = B[r * m + j], X[k * m + j] = X[r * m + j];
            B[r * m + j] = b, X[r * m + j] = x;
        }
        for (int64_t j = 0; j < m; j++) B[k * m + j] *= t, X[k * m + j] *= t;
        for (int64_t i = 0; i < m; i++) {
            double s = B[i * m + k];
            if (i == k || s == 0) continue;
            double *restrict b = B + i * m, *restrict x = X + i * m;
            const double *bk = B + k * m, *xk = X + k * m;
            for (int64_t j = 0; j < m; j++) b[j] -= s * bk[j], x[j] -= s * xk[j];
        }
    }
    return 1;
}

/* Inverse, vertex and multipliers anew from the active set; 0 if it is singular. */
static int refresh(const Model *model, Master *master) {
    int64_t n = model->n, m = n + 1;
    double *B = master->square;
    for (int64_t i = 0; i < m * m; i++) B[i] = 0;
    for (int64_t i = 0; i < m; i++) {
        int64_t p = master->active[i];
        double *line = B + i * m;
        master->side[i] = p >= 0 ? model->D[p] : 1;
        if (p >= 0) {
            for (int64_t j = 0; j < n; j++) line[j] = model->G[p * n + j];
            line[n] = p >= model->rows ? -1 : 0;
        } else if (p >= -n) {
            line[-1 - p] = 1;
        } else {
            line[-1 - n - p] = -1;
        }
    }
    if (!inverted(B, master->inverse, m)) return 0;
    for (int64_t j = 0; j < m; j++) {
        double total = 0;
        for (int64_t i = 0; i < m; i++) total += master->inverse[j * m + i] * master->side[i];
        master->x[j] = total;
        master->y[j] = fmax(-master->inverse[n * m + j], 0);
    }
    master->age = 0;
    return 1;
}

/* Pivot until nothing is violated: the number of pivots, STUCK, or EMPTY. */
INLINE int64_t resolve(const Model *model, Master *master, double tolerance) {
    int64_t n = model->n, m = n + 1, limit = 100 * m + 1000;
    for (int64_t pivots = 0; pivots < limit; pivots++) {
        double miss;
        if (master->age >= REFRESH + m && !refresh(model, master)) return STUCK;
        int64_t p = most_violated(model, master->x, master->x[n], tolerance, &miss);
        if (p == NONE) return pivots;
        coordinates(model, master, p);
        int64_t r = leaving(master, m);
        if (r >= 0) pivot(master, m, r, p, miss);
        else if (master->age == 0) return EMPTY;
        else if (!refresh(model, master)) return STUCK;
    }
    return STUCK;
}

#endif
