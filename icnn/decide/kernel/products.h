/* Products with listed columns, by the widest vectors that the processor has. */
#ifndef ICNN_PRODUCTS_H
#define ICNN_PRODUCTS_H

#include "net.h"

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

#endif
