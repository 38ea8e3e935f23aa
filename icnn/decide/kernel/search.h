/* The search: cuts from the oracle, a lower bound from the master, and the next point. The function
   is scaled so that its box is [-1, 1] and its range near 1. */
#ifndef ICNN_SEARCH_H
#define ICNN_SEARCH_H

#include <time.h>

#include "next.h"

#define NEW 0.1 /* of the range of f, over half the box: prices that old cuts only burden */
#define STREAK 2 /* better points in a row, as on the way to a corner of the box */
#define LATE 2 /* calls for each column, after which a search must be one amid many kinks */
#define FEASIBLE 1e-9 /* miss of a row at which a point may still be the incumbent */
/* Of the range of f. Single precision is used where its measured error is at most 3e-7 (ROUGH in
   solvers/bundle.py): value and bound are wrong by so much, so that a gap of COARSE is one of 1e-6;
   a cut may be wrong by as much again in its slopes. */
#define COARSE 5e-7
#define ROUNDING 1e-6 /* by how much such cuts may be too high */
enum { CLOSED, STOPPED, STALLED, INFEASIBLE };

typedef struct {
    double tolerance; /* of the gap */
    int64_t calls;    /* of the oracle at most */
    int64_t keep;     /* cuts that are kept for the next search */
    double seconds;
    int64_t coarse; /* single precision, as far as it goes: a judge must follow */
    int64_t across; /* steps across cuts on the way to the next point, where there are no rows */
} Options;

typedef struct {
    double value, bound;
    int64_t outcome, calls;
} Result;

/* The cut at x of which g and value are known; its multipliers are put into U by who asked. */
INLINE void add_cut(Room *room, double value) {
    Model *model = &room->model;
    int64_t p = model->count++;
    double side = -value;
    for (int64_t j = 0; j < model->n; j++) side += room->g[j] * room->x[j];
    for (int64_t j = 0; j < model->ends; j += 4) FOUR(normal_of(model, p) + j) = FOUR(room->g + j);
    spread_out(model, p);
    model->D[p] = side;
    room->used[p] = room->clock;
}

/* The value at x, and the cut there. */
INLINE double cut_at_x(const Net *net, const Place *place, Room *room, int64_t R) {
    double *slope = room->work.slope;
    room->work.slope = room->U + room->model.count * R;
    double value = evaluate(net, place, &room->work, room->x);
    backward(net, place, &room->work, room->g);
    room->work.slope = slope;
    add_cut(room, value);
    return value;
}

/* The largest cut at x. */
INLINE double predicted(const Model *model, const double *x) {
    double top = -INFINITY;
    scan(model, x, model->ahead);
    for (int64_t i = model->rows; i < model->count; i++) top = most(top, model->ahead[i]);
    return top;
}

INLINE int feasible(const Model *model, const double *x) {
    for (int64_t i = 0; i < model->rows; i++) {
        double miss = -model->D[i];
        for (int64_t j = 0; j < model->n; j++) miss += normal_of(model, i)[j] * x[j];
        if (miss > FEASIBLE) return 0;
    }
    return 1;
}

/* Multipliers u (rows of the net) and y (rows of the set) behind the master's bound. */
static void proof(const Room *room, double *u, double *y, int64_t R) {
    const Model *model = &room->model;
    const Master *master = &room->master;
    const double *shares = master->y + master->ends;
    double total = 0;
    for (int64_t k = 0; k < R; k++) u[k] = 0;
    for (int64_t i = 0; i < model->rows; i++) y[i] = 0;
    for (int64_t i = 0; i < master->size; i++)
        if (master->active[i] >= model->rows) total += shares[i];
    for (int64_t i = 0; i < master->size && total > 0; i++) {
        int64_t p = master->active[i];
        double share = shares[i] / total;
        if (p >= model->rows && share > 0)
            for (int64_t k = 0; k < R; k++) u[k] += share * room->U[p * R + k];
        else if (p < model->rows)
            y[p] += share;
    }
}

static double now(void) {
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* A small search takes as long as fifty looks at the clock: none where there is no limit. */
static double deadline_in(double seconds) { return seconds < 1e9 ? now() + seconds : INFINITY; }
static int is_past(double deadline) { return deadline < INFINITY && now() > deadline; }

/* From here on exactly: what was found in single precision holds but for its rounding. */
INLINE void sharpen(Room *room, Result *result) {
    Model *model = &room->model;
    room->work.coarse = 0;
    for (int64_t p = model->rows; p < model->count; p++) model->D[p] += ROUNDING;
    room->master.x[model->n] -= ROUNDING;
    result->bound -= ROUNDING;
    result->value += ROUNDING; /* asked exactly in the next call */
    model->known = 0;
    memcpy(room->x, room->best, (size_t)model->n * 8);
}

/* The cuts alone, after what was found by other means. */
INLINE Result search(const Net *net, const Place *place, Room *room, const Options *options,
                     Result result) {
    Model *model = &room->model;
    Master *master = &room->master;
    int64_t n = model->n, R = net->rows[net->layers], exact = 0;
    int64_t across = model->rows ? 0 : options->across;
    int64_t better = 0; /* points in a row that were better than all before */
    double deadline = deadline_in(options->seconds);
    int warm = model->count > model->rows; /* cuts of an earlier search, and where it ended */
    int known = warm || result.value < INFINITY;
    int tight = options->tolerance < 2 * COARSE;
    room->work.coarse = options->coarse && fast && !(known && tight);
    model->known = 0;
    for (int64_t j = 0; j < n; j++) room->x[j] = known ? room->best[j] : 0;
    if (warm) start(model, master);
    while (result.calls < options->calls && !(result.calls % 8 == 0 && is_past(deadline))) {
        if (model->count == model->capacity) thin_out(room, (model->capacity - model->rows) / 2, R);
        if (model->count == model->capacity) break;
        int fresh = model->count == model->rows;
        int foreseen = !exact && (model->rows || (across && better > STREAK));
        double expected = foreseen ? predicted(model, room->x) : -INFINITY;
        result.calls++;
        room->clock++;
        double value = cut_at_x(net, place, room, R);
        int improved = value < result.value && feasible(model, room->x);
        better = improved ? better + 1 : 0;
        if (improved) {
            result.value = value;
            for (int64_t j = 0; j < model->ends; j += 4) FOUR(room->best + j) = FOUR(room->x + j);
        }
        if (fresh) start(model, master);
        int64_t pivots = resolve(model, master, 1e-13 * most(1, fabs(value)));
        if (pivots < 0) {
            result.outcome = pivots == EMPTY ? INFEASIBLE : STALLED;
            return result;
        }
        result.bound = most(result.bound, master->x[n]);
        for (int64_t i = 0; i < master->size; i++)
            room->used[master->active[i]] = room->clock;
        double gap = result.value - result.bound;
        if (gap <= (room->work.coarse ? COARSE : options->tolerance)) {
            if (!room->work.coarse || !tight) {
                result.outcome = CLOSED;
                return result;
            }
            sharpen(room, &result);
            exact = 0;
            continue;
        }
        if (pivots == 0 && exact) { /* the vertex itself was asked, and nothing moved */
            result.outcome = STALLED;
            return result;
        }
        /* Where rows are, or points better one after another, a vertex is often right once the
           model is. */
        exact = pivots == 0 || value - expected <= 0.1 * gap;
        next_point(room, result.value, (int)exact, result.calls > LATE * n ? 2 * across : across);
    }
    return result;
}

/* The places of many rows; a stride of 0 means one for all. */
typedef struct {
    const double *b, *h, *gates, *c, *e, *D, *half;
    int64_t b_stride, h_stride, gates_stride, c_stride, e_stride, D_stride, half_stride;
} Places;

/* A kept cut of f, g.x - D, is one of f + price.x again when the price moves. */
static void move_price(Model *model, const double *from, const double *to) {
    for (int64_t i = model->rows; i < model->count; i++) {
        for (int64_t j = 0; j < model->n; j++) normal_of(model, i)[j] += to[j] - from[j];
        spread_out(model, i);
    }
}

INLINE Place place_of(const Places *p, int64_t i) {
    return (Place){p->b + i * p->b_stride, p->h + i * p->h_stride, p->gates + i * p->gates_stride,
                   p->c + i * p->c_stride, p->e + i * p->e_stride};
}

#endif
