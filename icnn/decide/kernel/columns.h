/* Products with the columns of a matrix, of doubles or of floats; all sums are of doubles. Included
   once for each kind of processor, with VERSION(name), the attribute TARGET, the WIDTH of its
   vectors in doubles, and WIDEN(p) for so many floats as doubles. */

typedef double VERSION(Vector) __attribute__((vector_size(8 * WIDTH), aligned(8), may_alias));

#define LOAD(p) (*(const VERSION(Vector) *)(p))
#define NUMBER(p, i) (single ? (double)((const float *)(p))[i] : ((const double *)(p))[i])
#define SOME(p, i) (single ? WIDEN((const float *)(p) + (i)) : LOAD((const double *)(p) + (i)))

INLINE TARGET double VERSION(sum)(const VERSION(Vector) *v) {
    double total[WIDTH];
    memcpy(total, v, sizeof total);
#pragma GCC unroll 8
    for (int k = WIDTH / 2; k > 0; k /= 2)
        for (int i = 0; i < k; i++) total[i] += total[i + k];
    return total[0];
}

/* y[i] += sum of factor[k] column[k][i] for `vectors` vectors from i on, kept in registers. */
INLINE TARGET void VERSION(add_block)(const Work *work, int64_t first, int64_t last, int64_t i,
                                      double *y, const int vectors, const int single) {
    VERSION(Vector) total[8];
#pragma GCC unroll 8
    for (int v = 0; v < vectors; v++) total[v] = LOAD(y + i + WIDTH * v);
    for (int64_t k = first; k < last; k++) {
        const void *p = work->column[k];
        double f = work->factor[k];
#pragma GCC unroll 8
        for (int v = 0; v < vectors; v++) total[v] += f * SOME(p, i + WIDTH * v);
    }
#pragma GCC unroll 8
    for (int v = 0; v < vectors; v++) *(VERSION(Vector) *)(y + i + WIDTH * v) = total[v];
}

INLINE TARGET void VERSION(add_all)(const Work *work, int64_t first, int64_t last, int64_t m,
                                    double *y, const int single) {
    int64_t i = 0;
    for (; i + 8 * WIDTH <= m; i += 8 * WIDTH) VERSION(add_block)(work, first, last, i, y, 8, single);
    for (; i + 4 * WIDTH <= m; i += 4 * WIDTH) VERSION(add_block)(work, first, last, i, y, 4, single);
    for (; i + WIDTH <= m; i += WIDTH) VERSION(add_block)(work, first, last, i, y, 1, single);
    for (; i < m; i++)
        for (int64_t k = first; k < last; k++)
            y[i] += work->factor[k] * NUMBER(work->column[k], i);
}

/* y (m) += the columns from `first` to `last` times their factors */
static TARGET void VERSION(add)(const Work *work, int64_t first, int64_t last, int64_t m,
                                double *y, int single) {
    if (single) VERSION(add_all)(work, first, last, m, y, 1);
    else VERSION(add_all)(work, first, last, m, y, 0);
}

INLINE TARGET void VERSION(dot_all)(const Work *work, int64_t first, int64_t last, int64_t m,
                                    const double *u, const int single) {
    int64_t k = first;
    for (; k + 4 <= last; k += 4) {
        const void *const *column = work->column + k;
        VERSION(Vector) p[4] = {{0}}, q[4] = {{0}};
        double rest[4] = {0};
        int64_t i = 0;
        for (; i + 2 * WIDTH <= m; i += 2 * WIDTH) {
            VERSION(Vector) v = LOAD(u + i), w = LOAD(u + i + WIDTH);
#pragma GCC unroll 4
            for (int c = 0; c < 4; c++) {
                p[c] += v * SOME(column[c], i);
                q[c] += w * SOME(column[c], i + WIDTH);
            }
        }
        for (; i < m; i++)
            for (int c = 0; c < 4; c++) rest[c] += u[i] * NUMBER(column[c], i);
#pragma GCC unroll 4
        for (int c = 0; c < 4; c++) {
            p[c] += q[c];
            work->factor[k + c] = VERSION(sum)(&p[c]) + rest[c];
        }
    }
    for (; k < last; k++) {
        double total = 0;
        for (int64_t i = 0; i < m; i++) total += u[i] * NUMBER(work->column[k], i);
        work->factor[k] = total;
    }
}

/* factor[k] = column[k] . u (m) for the columns from `first` to `last` */
static TARGET void VERSION(dot)(const Work *work, int64_t first, int64_t last, int64_t m,
                                const double *u, int single) {
    if (single) VERSION(dot_all)(work, first, last, m, u, 1);
    else VERSION(dot_all)(work, first, last, m, u, 0);
}

#undef LOAD
#undef NUMBER
#undef SOME
