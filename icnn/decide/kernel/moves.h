/* A problem in another box, or with other sides of its rows: what price.h keeps from price to price
   is made anew in place, and kept cuts go along. Its weights must hold in that box. */
#ifndef ICNN_MOVES_H
#define ICNN_MOVES_H

#include "price.h"

#define SMALLEST 1e-290 /* unit of f, as in flat.py */
/* Of half-widths, on average, or of the half-range of a row over the box: kept cuts then cost more
   than they save. */
#define FAR 0.1

typedef struct {
    const double *lower, *upper; /* (n) the box */
    const double *low, *high;    /* (n) its finite ends: its own, or those that rows imply */
    const double *below, *above; /* (m) sides of the rows */
} Ends;

/* One after the other in memory. */
static Ends ends_at(const double *to, int64_t n, int64_t m) {
    return (Ends){to, to + n, to + 2 * n, to + 3 * n, to + 4 * n, to + 4 * n + m};
}

/* Memory that Python lends is not constant here. */
INLINE double *lent(const double *a) { return (double *)a; }

/* Whether the box is finite, and every finite side of a row has its line in the set. */
static int known_ends(const Pricing *p, const Ends *to) {
    for (int64_t j = 0; j < p->net->n; j++)
        if (!(to->low[j] <= to->high[j] && isfinite(to->low[j]) && isfinite(to->high[j]))) return 0;
    for (int64_t i = 0; i < p->judged->m; i++) {
        int64_t lines = !!isfinite(to->below[i]) + !!isfinite(to->above[i]);
        for (int64_t k = 0; k < p->sides; k++)
            lines -= p->row[k] == i && isfinite((p->sign[k] > 0 ? to->above : to->below)[i]);
        if (lines > 0) return 0;
    }
    return 1;
}

INLINE double middle(double low, double high, double *half) {
    double centre = low + (high - low) / 2;
    *half = (high - low) / 2 <= 1e-10 * fabs(centre) ? 0 : (high - low) / 2;
    return centre;
}

/* Where the search may go in column j: a little beyond ends that only rows imply, so that the row
   itself gets the multiplier. */
INLINE void search_ends(const Ends *to, int64_t j, double *low, double *high) {
    double size = 1e-3 * most(fabs(to->low[j]), fabs(to->high[j]));
    double beyond = most((to->high[j] - to->low[j]) / 16, size > 0 ? size : 1);
    *low = to->low[j], *high = to->high[j];
    if (!(*low > to->lower[j] || *high < to->upper[j])) return;
    *low = most(to->lower[j], *low - beyond);
    *high = least(to->upper[j], *high + beyond);
}

/* The larger of what ends and sides move by, as FAR counts it. */
static double distance(const Pricing *p, const Ends *to) {
    int64_t n = p->net->n;
    double total = 0, side = 0;
    for (int64_t j = 0; j < n; j++) {
        double low, high, half;
        search_ends(to, j, &low, &high);
        double centre = middle(low, high, &half), old = p->half[j];
        if (centre == p->centre[j] && half == old) continue;
        total += old > 0 ? (fabs(centre - p->centre[j]) + fabs(half - old)) / old : INFINITY;
    }
    for (int64_t k = 0; k < p->sides; k++) {
        int64_t i = p->row[k], up = p->sign[k] > 0;
        double from = (up ? p->judged->upper : p->judged->lower)[i], range = 0;
        double end = (up ? to->above : to->below)[i];
        for (int64_t j = 0; j < n; j++) range += fabs(p->judged->A[i * n + j]) * p->half[j];
        if (end != from) side = most(side, range > 0 ? fabs(end - from) / range : INFINITY);
    }
    return most(total / (double)n, side);
}

/* The unit of f in the new box: its range over the samples there. */
static double unit_in(const Pricing *p, const Ends *to, Judge *judge) {
    Place own = place_of(p->own, 0);
    int64_t n = p->net->n;
    double top = -INFINITY, least = INFINITY;
    for (int64_t s = 0; s < p->count; s++) {
        double *x = lent(p->points) + s * n, half;
        for (int64_t j = 0; j < n; j++) {
            x[j] = middle(to->low[j], to->high[j], &half);
            x[j] += half * p->steps[s * n + j];
        }
        double value = evaluate(p->net, &own, &judge->work, x) + p->judged->constant[0];
        lent(p->samples)[s] = value;
        top = value > top ? value : top;
        least = value < least ? value : least;
    }
    return most(spread_of(top, least), SMALLEST);
}

/* Kept cuts, prices and point, where column j is centre + half t for another centre and half: the
   value of the search leaves out the prices' part of the centre. */
static void carry(Room *room, int64_t j, double shift, double ratio) {
    Model *model = &room->model;
    for (int64_t i = model->rows; i < model->count; i++) {
        double *g = normal_of(model, i) + j;
        model->D[i] -= (*g - room->price[j]) * shift;
        *g *= ratio;
    }
    room->price[j] *= ratio;
    room->best[j] = ratio > 0 ? least(most((room->best[j] - shift) / ratio, -1), 1) : 0;
}

/* Kept cuts and prices where f counts `share` times as much. */
static void recount(Room *room, double share, int64_t R) {
    Model *model = &room->model;
    int64_t n = model->n, first = model->rows, cuts = model->count - first;
    for (int64_t i = first; i < model->count; i++) model->D[i] *= share;
    for (double *g = normal_of(model, first); g < normal_of(model, model->count); g++) *g *= share;
    for (int64_t i = first * R; i < (first + cuts) * R; i++) room->U[i] *= share;
    for (int64_t i = first; i < model->count; i++) spread_out(model, i);
    for (int64_t j = 0; j < n; j++) room->price[j] *= share;
}

/* Columns in the new box, and what the oracle reads there. */
static void put_columns(const Pricing *p, const Ends *to, double unit) {
    const Net *net = p->net;
    int64_t n = net->n, R = net->rows[net->layers], U = net->units[net->layers];
    const Places *own = p->own, *search = p->search;
    for (int64_t j = 0; j < n; j++) {
        double *half = lent(p->half) + j, *centre = lent(p->centre) + j, old = *half, from = *centre;
        search_ends(to, j, lent(p->low) + j, lent(p->high) + j);
        *centre = middle(p->low[j], p->high[j], half);
        middle(to->low[j], to->high[j], lent(p->reach) + j);
        if (old > 0) carry(p->room, j, (*centre - from) / old, *half / old);
        lent(search->half)[j] = *half;
        lent(p->to_search)[j] = *half / unit;
        for (int64_t k = 0; k < net->layers; k++)
            lent(search->h)[k * n + j] = own->h[k * n + j] * *half;
    }
    recount(p->room, p->judged->scale[0] / unit, R);
    lent(p->judged->scale)[0] = unit;
    memcpy(lent(search->b), own->b, (size_t)R * 8);
    for (int64_t k = 0; k < net->layers; k++) {
        int64_t first = net->rows[k], m = net->rows[k + 1] - first;
        double *b = lent(search->b) + first;
        for (int64_t j = 0; net->v[k] >= 0 && j < n; j++)
            for (int64_t i = 0; i < m; i++)
                b[i] += net->V[net->v[k] + j * m + i] * own->h[k * n + j] * p->centre[j];
    }
    for (int64_t i = 0; i < U; i++) lent(search->e)[i] = own->e[i] / unit;
}

/* The rows with the new sides around the centre. */
static void put_sides(const Pricing *p, const Ends *to) {
    const Case *judged = p->judged;
    int64_t n = p->net->n;
    for (int64_t k = 0; k < p->sides; k++) {
        const double *a = judged->A + p->row[k] * n;
        double at = 0, end = p->sign[k] > 0 ? to->above[p->row[k]] : -to->below[p->row[k]];
        for (int64_t j = 0; j < n; j++) at += a[j] * p->centre[j];
        lent(p->search->D)[k] = (end - p->sign[k] * at) / p->size[k];
    }
    memcpy(lent(judged->lower), to->below, (size_t)judged->m * 8);
    memcpy(lent(judged->upper), to->above, (size_t)judged->m * 8);
}

static int differs(const double *a, const double *b, int64_t n) {
    return memcmp(a, b, (size_t)n * 8) != 0;
}

/* 1: the problem has these ends now; 0: they need other rows of the set, or are no box; -1: there
   is no memory. */
static int64_t move_ends(const Pricing *p, const double *given) {
    int64_t n = p->net->n;
    Ends to = ends_at(given, n, p->judged->m);
    if (!known_ends(p, &to)) return 0;
    if (p->room->apart || distance(p, &to) > FAR) p->room->model.count = p->room->model.rows;
    if (differs(p->lower, to.lower, n) || differs(p->upper, to.upper, n) ||
        differs(p->judged->low, to.low, n) || differs(p->judged->high, to.high, n)) {
        Judge judge = judge_new(p->net);
        if (!judge.room) return -1;
        put_columns(p, &to, unit_in(p, &to, &judge));
        free(judge.room);
        memcpy(lent(p->lower), to.lower, (size_t)n * 8);
        memcpy(lent(p->upper), to.upper, (size_t)n * 8);
        memcpy(lent(p->judged->low), to.low, (size_t)n * 8);
        memcpy(lent(p->judged->high), to.high, (size_t)n * 8);
    }
    put_sides(p, &to);
    return 1;
}

#endif
