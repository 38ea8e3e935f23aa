/* The next point to ask: between incumbent and vertex (in-out), then across the cuts of the basis
   that are above a level there, the highest first: a few steps of the relaxation method (Agmon 1954,
   Motzkin & Schoenberg 1954) instead of a projection on the level set. */
#ifndef ICNN_NEXT_H
#define ICNN_NEXT_H

#include "room.h"

#define STEP 0.4   /* from the incumbent towards the master's vertex, at first */
#define SHORT 0.1  /* the same where steps across cuts follow */
#define LONG 0.8   /* the same near the end, where the vertex is nearly right */
#define RISE 0.045 /* of it for each halving of the gap, */
#define FIRST 0.12 /* but for the first few of these */
#define LEVEL 0.2  /* of the gap, above the bound, */
#define SPREAD 2.0 /* or this over the number of columns, if that is more, */
#define HIGH 0.5   /* but not above this */
#define BEYOND 1.7 /* of the way to where a cut has the level; 2 would be its mirror image */
#define EACH 0.2   /* the same for each column, if that is less */

/* The cut of the basis that is highest above the level at x, and by how much; NONE above it. */
INLINE int64_t highest(const Model *model, const Master *master, const double *x, double level,
                       double *over) {
    int64_t ends = fours(model->n), found = NONE;
    *over = 0;
    for (int64_t i = 0; i < master->size; i++) {
        int64_t p = master->active[i];
        const double *g = normal_of(model, p);
        double above = -model->D[p] - level;
        for (int64_t j = 0; j < ends; j++) above += g[j] * x[j];
        if (above > *over) *over = above, found = p;
    }
    return found;
}

/* x crosses one cut after another, until those of the basis are at the level or below. */
INLINE void go_across(const Model *model, const Master *master, double level, int64_t steps,
                      double *restrict x) {
    int64_t ends = fours(model->n);
    double beyond = least(BEYOND, EACH * (double)model->n);
    for (int64_t k = 0; k < steps; k++) {
        double over;
        int64_t p = highest(model, master, x, level, &over);
        if (p == NONE) return;
        const double *restrict g = normal_of(model, p);
        double t = beyond * over * model->back[p];
        for (int64_t j = 0; j < ends; j++) x[j] = least(most(x[j] - t * g[j], -1), 1);
    }
}

/* How far to go from the incumbent, by the binary exponent of the gap. */
INLINE double step_at(double gap, double first) {
    int64_t bits;
    memcpy(&bits, &gap, 8);
    double exponent = (double)(bits >> 52) - 1022;
    return least(most(first, -RISE * exponent - FIRST), LONG);
}

/* The master's vertex, or a point that is likely to be better than the incumbent. A step across a
   cut may leave the rows. */
INLINE void next_point(Room *room, double value, int vertex, int64_t across) {
    const double *v = room->master.x;
    double *x = room->x, gap = value - v[room->model.n];
    int64_t n = room->model.n;
    for (int64_t j = 0; j < n; j++) x[j] = least(most(v[j], -1), 1);
    if (vertex || !(value < INFINITY)) return;
    double step = step_at(gap, across ? SHORT : STEP);
    for (int64_t j = 0; j < n; j++) x[j] = room->best[j] + step * (x[j] - room->best[j]);
    double level = v[n] + least(most(SPREAD / (double)n, LEVEL), HIGH) * gap;
    if (across) go_across(&room->model, &room->master, level, across, x);
}

#endif
