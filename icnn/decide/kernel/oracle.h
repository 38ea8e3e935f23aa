/* Value and subgradient of a network at a point, touching only the units that are active. */
#ifndef ICNN_ORACLE_H
#define ICNN_ORACLE_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(ICNN_PLAIN)
#define AVX2 1 /* written out for it as well; whether the processor has it is asked later */
#include <immintrin.h>
#else
#define AVX2 0
#endif

#define INLINE static inline __attribute__((always_inline))
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__linux__)
#define CLONES __attribute__((target_clones("arch=x86-64-v3", "default")))
#else
#define CLONES
#endif

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
    const int64_t *w;         /* (edges) where W starts, -1 where S loses nothing */
    const float *S;           /* all matrices in single precision, columns of whole lines */
    const int64_t *sv, *s;    /* (layers) and (edges) where those of V and W start */
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
    double *factor;      /* (n + units) of each column in turn, or what came out for it */
    const void **column; /* (n + units) of doubles, then of floats */
    int32_t *at;         /* (units) those of each layer that are active */
    int64_t *count;      /* (layers) how many */
    int64_t doubles, all; /* columns of the last layer that count */
    float *narrow;       /* (lines) multipliers of a layer */
    int coarse;          /* whether all products are of floats */
} Work;

#if AVX2
#define FAST (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
#define WIDE (__builtin_cpu_supports("avx512f"))
#else
#define FAST 0
#define WIDE 0
#endif
#define LINE 16 /* floats of a cache line */
#define RUN 64  /* columns whose floats are added up before they go to a double */

static int fast, wide; /* whether the processor has vectors of four doubles, or of eight */

/* Floats of a column of so many rows in S. */
INLINE int64_t line_of(int64_t m) { return (m + LINE - 1) / LINE * LINE; }

static int64_t work_size(const Net *net) {
    int64_t R = net->rows[net->layers], U = net->units[net->layers];
    return 2 * R + 2 * U + 2 * (net->n + U) + U + net->layers + (R + LINE) / 2 + 1;
}

/* The arrays of one evaluation in so many doubles. */
static void work_in(Work *work, const Net *net, double *d) {
    int64_t R = net->rows[net->layers], U = net->units[net->layers];
    fast = FAST;
    wide = WIDE;
    work->coarse = 0;
    work->a = d, d += R;
    work->slope = d, d += R;
    work->z = d, d += U;
    work->weight = d, d += U;
    work->factor = d, d += net->n + U;
    work->column = (const void **)d, d += net->n + U;
    work->count = (int64_t *)d, d += net->layers;
    work->at = (int32_t *)d, d += U;
    work->narrow = (float *)d;
}

#define VERSION(name) name##_plain
#define TARGET
#define WIDTH 4
#define WIDEN(p) ((Vector_plain){(p)[0], (p)[1], (p)[2], (p)[3]})
#include "columns.h"
#undef VERSION
#undef TARGET
#undef WIDTH
#undef WIDEN
#if AVX2
#define VERSION(name) name##_avx2
#define TARGET __attribute__((target("avx2,fma")))
#define WIDTH 4
#define WIDEN(p) ((Vector_avx2)_mm256_cvtps_pd(_mm_loadu_ps(p)))
#include "columns.h"
#undef VERSION
#undef TARGET
#undef WIDTH
#undef WIDEN
#define CHOICE(name) (fast ? name##_avx2 : name##_plain)
#define VERSION(name) name##_avx2
#define TARGET __attribute__((target("avx2,fma")))
#define LANES 8
#include "narrow.h"
#undef VERSION
#undef TARGET
#undef LANES
#define VERSION(name) name##_avx512
#define TARGET __attribute__((target("avx512f,avx2,fma")))
#define LANES 16
#include "narrow.h"
#undef VERSION
#undef TARGET
#undef LANES
#define NARROW(name) (wide ? name##_avx512 : name##_avx2)
#else
#define CHOICE(name) name##_plain
#endif

/* y (m) += the columns times their factors, the first of doubles */
INLINE void add_columns(const Work *work, int64_t doubles, int64_t count, int64_t m, double *y) {
#if AVX2
    if (work->coarse) {
        NARROW(narrow_add)(work, count, m, y);
        return;
    }
#endif
    CHOICE(add)(work, 0, doubles, m, y, 0);
    if (count > doubles) CHOICE(add)(work, doubles, count, m, y, 1);
}

/* factor[k] = column[k] . u (m) */
INLINE void dot_columns(const Work *work, int64_t doubles, int64_t count, int64_t m,
                        const double *u) {
#if AVX2
    if (work->coarse) {
        for (int64_t i = 0; i < line_of(m); i++) work->narrow[i] = i < m ? (float)u[i] : 0;
        NARROW(narrow_dot)(work, count, m, work->narrow);
        return;
    }
#endif
    CHOICE(dot)(work, 0, doubles, m, u, 0);
    if (count > doubles) CHOICE(dot)(work, doubles, count, m, u, 1);
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

#if AVX2
/* The set bits of each four, first ones first. */
static const int32_t PLACES[16][4] = {
    {0},       {0},       {1},       {0, 1},    {2},       {0, 2},    {1, 2},    {0, 1, 2},
    {3},       {0, 3},    {1, 3},    {0, 1, 3}, {2, 3},    {0, 2, 3}, {1, 2, 3}, {0, 1, 2, 3},
};

/* Four units at a time: `from` where it stopped, and how many of them count. */
__attribute__((target("avx2"))) static int64_t active_fours(
    const double *z, const double *slope, int64_t units, int32_t *at, int64_t *from) {
    int64_t count = 0, j = 0;
    for (; j + 4 <= units; j += 4) {
        __m256d bits = _mm256_or_pd(_mm256_loadu_pd(z + j), _mm256_loadu_pd(slope + j));
        int set = _mm256_movemask_pd(_mm256_cmp_pd(bits, _mm256_setzero_pd(), _CMP_NEQ_UQ));
        __m128i places = _mm_loadu_si128((const __m128i *)PLACES[set]);
        _mm_storeu_si128((__m128i *)(at + count), _mm_add_epi32(places, _mm_set1_epi32((int)j)));
        count += __builtin_popcount((unsigned)set);
    }
    *from = j;
    return count;
}
#else
static int64_t active_fours(const double *z, const double *slope, int64_t units, int32_t *at,
                            int64_t *from) {
    (void)z, (void)slope, (void)units, (void)at, (void)from;
    return 0;
}
#endif

/* Which units of a layer count for those above: the ones that are not flat at zero. */
INLINE void list_active(const Net *net, const Work *work, int64_t k) {
    int64_t first = net->units[k], units = net->units[k + 1] - first, j = 0, count = 0, read = 0;
    int64_t several = net->rows[k + 1] - net->rows[k] > units;
    const double *z = work->z + first, *slope = work->slope + net->rows[k];
    int32_t *at = work->at + first;
    for (int64_t e = net->edge[k + 1]; e < net->edge[net->layers]; e++) read |= net->source[e] == k;
    if (!read) units = 0;
    if (fast && !several) count = active_fours(z, slope, units, at, &j);
    for (; j < units; j++) { /* without a branch, which nothing foresees */
        at[count] = (int32_t)j;
        count += (slope[several ? 0 : j] != 0) | (z[j] != 0) | several;
    }
    work->count[k] = count;
}

/* Whether W of an edge is read from S. */
INLINE int narrow(const Net *net, const Work *work, int64_t e) {
    return work->coarse || net->w[e] < 0;
}

/* The columns of layer k that count: those of V, if it has one, then of each W, doubles before
   floats; how many doubles and how many in all. */
INLINE void list_columns(const Net *net, const Work *work, int64_t k, int64_t *doubles,
                         int64_t *all) {
    int64_t m = net->rows[k + 1] - net->rows[k], line = line_of(m), count = 0;
    if (net->v[k] >= 0)
        for (; count < net->n; count++)
            work->column[count] = work->coarse ? (const void *)(net->S + net->sv[k] + count * line)
                                               : net->V + net->v[k] + count * m;
    for (int single = 0; single < 2; single++) {
        for (int64_t e = net->edge[k]; e < net->edge[k + 1]; e++) {
            const int32_t *at = work->at + net->units[net->source[e]];
            int64_t active = narrow(net, work, e) == single ? work->count[net->source[e]] : 0;
            for (int64_t i = 0; i < active; i++)
                work->column[count++] = single ? (const void *)(net->S + net->s[e] + at[i] * line)
                                               : net->W + net->w[e] + at[i] * m;
        }
        if (!single) *doubles = count;
    }
    *all = count;
}

/* The factors of the columns of layer k: x, then the units that count. */
INLINE void list_factors(const Net *net, const Place *place, const Work *work, int64_t k,
                         const double *x) {
    const double *h = place->h + k * net->n;
    double *factor = work->factor;
    if (net->v[k] >= 0)
        for (int64_t j = 0; j < net->n; j++) *factor++ = h[j] * x[j];
    for (int single = 0; single < 2; single++)
        for (int64_t e = net->edge[k]; e < net->edge[k + 1]; e++) {
            int64_t s = net->source[e], first = net->units[s];
            const double *g = place->gates + net->gate[e], *z = work->z + first;
            const int32_t *at = work->at + first;
            int64_t active = narrow(net, work, e) == single ? work->count[s] : 0;
            for (int64_t i = 0; i < active; i++) *factor++ = z[at[i]] * g[at[i]];
        }
}

/* What came out for each column of layer k goes to g (n) and to the weights of the units below. */
INLINE void hand_down(const Net *net, const Place *place, const Work *work, int64_t k,
                      double *restrict g) {
    const double *h = place->h + k * net->n, *out = work->factor;
    if (net->v[k] >= 0)
        for (int64_t j = 0; j < net->n; j++) g[j] += h[j] * *out++;
    for (int single = 0; single < 2; single++)
        for (int64_t e = net->edge[k]; e < net->edge[k + 1]; e++) {
            int64_t s = net->source[e], first = net->units[s];
            const double *gates = place->gates + net->gate[e];
            const int32_t *at = work->at + first;
            int64_t active = narrow(net, work, e) == single ? work->count[s] : 0;
            for (int64_t i = 0; i < active; i++)
                work->weight[first + at[i]] += gates[at[i]] * *out++;
        }
}

/* The value at x (n), leaving the slopes for backward(). */
INLINE double evaluate(const Net *net, const Place *place, Work *work, const double *x) {
    int64_t n = net->n, all = net->units[net->layers], doubles = 0, count = 0;
    for (int64_t k = 0; k < net->layers; k++) {
        int64_t m = net->rows[k + 1] - net->rows[k];
        double *a = work->a + net->rows[k];
        list_columns(net, work, k, &doubles, &count);
        list_factors(net, place, work, k, x);
        memcpy(a, place->b + net->rows[k], (size_t)m * 8);
        add_columns(work, doubles, count, m, a);
        atom(net, k, a, work->z + net->units[k], work->slope + net->rows[k]);
        list_active(net, work, k);
    }
    work->doubles = doubles, work->all = count;
    double value = 0;
    for (int64_t j = 0; j < n; j++) value += place->c[j] * x[j];
    for (int64_t i = 0; i < all; i++) value += place->e[i] * work->z[i];
    return value;
}

/* A subgradient g (n) at the point last evaluated. */
INLINE void backward(const Net *net, const Place *place, const Work *work, double *restrict g) {
    int64_t doubles = work->doubles, count = work->all; /* of the last layer, still listed */
    memcpy(g, place->c, (size_t)net->n * 8);
    memcpy(work->weight, place->e, (size_t)net->units[net->layers] * 8);
    for (int64_t k = net->layers - 1; k >= 0; k--) {
        int64_t m = net->rows[k + 1] - net->rows[k], units = net->units[k + 1] - net->units[k];
        double *restrict u = work->slope + net->rows[k];
        const double *weight = work->weight + net->units[k];
        if (m == units)
            for (int64_t i = 0; i < m; i++) u[i] *= weight[i];
        else
            for (int64_t i = 0; i < m; i++) u[i] *= weight[i / (m / units)];
        if (k < net->layers - 1) list_columns(net, work, k, &doubles, &count);
        dot_columns(work, doubles, count, m, u);
        hand_down(net, place, work, k, g);
    }
}

#endif
