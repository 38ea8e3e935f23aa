/* minimise q(x) + t over cuts G x - t <= D, rows G x <= D and the box [-1, 1], q strictly convex:
   the dual active-set method of Goldfarb & Idnani (1983), started warm. t has no curvature, so one
   cut at least is always active, and the multipliers of those that are sum to 1. */
#ifndef ICNN_QUADRATIC_H
#define ICNN_QUADRATIC_H

#include "simplex.h"

typedef struct {
    double *F, *L;   /* (n, n) Cholesky factor of the Hessian, and its inverse, by row */
    double *N;       /* (n + 1, n) active normals times L' */
    double *K;       /* (n + 2, wide) inverse of [0 s'; s N N'], s: 1 for a cut */
    double *square;  /* (n + 2, wide) */
    double *y;       /* (n + 2) multipliers; the first place is that of t here and in K */
    double *r, *k;   /* (n + 2) */
    double *z, *p;   /* (n) */
    double *base;    /* (n) where q alone is least */
    double *x;       /* (n) */
    double t;
    int64_t *active; /* (n + 2) as in the master */
    int64_t count, wide;
} Quadratic;

static int64_t quadratic_size(int64_t n) {
    int64_t wide = (n + 5) / 4 * 4;
    return 2 * n * n + (n + 1) * n + 2 * (n + 2) * wide + 4 * (n + 2) + 4 * n;
}

static double *quadratic_in(Quadratic *quad, int64_t n, double *d) {
    int64_t wide = quad->wide = (n + 5) / 4 * 4;
    quad->F = d, d += n * n;
    quad->L = d, d += n * n;
    quad->N = d, d += (n + 1) * n;
    quad->K = d, d += (n + 2) * wide;
    quad->square = d, d += (n + 2) * wide;
    quad->y = d, d += n + 2;
    quad->r = d, d += n + 2;
    quad->k = d, d += n + 2;
    quad->active = (int64_t *)d, d += n + 2;
    quad->z = d, d += n;
    quad->p = d, d += n;
    quad->base = d, d += n;
    quad->x = d, d += n;
    return d;
}

/* F F' = H + shift I, and L = F^-1; 0 if that is not positive definite. */
static CLONES int factor(Quadratic *quad, const double *H, int64_t n, double shift) {
    for (int64_t i = 0; i < n; i++) {
        double *restrict f = quad->F + i * n, *restrict l = quad->L + i * n;
        for (int64_t j = 0; j <= i; j++) {
            const double *g = quad->F + j * n;
            double total = H[i * n + j] + (i == j ? shift : 0);
            for (int64_t k = 0; k < j; k++) total -= f[k] * g[k];
            if (i == j && !(total > 1e-14 * H[i * n + i] && total > 0)) return 0;
            f[j] = i == j ? sqrt(total) : total / g[j];
        }
        for (int64_t j = 0; j <= i; j++) l[j] = i == j ? 1 : 0;
        for (int64_t k = 0; k < i; k++) {
            const double *above = quad->L + k * n;
            for (int64_t j = 0; j <= k; j++) l[j] -= f[k] * above[j];
        }
        for (int64_t j = 0; j <= i; j++) l[j] /= f[i];
    }
    return 1;
}

/* out = L v */
INLINE void lower_times(const Quadratic *quad, int64_t n, const double *v, double *restrict out) {
    for (int64_t i = 0; i < n; i++) {
        const double *l = quad->L + i * n;
        double total = 0;
        for (int64_t j = 0; j <= i; j++) total += l[j] * v[j];
        out[i] = total;
    }
}

/* x -= step L' v */
INLINE void move(const Quadratic *quad, int64_t n, const double *v, double step, double *restrict x) {
    for (int64_t i = 0; i < n; i++) {
        const double *l = quad->L + i * n;
        double f = step * v[i];
        for (int64_t j = 0; j <= i; j++) x[j] -= f * l[j];
    }
}

/* The normal of constraint p in the metric; 1 if it is a cut. */
INLINE int scaled_normal(const Model *model, const Quadratic *quad, int64_t p, double *restrict out) {
    int64_t n = model->n, j = p >= -n ? -1 - p : -1 - n - p;
    if (p >= 0) lower_times(quad, n, normal_of(model, p), out);
    else
        for (int64_t i = 0; i < n; i++)
            out[i] = i < j ? 0 : p >= -n ? quad->L[i * n + j] : -quad->L[i * n + j];
    return p >= model->rows;
}

/* out = N v, at the places of the constraints */
INLINE void normals_times(const Quadratic *quad, int64_t n, const double *v, double *restrict out) {
    for (int64_t k = 0; k < quad->count; k++) {
        const double *a = quad->N + k * n;
        double total = 0;
        for (int64_t j = 0; j < n; j++) total += a[j] * v[j];
        out[k + 1] = total;
    }
}

/* out = K v */
INLINE void inverse_times(const Quadratic *quad, const double *v, double *restrict out) {
    for (int64_t i = 0; i <= quad->count; i++) {
        const double *line = quad->K + i * quad->wide;
        double total = 0;
        for (int64_t j = 0; j <= quad->count; j++) total += line[j] * v[j];
        out[i] = total;
    }
}

/* N and K anew from the active set; 0 if it is dependent. */
static CLONES int renew(const Model *model, Quadratic *quad) {
    int64_t n = model->n, q = quad->count, m = q + 1, wide = (m + 3) / 4 * 4;
    double *B = quad->square;
    for (int64_t i = 0; i < m * wide; i++) B[i] = 0;
    for (int64_t k = 0; k < q; k++) {
        int cut = scaled_normal(model, quad, quad->active[k], quad->N + k * n);
        B[k + 1] = B[(k + 1) * wide] = cut;
        for (int64_t l = 0; l <= k; l++) {
            double total = 0;
            for (int64_t j = 0; j < n; j++) total += quad->N[k * n + j] * quad->N[l * n + j];
            B[(k + 1) * wide + l + 1] = B[(l + 1) * wide + k + 1] = total;
        }
    }
    if (!inverted(B, quad->K, m, wide)) return 0;
    for (int64_t i = m - 1; i > 0; i--) /* lines of the matrix itself are longer */
        for (int64_t j = m - 1; j >= 0; j--) quad->K[i * quad->wide + j] = quad->K[i * wide + j];
    return 1;
}

/* Take the k-th constraint out; the last one moves into its place. */
INLINE void release(Quadratic *quad, int64_t n, int64_t k) {
    int64_t q = quad->count, last = q - 1, wide = quad->wide;
    double *K = quad->K, *c = quad->k, share = 1 / K[(k + 1) * wide + k + 1];
    for (int64_t i = 0; i <= q; i++) c[i] = K[i * wide + k + 1];
    for (int64_t i = 0; i <= q; i++) {
        double s = c[i] * share, *restrict line = K + i * wide;
        for (int64_t j = 0; j <= q; j++) line[j] -= s * c[j];
    }
    for (int64_t i = 0; i < q; i++)
        if (i != k + 1) K[(k + 1) * wide + i] = K[i * wide + k + 1] = K[q * wide + i];
    K[(k + 1) * wide + k + 1] = K[q * wide + q];
    quad->y[k + 1] = quad->y[q];
    quad->active[k] = quad->active[last];
    for (int64_t j = 0; j < n; j++) quad->N[k * n + j] = quad->N[last * n + j];
    quad->count = last;
}

/* One more constraint, whose normal is in p and whose coordinates are in r. */
INLINE void join(Quadratic *quad, int64_t n, int64_t p, double y, double rest) {
    int64_t m = ++quad->count, wide = quad->wide;
    double *K = quad->K, *r = quad->r;
    for (int64_t i = 0; i < m; i++) {
        double s = r[i] / rest, *restrict line = K + i * wide;
        for (int64_t j = 0; j < m; j++) line[j] += s * r[j];
        K[i * wide + m] = K[m * wide + i] = -s;
    }
    K[m * wide + m] = 1 / rest;
    memcpy(quad->N + (m - 1) * n, quad->p, (size_t)n * 8);
    quad->y[m] = y;
    quad->active[m - 1] = p;
}

/* The only active cut gives way to cut p, at the same x. */
INLINE int exchange(const Model *model, Quadratic *quad, int64_t k, int64_t p) {
    int64_t n = model->n;
    const double *g = normal_of(model, p);
    quad->active[k] = p;
    quad->y[k + 1] = 1;
    quad->t = -model->D[p];
    for (int64_t j = 0; j < n; j++) quad->t += g[j] * quad->x[j];
    return renew(model, quad);
}

/* Make p active, letting those go whose multipliers reach zero on the way; 0 if nothing can. */
INLINE int admit(const Model *model, Quadratic *quad, int64_t p, double miss) {
    int64_t n = model->n, cut = scaled_normal(model, quad, p, quad->p), at;
    double mine = 0, size = 0;
    for (int64_t j = 0; j < n; j++) size += quad->p[j] * quad->p[j];
    for (;;) {
        double rest = 0, step = INFINITY;
        int64_t cuts = 0;
        quad->k[0] = (double)cut;
        normals_times(quad, n, quad->p, quad->k);
        inverse_times(quad, quad->k, quad->r);
        memcpy(quad->z, quad->p, (size_t)n * 8);
        for (int64_t k = at = 0; k < quad->count; k++) {
            double r = quad->r[k + 1];
            for (int64_t j = 0; j < n; j++) quad->z[j] -= r * quad->N[k * n + j];
            cuts += quad->active[k] >= model->rows;
            if (r > 1e-12 && quad->y[k + 1] / r < step) step = quad->y[k + 1] / r, at = k;
        }
        for (int64_t j = 0; j < n; j++) rest += quad->z[j] * quad->z[j];
        int blocked = !(rest > 1e-11 * size) || quad->count > n;
        double full = blocked ? INFINITY : miss / rest, taken = least(step, full);
        if (!(taken < 1e299)) return 0;
        if (!blocked) {
            move(quad, n, quad->z, taken, quad->x);
            quad->t -= taken * quad->r[0];
            miss -= taken * rest;
        }
        for (int64_t k = 1; k <= quad->count; k++) quad->y[k] = most(quad->y[k] - taken * quad->r[k], 0);
        mine += taken;
        if (full <= step) return join(quad, n, p, mine, rest), 1;
        if (cuts == 1 && quad->active[at] >= model->rows)
            return cut && exchange(model, quad, at, p);
        release(quad, n, at);
    }
}

/* By how much the active constraints are missed and the multipliers of cuts miss 1, taken back. */
INLINE void correct(const Model *model, Quadratic *quad) {
    int64_t n = model->n;
    double *miss = quad->k;
    miss[0] = 1;
    for (int64_t k = 0; k < quad->count; k++) {
        int64_t p = quad->active[k], cut = p >= model->rows;
        double over = p < 0 ? -1 : -model->D[p];
        if (p >= 0)
            for (int64_t j = 0; j < n; j++) over += normal_of(model, p)[j] * quad->x[j];
        else over += p >= -n ? quad->x[-1 - p] : -quad->x[-1 - n - p];
        miss[k + 1] = cut ? over - quad->t : over;
        if (cut) miss[0] -= quad->y[k + 1];
    }
    inverse_times(quad, miss, quad->r);
    quad->t += quad->r[0];
    for (int64_t j = 0; j < n; j++) quad->z[j] = 0;
    for (int64_t k = 0; k < quad->count; k++) {
        double r = quad->r[k + 1];
        quad->y[k + 1] += r;
        for (int64_t j = 0; j < n; j++) quad->z[j] += r * quad->N[k * n + j];
    }
    move(quad, n, quad->z, 1, quad->x);
}

/* The optimum of the active set, less what would pull. */
INLINE void settle(const Model *model, Quadratic *quad) {
    for (;;) {
        int64_t at = -1;
        double lowest = 0;
        quad->t = 0;
        memcpy(quad->x, quad->base, (size_t)model->n * 8);
        for (int64_t k = 0; k < quad->count; k++) quad->y[k + 1] = 0;
        correct(model, quad);
        for (int64_t k = 0; k < quad->count; k++)
            if (quad->y[k + 1] < lowest) lowest = quad->y[k + 1], at = k;
        if (at < 0) break;
        release(quad, model->n, at);
    }
    correct(model, quad);
    for (int64_t k = 1; k <= quad->count; k++) quad->y[k] = most(quad->y[k], 0);
}

/* Whether constraint p is active, so that its miss is rounding. */
INLINE int is_active(const Quadratic *quad, int64_t p) {
    for (int64_t i = 0; i < quad->count; i++)
        if (quad->active[i] == p) return 1;
    return 0;
}

/* The minimum, from the last active set; g is the gradient of q at the centre. 0 if not found. */
static CLONES int minimised(Model *model, Quadratic *quad, const double *centre, const double *g,
                     double tolerance) {
    int64_t n = model->n;
    memcpy(quad->base, centre, (size_t)n * 8);
    lower_times(quad, n, g, quad->z);
    move(quad, n, quad->z, 1, quad->base);
    settle(model, quad);
    for (int64_t k = 0, again = 0; k < 20 * n + 200; k++) {
        double miss;
        int64_t p = most_violated(model, quad->x, quad->t, tolerance, &miss);
        if (p == NONE || (again == 4 && miss <= 1e-9)) return 1;
        if (is_active(quad, p)) {
            if (again == 4 || (again == 2 && !renew(model, quad))) return 0;
            correct(model, quad), again++;
        } else if (admit(model, quad, p, miss)) again = 0;
        else return 0;
    }
    return 0;
}

#endif
