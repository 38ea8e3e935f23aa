/* Value and subgradient of a network at a point, touching only the units that are active. */
#ifndef ICNN_ORACLE_H
#define ICNN_ORACLE_H

#include <math.h>
#include <stdint.h>

#define INLINE static inline __attribute__((always_inline))

enum { PIECES, SOFTPLUS, MAX, LOGSUMEXP, NORM, SQUARES, HUBER, ELU };

/* The hidden layers, which many decisions share. Matrices are stored column by column. */
typedef struct {
    int64_t n, layers;
    const int64_t *rows;      /* (layers + 1) where the rows of a layer start */
    const int64_t *units;     /* (layers + 1) */
    const int64_t *atom;      /* (layers) */
    const double *parameter;  /* (layers) such as a temperature */
    const int64_t *piece;     /* (layers + 1) where the pieces of a layer start */
    const double *pieces;     /* (pieces, 2) slope and intercept, slopes rising */
    const double *V;
    const int64_t *v;         /* (layers) where V starts, -1 where it is zero */
    const int64_t *edge;      /* (layers + 1) where the edges of a layer start */
    const int64_t *source;    /* (edges) */
    const double *W;
    const int64_t *w;         /* (edges) where W starts */
    const int64_t *gate;      /* (edges) where the gates of an edge start */
} Net;

/* What one decision adds: offsets, factors on x, gates, and the output c.x + e.z. */
typedef struct {
    const double *b;     /* (rows) */
    const double *h;     /* (layers, n) */
    const double *gates;
    const double *c;     /* (n) */
    const double *e;     /* (units) */
} Place;

/* Memory of one evaluation; after backward(), slope holds the multipliers of the rows. */
typedef struct {
    double *a, *slope;   /* (rows) */
    double *z, *weight;  /* (units) */
    double *xs;          /* (n) */
    int32_t *at;         /* (max(n, units)) */
} Work;

INLINE void add_columns(const double *M, int64_t m, const double *z, const int32_t *at,
                        int64_t count, double *restrict y) {
    int64_t k = 0;
    for (; k + 4 <= count; k += 4) {
        const double *P = M + at[k] * m, *Q = M + at[k + 1] * m;
        const double *R = M + at[k + 2] * m, *S = M + at[k + 3] * m;
        double p = z[at[k]], q = z[at[k + 1]], r = z[at[k + 2]], s = z[at[k + 3]];
        for (int64_t i = 0; i < m; i++) y[i] += (p * P[i] + q * Q[i]) + (r * R[i] + s * S[i]);
    }
    for (; k < count; k++) {
        const double *P = M + at[k] * m;
        double p = z[at[k]];
        for (int64_t i = 0; i < m; i++) y[i] += p * P[i];
    }
}

INLINE void dot_columns(const double *M, int64_t m, const double *u, const int32_t *at,
                        int64_t count, double *restrict out) {
    int64_t k = 0;
    for (; k + 4 <= count; k += 4) {
        const double *P = M + at[k] * m, *Q = M + at[k + 1] * m;
        const double *R = M + at[k + 2] * m, *S = M + at[k + 3] * m;
        double p = 0, q = 0, r = 0, s = 0;
        for (int64_t i = 0; i < m; i++) {
            p += u[i] * P[i];
            q += u[i] * Q[i];
            r += u[i] * R[i];
            s += u[i] * S[i];
        }
        out[at[k]] += p;
        out[at[k + 1]] += q;
        out[at[k + 2]] += r;
        out[at[k + 3]] += s;
    }
    for (; k < count; k++) {
        const double *P = M + at[k] * m;
        double p = 0;
        for (int64_t i = 0; i < m; i++) p += u[i] * P[i];
        out[at[k]] += p;
    }
}

/* Atoms of several rows a unit. */
static void group(int64_t kind, double t, int64_t size, int64_t units, const double *a, double *z,
                  double *slope) {
    for (int64_t i = 0; i < units; i++, a += size, slope += size) {
        int64_t best = 0;
        double total = 0;
        for (int64_t j = 1; j < size; j++)
            if (a[j] > a[best]) best = j;
        if (kind == MAX) {
            for (int64_t j = 0; j < size; j++) slope[j] = j == best;
            z[i] = a[best];
        } else if (kind == LOGSUMEXP) {
            for (int64_t j = 0; j < size; j++) total += slope[j] = exp((a[j] - a[best]) / t);
            for (int64_t j = 0; j < size; j++) slope[j] /= total;
            z[i] = a[best] + t * log(total);
        } else {
            for (int64_t j = 0; j < size; j++) total += a[j] * a[j];
            double length = sqrt(total);
            z[i] = kind == SQUARES ? total : length;
            for (int64_t j = 0; j < size; j++)
                slope[j] = kind == SQUARES ? 2 * a[j] : length > 0 ? a[j] / length : 0;
        }
    }
}

/* Smooth atoms of one row a unit, and maxima of more than two pieces. */
static void smooth(const Net *net, int64_t k, int64_t units, const double *a, double *z,
                   double *slope) {
    double t = net->parameter[k];
    for (int64_t i = 0; i < units; i++) {
        double v = a[i], size = fabs(v), tail = exp(-size);
        if (net->atom[k] == SOFTPLUS) {
            z[i] = fmax(v, 0) + log1p(tail);
            slope[i] = (v >= 0 ? 1 : tail) / (1 + tail);
        } else if (net->atom[k] == HUBER) {
            z[i] = size <= t ? v * v : t * (2 * size - t);
            slope[i] = 2 * (size <= t ? v : copysign(t, v));
        } else if (net->atom[k] == ELU) {
            z[i] = v > 0 ? v : t * expm1(v);
            slope[i] = v > 0 ? 1 : t * tail;
        } else {
            z[i] = -INFINITY;
            for (int64_t p = net->piece[k]; p < net->piece[k + 1]; p++) {
                double value = net->pieces[2 * p] * v + net->pieces[2 * p + 1];
                if (value > z[i]) z[i] = value, slope[i] = net->pieces[2 * p];
            }
        }
    }
}

INLINE void atom(const Net *net, int64_t k, const double *restrict a, double *restrict z,
                 double *restrict slope) {
    int64_t units = net->units[k + 1] - net->units[k], rows = net->rows[k + 1] - net->rows[k];
    const double *p = net->pieces + 2 * net->piece[k];
    if (net->atom[k] == PIECES && net->piece[k + 1] == net->piece[k] + 2) {
        double s0 = p[0], t0 = p[1], s1 = p[2], t1 = p[3];
        for (int64_t i = 0; i < units; i++) {
            double low = s0 * a[i] + t0, high = s1 * a[i] + t1;
            z[i] = high > low ? high : low;
            slope[i] = high > low ? s1 : s0;
        }
    } else if (rows > units || net->atom[k] == MAX || net->atom[k] == LOGSUMEXP ||
               net->atom[k] == NORM || net->atom[k] == SQUARES) {
        group(net->atom[k], net->parameter[k], rows / units, units, a, z, slope);
    } else {
        smooth(net, k, units, a, z, slope);
    }
}

/* The value at x (n), leaving the slopes for backward(). */
INLINE double evaluate(const Net *net, const Place *place, const Work *work, const double *x) {
    int64_t n = net->n, all = net->units[net->layers];
    for (int64_t k = 0; k < net->layers; k++) {
        int64_t m = net->rows[k + 1] - net->rows[k];
        double *restrict a = work->a + net->rows[k];
        const double *b = place->b + net->rows[k], *h = place->h + k * n;
        for (int64_t i = 0; i < m; i++) a[i] = b[i];
        if (net->v[k] >= 0) {
            for (int64_t j = 0; j < n; j++) work->xs[j] = h[j] * x[j], work->at[j] = (int32_t)j;
            add_columns(net->V + net->v[k], m, work->xs, work->at, n, a);
        }
        for (int64_t e = net->edge[k]; e < net->edge[k + 1]; e++) {
            int64_t first = net->units[net->source[e]], last = net->units[net->source[e] + 1];
            const double *g = place->gates + net->gate[e], *z = work->z + first;
            int64_t count = 0;
            for (int64_t j = 0; j < last - first; j++) {
                work->weight[j] = z[j] * g[j];
                work->at[count] = (int32_t)j;
                count += work->weight[j] != 0;
            }
            add_columns(net->W + net->w[e], m, work->weight, work->at, count, a);
        }
        atom(net, k, a, work->z + net->units[k], work->slope + net->rows[k]);
    }
    double value = 0;
    for (int64_t j = 0; j < n; j++) value += place->c[j] * x[j];
    for (int64_t i = 0; i < all; i++) value += place->e[i] * work->z[i];
    return value;
}

/* A subgradient g (n) at the point last evaluated. */
INLINE void backward(const Net *net, const Place *place, const Work *work, double *restrict g) {
    int64_t n = net->n, all = net->units[net->layers];
    for (int64_t j = 0; j < n; j++) g[j] = place->c[j];
    for (int64_t i = 0; i < all; i++) work->weight[i] = place->e[i];
    for (int64_t k = net->layers - 1; k >= 0; k--) {
        int64_t m = net->rows[k + 1] - net->rows[k], units = net->units[k + 1] - net->units[k];
        double *restrict u = work->slope + net->rows[k];
        const double *weight = work->weight + net->units[k], *h = place->h + k * n;
        if (m == units)
            for (int64_t i = 0; i < m; i++) u[i] *= weight[i];
        else
            for (int64_t i = 0; i < m; i++) u[i] *= weight[i / (m / units)];
        if (net->v[k] >= 0) {
            for (int64_t j = 0; j < n; j++) work->xs[j] = 0, work->at[j] = (int32_t)j;
            dot_columns(net->V + net->v[k], m, u, work->at, n, work->xs);
            for (int64_t j = 0; j < n; j++) g[j] += h[j] * work->xs[j];
        }
        for (int64_t e = net->edge[k]; e < net->edge[k + 1]; e++) {
            int64_t s = net->source[e], first = net->units[s], size = net->units[s + 1] - first;
            int64_t several = net->rows[s + 1] - net->rows[s] > size, count = 0;
            const double *gates = place->gates + net->gate[e];
            const double *slope = work->slope + net->rows[s];
            double *out = work->z + first; /* the values are not needed any more */
            for (int64_t j = 0; j < size; j++) {
                out[j] = 0;
                work->at[count] = (int32_t)j;
                count += several || slope[j] != 0;
            }
            dot_columns(net->W + net->w[e], m, u, work->at, count, out);
            for (int64_t j = 0; j < size; j++) work->weight[first + j] += gates[j] * out[j];
        }
    }
}

#endif
