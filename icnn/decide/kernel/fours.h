/* Four numbers at a time in registers: a sum that waits in memory for its next term takes twice as
   long, and a vector that was written number by number is not there when it is read. */
#ifndef ICNN_FOURS_H
#define ICNN_FOURS_H

#include "net.h"

typedef double Four __attribute__((vector_size(32), aligned(8), may_alias));
#define FOUR(p) (*(Four *)(p))

/* Up to a multiple of 4: whole vectors. */
INLINE int64_t fours(int64_t count) { return (count + 3) & ~(int64_t)3; }

/* a . b in four chains. */
INLINE double dot(const double *a, const double *b, int64_t count) {
    Four total[4] = {{0}};
    double rest = 0;
    int64_t i = 0;
    for (; i + 16 <= count; i += 16)
        for (int v = 0; v < 4; v++) total[v] += FOUR(a + i + 4 * v) * FOUR(b + i + 4 * v);
    for (; i < count; i++) rest += a[i] * b[i];
    total[0] += total[1] + (total[2] + total[3]);
    return rest + (total[0][0] + total[0][1]) + (total[0][2] + total[0][3]);
}

#endif
