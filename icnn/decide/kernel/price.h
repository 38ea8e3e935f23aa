/* Prices: a search and its judge in one go, for a problem of which only c in c.x changes, or what
   moves.h moves. */
#ifndef ICNN_PRICE_H
#define ICNN_PRICE_H

#include "judge.h"
#include "newton.h"

#define PROVED 1e-6 /* of the range of f, as in decision.py */
#define LARGEST 1e200 /* price, as in network.py */

/* What stays the same from price to price. */
typedef struct {
    const Net *net;
    Room *room;
    const Places *search, *own;   /* of one row, in the units of the search and of the user */
    const Case *judged;           /* of one row; x, u, y, size and the results are not read */
    const double *to_search;      /* (n) from the user's prices to those of the search */
    const double *centre, *half;  /* (n) of the box of the search */
    const double *low, *high;     /* (n) its ends */
    const double *lower, *upper;  /* (n) the box */
    const double *reach;          /* (n) half-widths of the finite box */
    const int64_t *row;           /* (sides) which row of the set */
    const double *sign, *size;    /* (sides) which side of it, how large */
    const double *points;         /* (samples, n) where f is looked at for its range */
    const double *samples;        /* (samples) its values there */
    const double *steps;          /* (samples, n) the points in half-widths around the centre */
    int64_t sides, count;         /* of samples */
    double near;                  /* of a half-width: at an end */
} Pricing;

/* Of each price, in the user's units; multipliers of rows (m), lower and upper ends (n); the slope
   (n) of the minorant that gives the bound. */
typedef struct {
    double *value, *bound, *violation, *scale, *x, *rows, *lower, *upper, *slope;
    int64_t *outcome;
} Priced;

typedef struct {
    Judge judge;
    double *c, *size, *u, *y;
} Scratch;

static Scratch scratch_new(const Pricing *p) {
    int64_t n = p->net->n, R = p->net->rows[p->net->layers];
    Scratch s;
    double *d = NULL;
    s.judge = judge_with(p->net, 2 * n + R + p->sides, &d);
    if (s.judge.room) s.c = d, s.size = d + n, s.u = d + 2 * n, s.y = s.u + R;
    return s;
}

/* The decision in the user's units, inside its box. */
INLINE void place_back(const Pricing *p, const double *t, double *x) {
    for (int64_t j = 0; j < p->net->n; j++) {
        double v = t[j] <= -1 ? p->low[j] : t[j] >= 1 ? p->high[j] : p->centre[j] + p->half[j] * t[j];
        v = v < p->lower[j] ? p->lower[j] : v;
        x[j] = v > p->upper[j] ? p->upper[j] : v;
    }
}

/* What a miss of column j is measured by. */
INLINE double size_of(const Pricing *p, const double *x, int64_t j) {
    return p->reach[j] > 0 ? p->reach[j] : fabs(x[j]) > 1e-300 ? fabs(x[j]) : 1e-300;
}

/* The largest miss of a bound or row, relative to the size of what is missed. */
INLINE double violation_of(const Pricing *p, const double *x) {
    int64_t n = p->net->n;
    const Case *a = p->judged;
    double worst = 0;
    for (int64_t j = 0; j < n; j++) {
        double below = p->lower[j] - x[j], above = x[j] - p->upper[j];
        double miss = (below > above ? below : above) / size_of(p, x, j);
        if (x[j] != x[j]) return INFINITY;
        worst = miss > worst ? miss : worst;
    }
    for (int64_t i = 0; i < a->m; i++) {
        double at = 0, weight = 0;
        for (int64_t j = 0; j < n; j++) {
            at += a->A[i * n + j] * x[j];
            weight += fabs(a->A[i * n + j]) * size_of(p, x, j);
        }
        double below = a->lower[i] - at, above = at - a->upper[i];
        double miss = (below > above ? below : above) / (weight > 0 ? weight : 1);
        worst = miss > worst ? miss : worst;
    }
    return worst;
}

/* The range between two values; their size where f is constant. */
INLINE double spread_of(double top, double least) {
    double size = fabs(top) > fabs(least) ? fabs(top) : fabs(least);
    return top - least > 1e-12 * size ? top - least : size > 0 ? size : 1;
}

/* The range of f + price.x over the samples and the value found. */
INLINE double range_of(const Pricing *p, const double *price, double value) {
    double top = -INFINITY, least = INFINITY;
    for (int64_t s = 0; s < p->count; s++) {
        double v = p->samples[s];
        for (int64_t j = 0; j < p->net->n; j++) v += p->points[s * p->net->n + j] * price[j];
        top = v > top ? v : top;
        least = v < least ? v : least;
    }
    double spread = spread_of(top, least);
    return top - value > spread ? top - value : spread;
}

/* The slope that is left where x is at an end. */
INLINE void end_multipliers(const Pricing *p, const double *x, const double *slope, double *lower,
                            double *upper) {
    for (int64_t j = 0; j < p->net->n; j++) {
        double near = p->reach[j] > 0 ? p->near * p->reach[j] : 1e-9 * fabs(x[j]);
        lower[j] = x[j] - near <= p->lower[j] && slope[j] > 0 ? slope[j] : 0;
        upper[j] = x[j] + near >= p->upper[j] && slope[j] < 0 ? slope[j] : 0;
    }
}

/* One search of the i-th row, the way back to the user's units, and what the judge says. */
INLINE void attempt(const Pricing *p, const double *price, const Options *options, Scratch *s,
                   const Priced *out, int64_t i) {
    int64_t n = p->net->n, m = p->judged->m;
    Place place = place_of(p->search, 0), own = place_of(p->own, 0);
    for (int64_t j = 0; j < n; j++) s->c[j] = (own.c[j] + price[j]) * p->to_search[j];
    place.c = s->c;
    Result result = search_row(p->net, &place, p->search, 0, p->room, options, s->u, s->y);
    out->outcome[i] = result.outcome;
    double *x = out->x + i * n, *rows = out->rows + i * m, *slope = out->slope + i * n;
    place_back(p, p->room->best, x);
    for (int64_t k = 0; k < m; k++) rows[k] = 0;
    for (int64_t k = 0; k < p->sides; k++)
        rows[p->row[k]] -= p->sign[k] * s->y[k] / p->size[k] * p->judged->scale[0];
    for (int64_t j = 0; j < n; j++) {
        s->c[j] = own.c[j] + price[j];
        s->size[j] = p->judged->size[j] + fabs(price[j]);
    }
    own.c = s->c;
    Case judged = *p->judged;
    judged.u = s->u, judged.y = rows, judged.size = s->size;
    out->value[i] = evaluate(p->net, &own, &s->judge.work, x) + judged.constant[0];
    out->bound[i] = bound_of(p->net, &own, &judged, 0, &s->judge, slope);
    out->violation[i] = violation_of(p, x);
    out->scale[i] = range_of(p, price, out->value[i]);
    end_multipliers(p, x, slope, out->lower + i * n, out->upper + i * n);
}

/* The i-th row; once more with exact cuts where coarse ones did not prove it, and no limit
   ended it. */
INLINE void priced(const Pricing *p, const double *price, const Options *options, Scratch *s,
                   const Priced *out, int64_t i) {
    Options own = *options;
    for (;;) {
        attempt(p, price, &own, s, out, i);
        double gap = out->value[i] - out->bound[i];
        if (!own.coarse || gap <= PROVED * out->scale[i] || out->outcome[i] == STOPPED) return;
        own.coarse = 0;
        p->room->model.count = p->room->model.rows;
    }
}

/* A row whose price is not finite, or too large. */
static void unread(const Priced *out, int64_t i, int64_t n, int64_t m) {
    out->value[i] = out->violation[i] = INFINITY;
    out->bound[i] = -INFINITY;
    out->scale[i] = 1;
    out->outcome[i] = STALLED;
    for (int64_t j = 0; j < n; j++) {
        out->x[i * n + j] = NAN;
        out->lower[i * n + j] = out->upper[i * n + j] = out->slope[i * n + j] = 0;
    }
    for (int64_t k = 0; k < m; k++) out->rows[i * m + k] = 0;
}

#endif
