/* Value and subgradient of a network at a point, touching only the units that are active. */
#ifndef ICNN_ORACLE_H
#define ICNN_ORACLE_H

#include "atoms.h"
#include "fours.h"
#include "products.h"

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
    return value + dot(place->e, work->z, all);
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
