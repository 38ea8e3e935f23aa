/* The largest of many numbers, and which multiplier reaches zero first: by vectors, as branches that
   nothing foresees cost more than the numbers. */
#ifndef ICNN_EXTREMES_H
#define ICNN_EXTREMES_H

#include "fours.h"

#define SMALL 1e-11 /* no pivot */
#define TIE 1e-14   /* between ratios */

INLINE double most(double a, double b) { return a > b ? a : b; }
INLINE double least(double a, double b) { return a < b ? a : b; }

#if AVX2
#define FOURS __attribute__((target("avx2,fma")))

FOURS INLINE double top_of(__m256d v) {
    __m128d pair = _mm_max_pd(_mm256_castpd256_pd128(v), _mm256_extractf128_pd(v, 1));
    return _mm_cvtsd_f64(_mm_max_pd(pair, _mm_unpackhi_pd(pair, pair)));
}

FOURS INLINE int reached(const double *v, __m256d top) {
    return _mm256_movemask_pd(_mm256_cmp_pd(_mm256_loadu_pd(v), top, _CMP_GE_OQ));
}

FOURS static int64_t first_to_zero_fast(const double *w, const double *y, int64_t all,
                                        double *ratio) {
    const __m256d none = _mm256_set1_pd(-INFINITY), zero = _mm256_setzero_pd();
    __m256d top = none;
    for (int64_t i = 0; i < all; i += 4) {
        __m256d v = _mm256_loadu_pd(w + i);
        __m256d q = _mm256_div_pd(_mm256_sub_pd(zero, _mm256_loadu_pd(y + i)), v);
        q = _mm256_blendv_pd(none, q, _mm256_cmp_pd(v, _mm256_set1_pd(SMALL), _CMP_GT_OQ));
        _mm256_storeu_pd(ratio + i, q);
        top = _mm256_max_pd(top, q);
    }
    double first = top_of(top), pivot = 0;
    int64_t r = -1;
    if (first == -INFINITY) return r;
    for (int64_t i = 0; i < all; i += 4)
        for (int set = reached(ratio + i, _mm256_set1_pd(first - TIE)); set; set &= set - 1) {
            int64_t k = i + __builtin_ctz((unsigned)set);
            if (w[k] > pivot) pivot = w[k], r = k;
        }
    return r;
}
#endif

/* Where the multiplier y is that reaches zero first along w (all of them, a multiple of 4), or -1; of
   those that tie, the one with the largest pivot. */
INLINE int64_t first_to_zero(const double *w, const double *y, int64_t all, double *ratio) {
#if AVX2
    if (fast) return first_to_zero_fast(w, y, all, ratio);
#endif
    double first = -INFINITY, pivot = 0;
    int64_t r = -1;
    for (int64_t i = 0; i < all; i++) {
        ratio[i] = w[i] > SMALL ? -y[i] / w[i] : -INFINITY;
        first = most(first, ratio[i]);
    }
    for (int64_t i = 0; i < all; i++)
        if (w[i] > pivot && ratio[i] >= first - TIE) pivot = w[i], r = i;
    return r;
}

/* The largest of v (count), in four chains. */
INLINE double largest(const double *v, int64_t count) {
    double a = -INFINITY, b = a, c = a, d = a;
    int64_t i = 0;
    for (; i + 4 <= count; i += 4) {
        a = most(a, v[i]), b = most(b, v[i + 1]);
        c = most(c, v[i + 2]), d = most(d, v[i + 3]);
    }
    for (; i < count; i++) a = most(a, v[i]);
    return most(most(a, b), most(c, d));
}

#endif
