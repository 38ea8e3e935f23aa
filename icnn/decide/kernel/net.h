/* A network and one decision's place in it, as arrays, and the memory of one evaluation. */
#ifndef ICNN_NET_H
#define ICNN_NET_H

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

/* Doubles of whole cache lines: no vector then lies across two. */
INLINE int64_t lines_of(int64_t doubles) { return (doubles + 7) & ~(int64_t)7; }

static int64_t work_size(const Net *net) {
    int64_t R = net->rows[net->layers], U = net->units[net->layers];
    return 2 * lines_of(R) + 2 * lines_of(U) + 2 * lines_of(net->n + U) + lines_of(U) +
           lines_of(net->layers) + lines_of((R + LINE) / 2 + 1);
}

/* The arrays of one evaluation in so many doubles. */
static void work_in(Work *work, const Net *net, double *d) {
    int64_t R = net->rows[net->layers], U = net->units[net->layers];
    fast = FAST;
    wide = WIDE;
    work->coarse = 0;
    work->a = d, d += lines_of(R);
    work->slope = d, d += lines_of(R);
    work->z = d, d += lines_of(U);
    work->weight = d, d += lines_of(U);
    work->factor = d, d += lines_of(net->n + U);
    work->column = (const void **)d, d += lines_of(net->n + U);
    work->count = (int64_t *)d, d += lines_of(net->layers);
    work->at = (int32_t *)d, d += lines_of(U);
    work->narrow = (float *)d;
}

#endif
