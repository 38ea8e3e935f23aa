/* The point of a level set nearest to a centre: Goldfarb & Idnani (1983), started warm.

   minimise |x - centre|^2 / 2 over the constraints of a Model at v = level, and the box. */
#ifndef ICNN_NEAREST_H
#define ICNN_NEAREST_H

#include "simplex.h"

typedef struct {
    double *N;       /* (n, n) active normals, `count` of them */
    double *H;       /* (n + 1, n + 1), the inverse of N N' */
    double *u;       /* (n + 1) their multipliers, >= 0 */
    int64_t *active; /* (n + 1) as in the master */
    int64_t count;
    double *z, *r, *t;
} Nearest;

/* By how much x exceeds each active constraint, into t; the largest absolute one. */
INLINE double misses(const Model *model, const Nearest *near, const double *x, double level) {
    int64_t n = model->n;
    double largest = 0;
    for (int64_t k = 0; k < near->count; k++) {
        int64_t p = near->active[k];
        const double *normal = near->N + k * n;
        double total = p < 0 ? -1 : -model->D[p] - (p >= model->rows ? level : 0);
        for (int64_t j = 0; j < n; j++) total += normal[j] * x[j];
        near->t[k] = total;
        largest = most(largest, fabs(total));
    }
    return largest;
}

/* out = H t over the active constraints */
INLINE void solve(const Nearest *near, int64_t m, double *restrict out) {
    for (int64_t k = 0; k < near->count; k++) {
        double total = 0;
        for (int64_t i = 0; i < near->count; i++) total += near->H[k * m + i] * near->t[i];
        out[k] = total;
    }
}

INLINE void normal_of(const Model *model, int64_t p, double *restrict z) {
    int64_t n = model->n;
    for (int64_t j = 0; j < n; j++) z[j] = p >= 0 ? model->G[p * n + j] : 0;
    if (p < 0 && p >= -n) z[-1 - p] = 1;
    else if (p < 0) z[-1 - n - p] = -1;
}

/* Take the k-th normal out; the last one moves into its place. */
INLINE void drop(const Model *model, Nearest *near, int64_t k) {
    int64_t n = model->n, m = n + 1, q = near->count, last = q - 1;
    double *H = near->H, *t = near->t, scale = 1 / H[k * m + k];
    for (int64_t i = 0; i < q; i++) t[i] = H[i * m + k];
    for (int64_t i = 0; i < q; i++) {
        double s = t[i] * scale, *restrict line = H + i * m;
        for (int64_t j = 0; j < q; j++) line[j] -= s * t[j];
    }
    for (int64_t i = 0; i < last; i++)
        if (i != k) H[k * m + i] = H[i * m + k] = H[last * m + i];
    H[k * m + k] = H[last * m + last];
    near->u[k] = near->u[last];
    near->active[k] = near->active[last];
    for (int64_t j = 0; j < n; j++) near->N[k * n + j] = near->N[last * n + j];
    near->count = last;
}

/* x: the nearest point of the last active set, less what would pull; 0 if that failed. */
INLINE int warm(const Model *model, Nearest *near, const double *centre, double level, double *x) {
    int64_t n = model->n;
    for (;;) {
        int64_t at = -1;
        double least = 0;
        misses(model, near, centre, level);
        solve(near, n + 1, near->u);
        for (int64_t k = 0; k < near->count; k++)
            if (near->u[k] < least) least = near->u[k], at = k;
        if (at < 0) break;
        drop(model, near, at);
    }
    for (int64_t j = 0; j < n; j++) x[j] = centre[j];
    for (int64_t k = 0; k < near->count; k++)
        for (int64_t j = 0; j < n; j++) x[j] -= near->u[k] * near->N[k * n + j];
    return misses(model, near, x, level) <= 1e-9;
}

/* The normal of p as r in terms of the active ones and a rest z; |normal|^2 and |z|^2. */
INLINE void split(const Model *model, Nearest *near, int64_t p, double *size, double *rest) {
    int64_t n = model->n;
    double *restrict z = near->z;
    normal_of(model, p, z);
    *size = *rest = 0;
    for (int64_t j = 0; j < n; j++) *size += z[j] * z[j];
    for (int64_t k = 0; k < near->count; k++) {
        double total = 0;
        for (int64_t j = 0; j < n; j++) total += near->N[k * n + j] * z[j];
        near->t[k] = total;
    }
    solve(near, n + 1, near->r);
    for (int64_t k = 0; k < near->count; k++)
        for (int64_t j = 0; j < n; j++) z[j] -= near->r[k] * near->N[k * n + j];
    for (int64_t j = 0; j < n; j++) *rest += z[j] * z[j];
}

/* Bordering: one more normal, whose coordinates are in r. */
INLINE void append(const Model *model, Nearest *near, int64_t p, double u, double rest) {
    int64_t n = model->n, m = n + 1, q = near->count;
    double *H = near->H, *r = near->r;
    for (int64_t k = 0; k < q; k++) {
        double s = r[k] / rest, *restrict line = H + k * m;
        for (int64_t i = 0; i < q; i++) line[i] += s * r[i];
        H[k * m + q] = H[q * m + k] = -s;
    }
    H[q * m + q] = 1 / rest;
    normal_of(model, p, near->N + q * n);
    near->u[q] = u;
    near->active[q] = p;
    near->count = q + 1;
}

/* Make p active, dropping those whose multipliers reach zero on the way; 0 if nothing can. */
INLINE int include(const Model *model, Nearest *near, int64_t p, double miss, double *x) {
    int64_t n = model->n;
    double mine = 0;
    for (;;) {
        double size, rest, step = INFINITY;
        int64_t at = -1;
        split(model, near, p, &size, &rest);
        for (int64_t k = 0; k < near->count; k++)
            if (near->r[k] > 1e-12 && near->u[k] / near->r[k] < step)
                step = near->u[k] / near->r[k], at = k;
        int blocked = !(rest > 1e-11 * size) || near->count >= n;
        double full = blocked ? INFINITY : miss / rest, taken = least(step, full);
        if (!(taken < 1e299)) return 0;
        if (!blocked) {
            for (int64_t j = 0; j < n; j++) x[j] -= taken * near->z[j];
            miss -= taken * rest;
        }
        for (int64_t k = 0; k < near->count; k++)
            near->u[k] = most(near->u[k] - taken * near->r[k], 0);
        mine += taken;
        if (full <= step) {
            append(model, near, p, mine, rest);
            return 1;
        }
        drop(model, near, at);
    }
}

/* Write the nearest point into x (n); 0 if it was not found. */
INLINE int project(Model *model, Nearest *near, const double *centre, double level,
                   double *x, double tolerance) {
    int64_t n = model->n;
    if (!warm(model, near, centre, level, x)) {
        near->count = 0;
        for (int64_t j = 0; j < n; j++) x[j] = centre[j];
    }
    for (int64_t k = 0; k < 20 * n + 200; k++) {
        double miss;
        int64_t p = most_violated(model, x, level, tolerance, &miss);
        if (p == NONE) return 1;
        if (!include(model, near, p, miss, x)) break;
    }
    near->count = 0;
    return 0;
}

#endif
