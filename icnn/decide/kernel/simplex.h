/* The master: minimise v over cuts G x - v <= D, rows G x <= D and the box [-1, 1]; dual simplex.

   A basis is some columns that are held at an end of the box, the others being free, and as many
   cuts and rows that are active as there are free columns and v. Only of these is there an inverse:
   few columns are free where the box is small or the optimum near a corner. A new cut leaves the
   basis dual feasible, so that few pivots follow each. */
#ifndef ICNN_SIMPLEX_H
#define ICNN_SIMPLEX_H

#include "model.h"

#define REFRESH 60 /* pivots after which the inverse is computed anew */
#define RESCAN 8 /* pivots after which all constraints are, too */
enum { STUCK = -1, EMPTY = -2 };

typedef struct {
    int64_t size;    /* active cuts and rows, and as many free columns with v */
    double *x;       /* (n + 1), v last */
    int64_t *active; /* (n + 1) cuts and rows: `size` of them */
    int64_t *freed;  /* (n + 1) v, which is n, then the free columns: `size` in all */
    int64_t *place;  /* (n) where a free column is among them; 0 if it is held */
    double *end;     /* (ends) at which a column is held, 1 or -1; 0 if it is free */
    double *y;       /* (ends + wide) multipliers >= 0: of held columns, from `ends` on of `active` */
    double *w;       /* (ends + wide) the normal that enters in terms of the same normals */
    double *ratio;   /* (ends + wide) */
    double *inverse; /* (n + 2, wide) of the matrix of the active normals in the free columns: a line
                        for each of these; zeros from `size` on */
    double *t;       /* (n + 2) by how much a unit of miss moves each of them, v first */
    double *share;   /* (n + 2) by how much it moved by a pivot */
    const void **lines; /* (n + 2) from 1 on: the columns in T that the last pivot moved */
    double *square;  /* (n + 1, wide) */
    int64_t ends;    /* n and zeros up to a multiple of 4 */
    int64_t wide;    /* n + 1 and zeros up to a multiple of 4 */
    int64_t moving;  /* how many columns the last pivot moved */
    int64_t age;     /* pivots since the inverse was computed */
} Master;

/* The vertex of the last cut alone: each column at the end where that cut is least. */
INLINE void start(Model *model, Master *master) {
    model->known = 0;
    int64_t n = model->n, p = model->count - 1;
    const double *g = normal_of(model, p);
    double value = -model->D[p];
    for (int64_t j = 0; j < n; j++) {
        double sign = g[j] > 0 ? -1 : 1;
        master->end[j] = master->x[j] = sign;
        master->y[j] = fabs(g[j]);
        master->place[j] = 0;
        value += g[j] * sign;
    }
    for (int64_t i = 0; i < master->wide; i++) master->inverse[i] = 0;
    master->inverse[0] = -1;
    master->size = 1;
    master->active[0] = p;
    master->freed[0] = n;
    master->y[master->ends] = 1;
    master->x[n] = value;
    master->age = 0;
}

/* The constraint that the master's vertex misses most by the last scan; only free columns can be
   beyond their ends. */
INLINE int64_t worst(const Model *model, const Master *master, double tolerance, double *miss) {
    *miss = tolerance;
    int64_t n = model->n, p = worst_line(model, master->x[n], miss);
    for (int64_t i = 1; i < master->size; i++)
        p = or_end(master->x, n, master->freed[i], p, miss);
    return p;
}

/* The same where all but the last cut hold, as they do until the master moves. */
INLINE int64_t newest(const Model *model, const Master *master, double tolerance, double *miss) {
    *miss = model->over[model->count - 1] - master->x[model->n];
    return *miss > tolerance ? model->count - 1 : NONE;
}

/* w: the normal of constraint p in terms of those that are active or hold a column. */
INLINE void coordinates(const Model *model, Master *master, int64_t p) {
    int64_t n = model->n, ends = fours(n), wide = master->wide, size = master->size;
    double *restrict w = master->w + master->ends, *restrict held = master->w;
    const double *g = normal_of(model, p), *inverse = master->inverse;
    if (p < 0) {
        const double *restrict line = inverse + master->place[column_of(p, n)] * wide;
        double sign = p >= -n ? 1 : -1;
        for (int64_t i = 0; i < size; i += 4) FOUR(w + i) = sign * FOUR(line + i);
    } else {
        for (int64_t i = 0; i < size; i += 4) {
            Four total = p >= model->rows ? -FOUR(inverse + i) : (Four){0};
            for (int64_t k = 1; k < size; k++)
                total += g[master->freed[k]] * FOUR(inverse + k * wide + i);
            FOUR(w + i) = total;
        }
    }
    for (int64_t j = 0; j < ends; j += 4) {
        Four total = p < 0 ? (Four){0} : FOUR(g + j);
        for (int64_t i = 0; i < size; i++)
            total -= w[i] * FOUR(normal_of(model, master->active[i]) + j);
        FOUR(held + j) = total * FOUR(master->end + j);
    }
}

/* t: how the free columns and v move when the r-th multiplier leaves. A column that was held joins
   them. */
INLINE void directions(const Model *model, Master *master, int64_t r) {
    int64_t wide = master->wide, size = master->size, c = r - master->ends;
    double share = 1 / master->w[r], *restrict t = master->t;
    if (c >= 0) {
        for (int64_t i = 0; i < size; i++) t[i] = master->inverse[i * wide + c] * share;
        return;
    }
    share *= master->end[r];
    for (int64_t k = 0; k < size; k++)
        master->share[k] = -share * normal_of(model, master->active[k])[r];
    for (int64_t i = 0; i < size; i++) {
        const double *line = master->inverse + i * wide;
        double total = 0;
        for (int64_t k = 0; k < size; k++) total += master->share[k] * line[k];
        t[i] = total;
    }
    double *line = master->inverse + size * wide;
    for (int64_t i = 0; i < wide; i++) line[i] = 0;
    t[size] = share;
    master->freed[size] = r;
    master->place[r] = size;
    master->end[r] = 0;
}

/* The c-th active constraint is none any more. */
INLINE void drop_active(Master *master, int64_t c, int64_t lines) {
    int64_t last = master->size - 1, wide = master->wide;
    double *y = master->y + master->ends;
    for (int64_t i = 0; i < lines; i++) {
        double *line = master->inverse + i * wide;
        line[c] = line[last];
        line[last] = 0;
    }
    master->active[c] = master->active[last];
    y[c] = y[last];
    y[last] = 0;
}

/* Free column j is held from now on. */
INLINE void hold(Master *master, int64_t j, double end, double multiplier, int64_t lines) {
    int64_t f = master->place[j], last = lines - 1, wide = master->wide;
    memcpy(master->inverse + f * wide, master->inverse + last * wide, (size_t)wide * 8);
    master->freed[f] = master->freed[last];
    master->place[master->freed[f]] = f;
    master->place[j] = 0;
    master->x[j] = master->end[j] = end;
    master->y[j] = multiplier;
}

/* Constraint p takes the place of the r-th multiplier's. */
INLINE void pivot(const Model *model, Master *master, int64_t r, int64_t p, double miss) {
    int64_t n = model->n, wide = master->wide, size = master->size, c = r - master->ends;
    int64_t lines = size + (c < 0), width = fours(size), all = fours(n) + width;
    double step = most(master->y[r] / master->w[r], 0);
    directions(model, master, r);
    const double *restrict w = master->w + master->ends, *all_w = master->w;
    double *restrict y = master->y;
    for (int64_t i = 0; i < lines; i++) {
        double *restrict line = master->inverse + i * wide, t = master->t[i];
        for (int64_t k = 0; k < width; k++) line[k] -= t * w[k];
        master->share[i] = -miss * t;
        master->x[master->freed[i]] += master->share[i];
    }
    for (int64_t i = 0; i < all; i++) y[i] = most(y[i] - step * all_w[i], 0);
    y[r] = 0;
    master->moving = lines - 1;
    for (int64_t i = 1; i < lines; i++) master->lines[i] = model->column[master->freed[i]];
    if (p >= 0) {
        int64_t at = c < 0 ? size : c;
        for (int64_t i = 0; i < lines; i++) master->inverse[i * wide + at] = master->t[i];
        master->active[at] = p;
        y[master->ends + at] = step;
        master->size += c < 0;
    } else {
        if (c >= 0) drop_active(master, c, lines);
        hold(master, column_of(p, n), p >= -n ? 1 : -1, step, lines);
        master->size -= c >= 0;
    }
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

/* Inverse, vertex and multipliers anew from the basis; 0 if it is singular. */
static int refresh(Model *model, Master *master) {
    int64_t n = model->n, wide = master->wide, size = master->size;
    double *B = master->square, *y = master->y + master->ends;
    model->known = 0;
    for (int64_t i = 0; i < size * wide; i++) B[i] = 0;
    for (int64_t i = 0; i < size; i++) {
        int64_t p = master->active[i];
        const double *g = normal_of(model, p);
        B[i * wide] = p >= model->rows ? -1 : 0;
        for (int64_t k = 1; k < size; k++) B[i * wide + k] = g[master->freed[k]];
        master->t[i] = model->D[p];
        for (int64_t j = 0; j < n; j++) master->t[i] -= g[j] * master->end[j];
    }
    if (!inverted(B, master->inverse, size, wide)) return 0;
    for (int64_t k = 0; k < size; k++) {
        const double *line = master->inverse + k * wide;
        double total = 0;
        for (int64_t i = 0; i < size; i++) total += line[i] * master->t[i];
        master->x[master->freed[k]] = total;
        y[k] = most(-master->inverse[k], 0);
    }
    for (int64_t j = 0; j < n; j++) {
        double total = 0;
        for (int64_t i = 0; i < size; i++)
            total += master->inverse[i] * normal_of(model, master->active[i])[j];
        master->y[j] = most(master->end[j] * total, 0);
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
            for (int64_t j = 0; j < n; j++) total += normal_of(model, p)[j] * master->x[j];
            model->over[p] = total;
        }
    }
    model->known = model->count;
}

/* The same after a pivot, by the columns that it moved. */
INLINE void follow(Model *model, const Master *master) {
    for (int64_t i = 0; i < model->count; i += 16) {
        Four total[4];
        for (int v = 0; v < 4; v++) total[v] = FOUR(model->over + i + 4 * v);
        for (int64_t k = 1; k <= master->moving; k++) {
            const double *column = (const double *)master->lines[k] + i;
            for (int v = 0; v < 4; v++) total[v] += master->share[k] * FOUR(column + 4 * v);
        }
        for (int v = 0; v < 4; v++) FOUR(model->over + i + 4 * v) = total[v];
    }
    model->since++;
}

/* The basis anew; from the last cut alone, once, where small pivots have made it singular. */
INLINE int renewed(Model *model, Master *master, int64_t *starts) {
    if (refresh(model, master)) return 1;
    if ((*starts)-- == 0) return 0;
    start(model, master);
    return 1;
}

/* Pivot until nothing is violated: the number of pivots, STUCK, or EMPTY. */
INLINE int64_t resolve(Model *model, Master *master, double tolerance) {
    int64_t m = model->n + 1, limit = 100 * m + 1000, starts = 1;
    for (int64_t pivots = 0; pivots < limit; pivots++) {
        double miss;
        if (master->age >= REFRESH + m && !renewed(model, master, &starts)) return STUCK;
        int one = pivots == 0 && model->known > 0 && model->known == model->count - 1;
        look(model, master);
        int64_t p = one ? newest(model, master, tolerance, &miss)
                        : worst(model, master, tolerance, &miss);
        if (p == NONE) return pivots;
        coordinates(model, master, p);
        int64_t all = fours(model->n) + fours(master->size);
        int64_t r = first_to_zero(master->w, master->y, all, master->ratio);
        if (r >= 0) {
            pivot(model, master, r, p, miss);
            follow(model, master);
        } else if (master->age == 0) {
            return EMPTY;
        } else if (!renewed(model, master, &starts)) {
            return STUCK;
        }
    }
    return STUCK;
}

#endif
