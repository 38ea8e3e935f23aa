/* Value and certified bound of many answers: the formulas of certificate.py, for atoms of one or
   two pieces through the origin. Sums may come in any order: their error bounds hold for all. */
#ifndef ICNN_JUDGE_H
#define ICNN_JUDGE_H

#include <float.h>
#include <stdlib.h>

#include "oracle.h"

#define ROUNDOFF (DBL_EPSILON / 2)

/* What is judged: f(x) + price.x over a box and rows, in the user's units. */
typedef struct {
    const double *x;            /* (B, n) */
    const double *u;            /* (B, rows of the net) multipliers, in units of `scale` */
    const double *scale;        /* (B) */
    const double *y;            /* (B, m) multipliers of the rows */
    const double *A;            /* (m, n) */
    const double *lower, *upper; /* (B, m) sides */
    const double *low, *high;   /* (B, n) finite ends */
    const double *size;         /* (B, n) sum of the absolute parts of the output's slope c */
    const double *constant;     /* (B) output bias */
    int64_t m, side_stride, end_stride, size_stride, scale_stride, constant_stride;
    double *value, *bound, *slope; /* (B), (B), (B, n) */
} Case;

static double gamma_of(double terms) { return terms * ROUNDOFF / (1 - terms * ROUNDOFF); }

/* out[j] += h[j] * sum_i u[i] M[i, j], and bound[j] += |h[j]| * sum_i w[i] |M[i, j]| */
INLINE void through(const double *M, int64_t m, int64_t n, const double *h, const double *u,
                    const double *w, double *restrict out, double *restrict bound) {
    for (int64_t j = 0; j < n; j++) {
        const double *column = M + j * m;
        double total = 0, most = 0;
        for (int64_t i = 0; i < m; i++) {
            total += u[i] * column[i];
            most += w[i] * fabs(column[i]);
        }
        out[j] += h[j] * total;
        bound[j] += fabs(h[j]) * most;
    }
}

/* Memory of a judge; what follows it may be used for other things. */
typedef struct {
    double *room;
    Work work;
} Judge;

static Judge judge_with(const Net *net, int64_t more, double **rest) {
    int64_t n = net->n, R = net->rows[net->layers], U = net->units[net->layers];
    int64_t own = n + 3 * R + 2 * U, size = work_size(net);
    Judge judge = {malloc((size_t)(own + size + more) * 8), {0}};
    if (!judge.room) return judge;
    work_in(&judge.work, net, judge.room + own);
    *rest = judge.room + own + size;
    return judge;
}

static Judge judge_new(const Net *net) {
    double *rest;
    return judge_with(net, 0, &rest);
}

/* An affine minorant r.x + c of f (without its bias): c and its error; memory for 2 units, 3 rows
   comes with `room`. */
INLINE long double minorant(const Net *net, const Place *place, const Work *work,
                            const double *u_given, double scale, double g, double *room,
                            double *restrict r, double *restrict error, double *error_c) {
    int64_t n = net->n, R = net->rows[net->layers], U = net->units[net->layers];
    double *lam = room, *slack = lam + U, *u = slack + U, *spill = u + R, *weight = spill + R;
    long double c = 0, size = 0;
    double loss = 0;
    for (int64_t i = 0; i < U; i++) lam[i] = place->e[i], slack[i] = 0;
    for (int64_t k = net->layers - 1; k >= 0; k--) {
        int64_t first = net->rows[k], m = net->rows[k + 1] - first, fan = 1;
        const double *p = net->pieces + 2 * net->piece[k], *b = place->b + first;
        double s0 = p[0], s1 = p[2], lip = fmax(fabs(s0), fabs(s1));
        int passed = !(s0 <= 0 && s1 >= 0), spills = 0;
        for (int64_t a = k + 1; a < net->layers; a++)
            for (int64_t e = net->edge[a]; e < net->edge[a + 1]; e++)
                if (net->source[e] == k) fan += net->rows[a + 1] - net->rows[a] + 1;
        double t = gamma_of((double)fan + 8);
        for (int64_t i = 0; i < m; i++) {
            double l = lam[net->units[k] + i], wanted = u_given[first + i] * scale, loose = 0;
            if (s0 == s1) {
                u[i] = l * (1 - t) * s0;
                loose = 2 * t * l * fabs(s0);
            } else {
                double low = l * s0 * (1 + (s0 > 0 ? t : s0 < 0 ? -t : 0));
                double high = l * s1 * (1 - (s1 > 0 ? t : s1 < 0 ? -t : 0));
                wanted = isfinite(wanted) ? wanted : 0;
                u[i] = wanted < low ? low : wanted > high ? high : wanted;
            }
            spill[i] = loose + (passed ? lip * slack[net->units[k] + i] : 0);
            spills |= spill[i] != 0;
            weight[i] = g * fabs(u[i]) + spill[i];
            c += (long double)u[i] * b[i];
            size += fabs(u[i] * b[i]);
            loss += (2 * ROUNDOFF * fabs(u[i]) + spill[i]) * fabs(b[i]);
        }
        if (net->v[k] >= 0)
            through(net->V + net->v[k], m, n, place->h + k * n, u, weight, r, error);
        for (int64_t e = net->edge[k]; e < net->edge[k + 1]; e++) {
            int64_t source = net->units[net->source[e]];
            int64_t units = net->units[net->source[e] + 1] - source;
            const double *gate = place->gates + net->gate[e];
            int single = net->w[e] < 0;
            for (int64_t j = 0; j < units; j++)
                work->column[j] = single ? (const void *)(net->S + net->s[e] + j * line_of(m))
                                         : net->W + net->w[e] + j * m;
            dot_columns(work, single ? 0 : units, units, m, u);
            for (int64_t j = 0; j < units; j++) lam[source + j] += gate[j] * work->factor[j];
            if (!spills) continue;
            dot_columns(work, single ? 0 : units, units, m, spill);
            for (int64_t j = 0; j < units; j++) slack[source + j] += gate[j] * work->factor[j];
        }
    }
    *error_c = loss + (double)(2 * (long double)(R + 1) * LDBL_EPSILON * size);
    return c;
}

/* The bound of one case, and the slope of the minorant that gives it. */
INLINE double bound_of(const Net *net, const Place *place, const Case *a, int64_t k,
                       const Judge *judge, double *restrict r) {
    int64_t n = net->n, R = net->rows[net->layers], m = a->m;
    double terms = 24 + (double)(R + net->units[net->layers] + n + m + 3 * net->layers);
    double g = gamma_of(terms), *room = judge->room, *error = room, error_c, worst = 0;
    const double *low = a->low + k * a->end_stride, *high = a->high + k * a->end_stride;
    const double *size = a->size + k * a->size_stride;
    for (int64_t j = 0; j < n; j++) r[j] = place->c[j], error[j] = g * size[j];
    long double c = minorant(net, place, &judge->work, a->u + k * R, a->scale[k * a->scale_stride], g,
                             room + n, r, error, &error_c);
    long double sum = c, sizes = fabsl(c);
    for (int64_t i = 0; i < m; i++) {
        double y = a->y[k * m + i], side;
        side = y > 0 ? a->lower[k * a->side_stride + i] : a->upper[k * a->side_stride + i];
        if (!isfinite(y) || !isfinite(side) || y == 0) continue;
        for (int64_t j = 0; j < n; j++) {
            r[j] -= y * a->A[i * n + j];
            error[j] += g * fabs(y * a->A[i * n + j]);
        }
        sum += (long double)y * side;
        sizes += fabs(y * side);
        error_c += 2 * ROUNDOFF * fabs(y * side);
    }
    for (int64_t j = 0; j < n; j++) {
        double end = r[j] > 0 ? r[j] * low[j] : r[j] * high[j];
        if (r[j] == 0) end = 0;
        error[j] += (4 + 2 * (double)m) * ROUNDOFF * fabs(r[j]);
        if (error[j] > 0) worst += error[j] * fmax(fabs(low[j]), fabs(high[j]));
        sum += end;
        sizes += fabs(end);
    }
    double constant = a->constant[k * a->constant_stride];
    double total = (double)sum, slip = error_c + worst;
    slip += (double)(sizes * (2 * (long double)(n + m + 2) * LDBL_EPSILON)) + 2 * ROUNDOFF * (double)sizes;
    slip = slip * (1 + 1e-9) + 4 * ROUNDOFF * (fabs(constant) + fabs(total));
    double bound = constant + total - slip;
    return bound == bound ? bound : -INFINITY;
}

#endif
