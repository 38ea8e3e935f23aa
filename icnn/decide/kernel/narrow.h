/* The same products in single precision throughout, twice to four times as fast: for cuts that a
   judge reads again. Included once for each kind of processor, with VERSION(name), TARGET and LANES.
   A column has LINE numbers or a multiple of it, zeros at the end. */

typedef float VERSION(Floats) __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

#define SOME(p, i) (*(const VERSION(Floats) *)((const float *)(p) + (i)))

/* y[i] += sum of factor[k] column[k][i] for `vectors` vectors from i on; RUN columns at a time are
   added up as floats, so that the rounding is that of short sums. */
INLINE TARGET void VERSION(narrow_block)(const Work *work, int64_t count, int64_t i, int64_t m,
                                         double *y, const int vectors) {
    VERSION(Floats) total[8];
    float out[8 * LANES];
    int64_t rows = m - i < vectors * LANES ? m - i : vectors * LANES;
    for (int64_t k = 0; k < count;) {
        int64_t last = k + RUN < count ? k + RUN : count;
#pragma GCC unroll 8
        for (int v = 0; v < vectors; v++) total[v] = (VERSION(Floats)){0};
        for (; k < last; k++) {
            const void *p = work->column[k];
            float f = (float)work->factor[k];
#pragma GCC unroll 8
            for (int v = 0; v < vectors; v++) total[v] += f * SOME(p, i + LANES * v);
        }
#pragma GCC unroll 8
        for (int v = 0; v < vectors; v++) *(VERSION(Floats) *)(out + LANES * v) = total[v];
        for (int64_t r = 0; r < rows; r++) y[i + r] += (double)out[r];
    }
}

static TARGET void VERSION(narrow_add)(const Work *work, int64_t count, int64_t m, double *y) {
    int64_t i = 0, end = line_of(m);
    for (; i + 8 * LANES <= end; i += 8 * LANES) VERSION(narrow_block)(work, count, i, m, y, 8);
    for (; i + 4 * LANES <= end; i += 4 * LANES) VERSION(narrow_block)(work, count, i, m, y, 4);
    for (; i + 2 * LANES <= end; i += 2 * LANES) VERSION(narrow_block)(work, count, i, m, y, 2);
    for (; i < end; i += LANES) VERSION(narrow_block)(work, count, i, m, y, 1);
}

/* The sums of eight vectors. */
INLINE TARGET void VERSION(sums)(const VERSION(Floats) *v, double *out) {
    __m256 h[8];
#pragma GCC unroll 8
    for (int c = 0; c < 8; c++)
#if LANES == 16
        h[c] = _mm256_add_ps(_mm512_castps512_ps256((__m512)v[c]),
                             _mm256_castpd_ps(_mm512_extractf64x4_pd((__m512d)v[c], 1)));
#else
        h[c] = (__m256)v[c];
#endif
    for (int c = 0; c < 8; c += 4) {
        __m256 four = _mm256_hadd_ps(_mm256_hadd_ps(h[c], h[c + 1]), _mm256_hadd_ps(h[c + 2], h[c + 3]));
        __m128 sum = _mm_add_ps(_mm256_castps256_ps128(four), _mm256_extractf128_ps(four, 1));
        _mm256_storeu_pd(out + c, _mm256_cvtps_pd(sum));
    }
}

/* factor[k] = column[k] . u (lines) */
static TARGET void VERSION(narrow_dot)(const Work *work, int64_t count, int64_t m, const float *u) {
    int64_t k = 0;
    for (; k + 8 <= count; k += 8) {
        const void *const *column = work->column + k;
        VERSION(Floats) p[8] = {{0}};
        for (int64_t i = 0; i < m; i += LANES) {
            VERSION(Floats) v = SOME(u, i);
#pragma GCC unroll 8
            for (int c = 0; c < 8; c++) p[c] += v * SOME(column[c], i);
        }
        VERSION(sums)(p, work->factor + k);
    }
    for (; k < count; k++) {
        VERSION(Floats) p = {0};
        double total = 0;
        for (int64_t i = 0; i < m; i += LANES) p += SOME(u, i) * SOME(work->column[k], i);
        for (int i = 0; i < LANES; i++) total += (double)p[i];
        work->factor[k] = total;
    }
}

#undef SOME
