/* The search where a part s of f is smooth: its second-order model at the best point goes into the
   master as it is, and only the rest is cut. For a quadratic s the model is exact; for another one
   this is Newton's method, damped where the model is too low. The bound is that of the tangent of
   s at the master's minimiser and of the cuts' multipliers, so that it holds for any model. */
#ifndef ICNN_NEWTON_H
#define ICNN_NEWTON_H

#include "search.h"

#define SHIFT 1e-3 /* of the Hessian, in ranges of f: flat directions must end somewhere */
#define SHARE 0.1  /* of the gap: where the shift costs the bound more, it falls */
#define FLAT 1e-9  /* to which it may fall */
#define PATIENCE 10 /* calls, and one for two columns, in which the gap must halve */
#define GOOD 1e-7  /* gap that is left alone when nothing moves any more */

/* The point where s was last modelled, and what is added to its Hessian. */
typedef struct {
    double value, s, damping, shift, floor, moved;
    int known;
} Centre;

/* Of the multipliers of all cuts. */
INLINE double total_of_cuts(const Room *room) {
    double total = 0;
    for (int64_t k = 0; k < room->quad.count; k++)
        if (room->quad.active[k] >= room->model.rows) total += room->quad.y[k + 1];
    return total;
}

/* The bound of the tangent of s at x and of the cuts; r (n): the slope of that minorant. */
INLINE double tangent_bound(const Room *room, double s, double *restrict r) {
    const Model *model = &room->model;
    const Quadratic *quad = &room->quad;
    int64_t n = model->n;
    double total = total_of_cuts(room), bound = s;
    for (int64_t j = 0; j < n; j++) {
        r[j] = room->curved.g[j];
        bound -= r[j] * room->x[j];
    }
    for (int64_t k = 0; k < quad->count; k++) {
        int64_t p = quad->active[k];
        double share = quad->y[k + 1] / total;
        if (p < 0) continue;
        for (int64_t j = 0; j < n; j++) r[j] += share * normal_of(model, p)[j];
        bound -= share * model->D[p];
    }
    for (int64_t j = 0; j < n; j++) bound -= fabs(r[j]);
    return bound;
}

/* Multipliers u (rows of the net) and y (rows of the set) behind that bound. */
static void tangent_proof(const Room *room, double *u, double *y, int64_t R) {
    const Model *model = &room->model;
    const Quadratic *quad = &room->quad;
    double total = total_of_cuts(room);
    memcpy(u, room->curved.u, (size_t)R * 8);
    for (int64_t i = 0; i < model->rows; i++) y[i] = 0;
    for (int64_t k = 0; k < quad->count; k++) {
        int64_t p = quad->active[k];
        double share = quad->y[k + 1] / total;
        if (p >= model->rows)
            for (int64_t i = 0; i < R; i++) u[i] += share * room->U[p * R + i];
        else if (p >= 0) y[p] += share;
    }
}

/* What the model of s says at x. */
INLINE double modelled(const Room *room, const Centre *centre) {
    int64_t n = room->model.n;
    double value = centre->s;
    for (int64_t i = 0; i < n; i++) {
        const double *line = room->curved.H + i * n;
        double d = room->x[i] - room->centre[i], total = 0;
        for (int64_t j = 0; j < i; j++) total += line[j] * (room->x[j] - room->centre[j]);
        value += d * (room->slope[i] + total + line[i] * d / 2);
    }
    return value;
}

/* Whether x is so much better that s is modelled there next; `changed`: the damping is another. */
INLINE int accepted(const Room *room, Centre *centre, double value, double s, double size,
                    int *changed) {
    double over = s - modelled(room, centre), ahead, apart = 0;
    ahead = centre->value - (s - over + room->quad.t);
    centre->moved = 0;
    for (int64_t j = 0; j < room->model.n; j++) {
        double d = room->x[j] - room->centre[j];
        centre->moved += fabs(d), apart += d * d;
    }
    int better = !(centre->value < INFINITY) || value <= centre->value - 0.05 * ahead;
    *changed = 1;
    if (over > 0.5 * most(ahead, 0) && over > 100 * size && apart > 0)
        centre->damping = most(4 * centre->damping, 2 * over / apart);
    else if (better && centre->damping > 0)
        centre->damping = centre->damping > SHIFT ? centre->damping / 8 : 0;
    else *changed = 0;
    return better;
}

/* Model s at x. */
INLINE void recentre(const Net *net, const Place *place, Room *room, Centre *centre, double value,
                     double s) {
    if (!centre->known || !room->curved.straight) hessian(net, place, &room->work, &room->curved);
    memcpy(room->centre, room->x, (size_t)net->n * 8);
    memcpy(room->slope, room->curved.g, (size_t)net->n * 8);
    centre->value = value;
    centre->s = s;
    centre->known = 1;
}

/* The active set under a new Hessian, or the last cut alone; 0 if it has no factor. */
INLINE int refactor(Room *room, const Centre *centre) {
    Quadratic *quad = &room->quad;
    if (!factor(quad, room->curved.H, room->model.n, centre->shift + centre->damping)) return 0;
    if (quad->count && renew(&room->model, quad)) return 1;
    quad->count = 1;
    quad->active[0] = room->model.count - 1;
    return renew(&room->model, quad);
}

/* The master's minimiser into x, after a change of the Hessian if so; 0 if it was not found. */
INLINE int ask(Room *room, Centre *centre, int changed, double gap, double size) {
    Model *model = &room->model;
    Quadratic *quad = &room->quad;
    double tolerance = most(100 * size, least(5e-10, 1e-3 * gap));
    if (centre->moved * centre->shift > SHARE * gap && centre->shift > centre->floor)
        centre->shift = most(0.01 * centre->shift, centre->floor), changed = 1;
    while ((changed && !refactor(room, centre)) ||
           !minimised(model, quad, room->centre, room->slope, tolerance)) {
        if (centre->shift >= SHIFT) return 0;
        centre->shift = centre->floor = least(100 * centre->shift, SHIFT);
        quad->count = 0, changed = 1;
    }
    for (int64_t j = 0; j < model->n; j++) room->x[j] = least(most(quad->x[j], -1), 1);
    for (int64_t k = 0; k < quad->count; k++)
        if (quad->active[k] >= 0) room->used[quad->active[k]] = room->clock;
    return 1;
}

/* Nothing is known yet: x is the best point of the search whose cuts were kept, or the middle. */
static void begin(Room *room, double *u, double *y, int64_t R) {
    int64_t n = room->model.n, warm = room->model.count > room->model.rows;
    room->quad.count = room->model.known = 0;
    room->work.coarse = 0;
    room->master.size = 0; /* of an earlier search */
    for (int64_t i = 0; i < R; i++) u[i] = 0;
    for (int64_t i = 0; i < room->model.rows; i++) y[i] = 0;
    for (int64_t j = 0; j < n; j++) room->x[j] = warm ? room->best[j] : 0;
}

/* f and s at x; the gradient and the multipliers that are left are those of the rest. */
INLINE double both_parts(const Net *net, const Place *place, Room *room, double *s) {
    int64_t n = net->n, R = net->rows[net->layers];
    double value = evaluate(net, place, &room->work, room->x);
    memcpy(room->curved.slope, room->work.slope, (size_t)R * 8);
    backward(net, place, &room->work, room->g);
    *s = smooth_part(net, place, &room->work, &room->curved);
    for (int64_t j = 0; j < n; j++) room->g[j] -= room->curved.g[j];
    for (int64_t i = 0; i < R; i++) room->work.slope[i] -= room->curved.u[i];
    return value;
}

/* From the best point of the last search on, or from the middle; the proof of the bound goes into
   u and y. STOPPED where cuts alone may do better. */
static CLONES Result newton(const Net *net, const Place *place, Room *room, const Options *options,
                     double *u, double *y) {
    Model *model = &room->model;
    int64_t n = net->n, R = net->rows[net->layers], late = 0, spare = model->capacity - model->count;
    Result result = {INFINITY, -INFINITY, STOPPED, 0};
    Centre centre = {INFINITY, 0, 0, SHIFT, FLAT, 0, 0};
    double deadline = deadline_in(options->seconds), mark = INFINITY, gap = INFINITY, s;
    begin(room, u, y, R);
    while (result.calls < least(options->calls, spare) && !is_past(deadline)) {
        double value = both_parts(net, place, room, &s), rest = value - s;
        double size = 1e-15 * most(1, most(fabs(value), fabs(s)));
        int good = feasible(model, room->x), better = 1, changed = 1, known = centre.known;
        result.calls++;
        room->clock++;
        if (good && value < result.value) {
            result.value = value;
            memcpy(room->best, room->x, (size_t)n * 8);
        }
        if (known) {
            double bound = tangent_bound(room, s, room->quad.z);
            if (bound > result.bound) tangent_proof(room, u, y, R), result.bound = bound;
            better = accepted(room, &centre, value, s, size, &changed);
            better = better && (good || !(centre.value < INFINITY));
        }
        gap = result.value - result.bound;
        if (gap <= options->tolerance) break;
        int cut = !known || rest - room->quad.t > size;
        if (cut) {
            memcpy(room->U + model->count * R, room->work.slope, (size_t)R * 8);
            add_cut(room, rest);
        }
        if (gap < 0.5 * mark) mark = gap, late = result.calls;
        if (!(better || changed || cut) || result.calls - late > PATIENCE + n / 2) break;
        if (better) {
            recentre(net, place, room, &centre, good ? value : INFINITY, s);
            changed |= !room->curved.straight;
        }
        if (!ask(room, &centre, changed, gap, size)) break;
    }
    if (gap <= options->tolerance) result.outcome = CLOSED;
    else if (gap <= GOOD && result.calls < options->calls) result.outcome = STALLED;
    return result;
}

/* One search, from the kept cuts of the one before; u and y are the multipliers of its bound. */
INLINE Result search_row(const Net *net, const Place *place, const Places *places, int64_t i,
                         Room *room, const Options *options, double *u, double *y) {
    int64_t n = net->n, R = net->rows[net->layers], rows = room->model.rows;
    const double *half = places->half + i * places->half_stride;
    Result result = {INFINITY, -INFINITY, STOPPED, 0};
    double deadline = deadline_in(options->seconds);
    int64_t curved = room->curved.any && plant(net, place, &room->curved);
    for (int64_t k = 0; k < rows; k++) {
        for (int64_t j = 0; j < n; j++) normal_of(&room->model, k)[j] = room->A[k * n + j] * half[j];
        spread_out(&room->model, k);
    }
    if (rows) memcpy(room->model.D, places->D + i * places->D_stride, (size_t)rows * 8);
    double moved = 0;
    for (int64_t j = 0; j < n; j++) moved += fabs(place->c[j] - room->price[j]);
    if (moved > NEW || curved != room->apart) room->model.count = rows;
    move_price(&room->model, room->price, place->c);
    memcpy(room->price, place->c, (size_t)n * 8);
    if (curved) result = newton(net, place, room, options, u, y);
    room->apart = curved;
    int stopped = curved && (result.calls >= options->calls || is_past(deadline));
    if (result.outcome == STOPPED && !stopped) {
        Options left = *options;
        if (curved) room->model.count = rows, room->apart = 0, left.seconds = deadline - now();
        result.bound = -INFINITY;
        result = search(net, place, room, &left, result);
        proof(room, u, y, R);
    }
    if (options->keep == 0 || result.outcome != CLOSED) room->model.count = rows;
    else thin_out(room, options->keep, R);
    return result;
}

#endif
