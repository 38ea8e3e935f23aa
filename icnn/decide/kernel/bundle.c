/* The bundle method in x alone: cuts from the oracle, a lower bound from the master, and the next
   point from a level set (Lemarechal, Nemirovskii & Nesterov 1995) or between vertex and
   incumbent (in-out). The function is scaled so that its box is [-1, 1] and its range near 1. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "judge.h"
#include "nearest.h"

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__linux__)
#define CLONES __attribute__((target_clones("arch=x86-64-v3", "default")))
#else
#define CLONES
#endif

#define FEASIBLE 1e-9 /* miss of a row at which a point may still be the incumbent */
enum { CLOSED, STOPPED, STALLED, INFEASIBLE };

typedef struct {
    double tolerance; /* of the gap */
    double level;     /* of the level set between bound and value; 0 for in-out */
    double step;      /* of in-out, from the incumbent towards the master's vertex */
    int64_t calls;    /* of the oracle at most */
    int64_t keep;     /* cuts that are kept for the next search */
    double seconds;
} Options;

/* All memory of one search; the next one may start from its cuts. */
typedef struct {
    Model model;
    Master master;
    Nearest near;
    Work work;
    double *U;       /* (capacity, rows of the net): the multipliers behind each cut */
    int64_t *used;   /* (capacity) the call at which a cut was last active */
    double *x, *best, *g, *price;
    double *A;       /* (rows, n) of the set, in columns of half-width 1 */
    int64_t clock;
    void *memory;
} Room;

typedef struct {
    double value, bound;
    int64_t outcome, calls;
} Result;

EXPORT void icnn_room_free(Room *room) {
    if (room) free(room->memory), free(room);
}

/* Raised with every change of a structure or a signature, here and in __init__.py. */
EXPORT int64_t icnn_version(void) { return 3; }

/* Drop all cuts. */
EXPORT void icnn_forget(Room *room) { room->model.count = room->model.rows; }

/* Memory for so many constraints in all, the first of them the rows A of the set. */
EXPORT Room *icnn_room_new(const Net *net, const double *A, int64_t rows, int64_t capacity) {
    int64_t n = net->n, m = n + 1, R = net->rows[net->layers], U = net->units[net->layers];
    int64_t wide = n > U ? n : U;
    int64_t doubles = capacity * (n + 1 + R) + 2 * m * m + 4 * m + n * m + m * m + 2 * m + n + m +
                      2 * R + U + wide + n + 4 * n +
                      rows * n;
    int64_t ints = 2 * m + capacity + wide;
    Room *room = calloc(1, sizeof *room);
    char *memory = calloc((size_t)(doubles + ints), 8);
    if (!room || !memory) return free(room), free(memory), NULL;
    double *d = room->memory = memory;
#define TAKE(field, size) (room->field = d, d += (size))
    TAKE(model.G, capacity * n), TAKE(model.D, capacity), TAKE(U, capacity * R);
    TAKE(master.inverse, m * m), TAKE(master.square, m * m);
    TAKE(master.x, m), TAKE(master.y, m), TAKE(master.w, m), TAKE(master.side, m);
    TAKE(near.N, n * m), TAKE(near.H, m * m), TAKE(near.u, m), TAKE(near.r, m);
    TAKE(near.z, n), TAKE(near.t, m);
    TAKE(work.a, R), TAKE(work.slope, R), TAKE(work.z, U), TAKE(work.weight, wide);
    TAKE(work.xs, n), TAKE(x, n), TAKE(best, n), TAKE(g, n), TAKE(price, n), TAKE(A, rows * n);
#undef TAKE
    int64_t *i = (int64_t *)(memory + 8 * doubles);
    room->master.active = i, i += m;
    room->near.active = i, i += m;
    room->used = i, i += capacity;
    room->work.at = (int32_t *)i;
    room->model.n = n;
    room->model.rows = room->model.count = rows;
    room->model.capacity = capacity;
    if (rows) memcpy(room->A, A, (size_t)(rows * n) * 8);
    return room;
}

static void copy_cut(Room *room, int64_t to, int64_t from, int64_t R) {
    int64_t n = room->model.n;
    if (to == from) return;
    memcpy(room->model.G + to * n, room->model.G + from * n, (size_t)n * 8);
    memcpy(room->U + to * R, room->U + from * R, (size_t)R * 8);
    room->model.D[to] = room->model.D[from];
    room->used[to] = room->used[from];
}

static int later(const void *a, const void *b) {
    int64_t p = *(const int64_t *)a, q = *(const int64_t *)b;
    return p < q ? 1 : p > q ? -1 : 0;
}

/* Keep about this many cuts: those of the basis and the projection, then the latest active. */
static void thin_out(Room *room, int64_t keep, int64_t R) {
    Model *model = &room->model;
    int64_t rows = model->rows, count = model->count, m = model->n + 1, kept = rows;
    keep = keep > 1 ? keep : 1;
    if (count - rows <= keep) return;
    int64_t *target = malloc((size_t)count * 16), *age = target ? target + count : NULL;
    if (!target) return;
    for (int64_t i = 0; i < m; i++) /* the basis was marked as used just now */
        if (room->master.active[i] >= rows) room->used[room->master.active[i]] = room->clock + 1;
    for (int64_t k = 0; k < room->near.count; k++)
        if (room->near.active[k] >= rows) room->used[room->near.active[k]] = room->clock + 1;
    memcpy(age, room->used + rows, (size_t)(count - rows) * 8);
    qsort(age, (size_t)(count - rows), 8, later);
    int64_t limit = age[keep - 1];
    for (int64_t p = 0; p < count; p++) {
        target[p] = p < rows ? p : -1;
        if (p < rows || (room->used[p] <= room->clock && (room->used[p] < limit || kept - rows >= keep)))
            continue;
        copy_cut(room, kept, p, R);
        target[p] = kept++;
    }
    model->count = kept;
    for (int64_t i = 0; i < m; i++)
        if (room->master.active[i] >= 0) room->master.active[i] = target[room->master.active[i]];
    for (int64_t k = 0; k < room->near.count; k++)
        if (room->near.active[k] >= 0) room->near.active[k] = target[room->near.active[k]];
    free(target);
}

INLINE void add_cut(Room *room, double value, int64_t R) {
    Model *model = &room->model;
    int64_t n = model->n, p = model->count++;
    double side = -value;
    for (int64_t j = 0; j < n; j++) side += room->g[j] * room->x[j];
    memcpy(model->G + p * n, room->g, (size_t)n * 8);
    memcpy(room->U + p * R, room->work.slope, (size_t)R * 8);
    model->D[p] = side;
    room->used[p] = room->clock;
}

/* The largest cut at x. */
INLINE double predicted(const Model *model, const double *x) {
    double top = -INFINITY;
    for (int64_t i = model->rows; i < model->count; i++) {
        double value = -model->D[i];
        for (int64_t j = 0; j < model->n; j++) value += model->G[i * model->n + j] * x[j];
        top = fmax(top, value);
    }
    return top;
}

INLINE int feasible(const Model *model, const double *x) {
    for (int64_t i = 0; i < model->rows; i++) {
        double miss = -model->D[i];
        for (int64_t j = 0; j < model->n; j++) miss += model->G[i * model->n + j] * x[j];
        if (miss > FEASIBLE) return 0;
    }
    return 1;
}

/* The master's vertex, a point of the level set, or one between vertex and incumbent. */
INLINE void next_point(Room *room, const Options *options, double best, int vertex) {
    const double *v = room->master.x;
    double *x = room->x;
    int64_t n = room->model.n, found = 0;
    if (!vertex && best < INFINITY && options->level > 0) {
        double gap = best - v[n], level = v[n] + options->level * gap;
        double miss = fmax(1e-3 * options->level * gap, 1e-15 * fmax(1, fabs(best)));
        found = project(&room->model, &room->near, room->best, level, x, miss);
    } else if (!vertex && best < INFINITY) {
        for (int64_t j = 0; j < n; j++)
            x[j] = room->best[j] + options->step * (v[j] - room->best[j]);
        found = 1;
    }
    for (int64_t j = 0; j < n; j++) x[j] = fmin(fmax(found ? x[j] : v[j], -1), 1);
}

/* Multipliers u (rows of the net) and y (rows of the set) behind the master's bound. */
static void proof(const Room *room, double *u, double *y, int64_t R) {
    const Model *model = &room->model;
    const Master *master = &room->master;
    int64_t m = model->n + 1;
    double total = 0;
    for (int64_t k = 0; k < R; k++) u[k] = 0;
    for (int64_t i = 0; i < model->rows; i++) y[i] = 0;
    for (int64_t i = 0; i < m; i++)
        if (master->active[i] >= model->rows) total += master->y[i];
    for (int64_t i = 0; i < m && total > 0; i++) {
        int64_t p = master->active[i];
        double share = master->y[i] / total;
        if (p >= model->rows && share > 0)
            for (int64_t k = 0; k < R; k++) u[k] += share * room->U[p * R + k];
        else if (p >= 0 && p < model->rows)
            y[p] += share;
    }
}

static double now(void) {
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

INLINE Result search(const Net *net, const Place *place, Room *room, const Options *options) {
    Model *model = &room->model;
    Master *master = &room->master;
    int64_t n = model->n, R = net->rows[net->layers], exact = 0;
    Result result = {INFINITY, -INFINITY, STOPPED, 0};
    double deadline = now() + options->seconds;
    room->near.count = 0;
    for (int64_t j = 0; j < n; j++) room->x[j] = 0;
    if (model->count > model->rows) { /* cuts of an earlier search */
        start(model, master);
        if (resolve(model, master, 1e-13) >= 0) next_point(room, options, INFINITY, 1);
    }
    while (result.calls < options->calls && !(now() > deadline)) {
        if (model->count == model->capacity) thin_out(room, (model->capacity - model->rows) / 2, R);
        if (model->count == model->capacity) break;
        int fresh = model->count == model->rows;
        double expected = predicted(model, room->x);
        double value = evaluate(net, place, &room->work, room->x);
        backward(net, place, &room->work, room->g);
        result.calls++;
        room->clock++;
        add_cut(room, value, R);
        if (value < result.value && feasible(model, room->x)) {
            result.value = value;
            memcpy(room->best, room->x, (size_t)n * 8);
        }
        if (fresh) start(model, master);
        int64_t pivots = resolve(model, master, 1e-13 * fmax(1, fabs(value)));
        if (pivots < 0) {
            result.outcome = pivots == EMPTY ? INFEASIBLE : STALLED;
            return result;
        }
        result.bound = fmax(result.bound, master->x[n]);
        for (int64_t i = 0; i <= n; i++)
            if (master->active[i] >= 0) room->used[master->active[i]] = room->clock;
        double gap = result.value - result.bound;
        if (gap <= options->tolerance) {
            result.outcome = CLOSED;
            return result;
        }
        if (pivots == 0 && exact) { /* the vertex itself was asked, and nothing moved */
            result.outcome = STALLED;
            return result;
        }
        exact = pivots == 0 || (!exact && value - expected <= 0.1 * gap);
        next_point(room, options, result.value, (int)exact);
    }
    return result;
}

/* The places of many rows; a stride of 0 means one for all. */
typedef struct {
    const double *b, *h, *gates, *c, *e, *D, *half;
    int64_t b_stride, h_stride, gates_stride, c_stride, e_stride, D_stride, half_stride;
} Places;

typedef struct {
    double *x, *value, *bound, *u, *y;
    int64_t *outcome, *calls;
} Found;

/* A kept cut of f, g.x - D, is one of f + price.x again when the price moves. */
static void move_price(Model *model, const double *from, const double *to) {
    for (int64_t i = model->rows; i < model->count; i++)
        for (int64_t j = 0; j < model->n; j++) model->G[i * model->n + j] += to[j] - from[j];
}

static Place place_of(const Places *p, int64_t i) {
    return (Place){p->b + i * p->b_stride, p->h + i * p->h_stride, p->gates + i * p->gates_stride,
                   p->c + i * p->c_stride, p->e + i * p->e_stride};
}

/* B cases judged; the places are in the user's units. 0 without memory. */
EXPORT CLONES int64_t icnn_judge(const Net *net, const Places *places, int64_t B, const Case *a) {
    int64_t n = net->n, R = net->rows[net->layers], U = net->units[net->layers];
    int64_t wide = n > U ? n : U;
    double *room = malloc((size_t)(2 * n + 5 * R + 3 * U + 2 * wide + 8) * 8);
    if (!room) return 0;
    double *rest = room + n + 2 * U + 3 * R;
    Work work = {rest, rest + R, rest + 2 * R, rest + 2 * R + U, rest + 2 * R + U + wide,
                 (int32_t *)(rest + 2 * R + U + wide + n)};
    for (int64_t k = 0; k < B; k++) {
        Place place = place_of(places, k);
        a->value[k] = evaluate(net, &place, &work, a->x + k * n) + a->constant[k * a->constant_stride];
        a->bound[k] = bound_of(net, &place, a, k, room, a->slope + k * n);
    }
    free(room);
    return 1;
}

/* B searches in turn; a row starts from the kept cuts of the one before. */
EXPORT CLONES void icnn_search(const Net *net, const Places *places, int64_t B, Room *room,
                               const Options *options, const Found *found) {
    int64_t n = net->n, R = net->rows[net->layers], rows = room->model.rows;
    for (int64_t i = 0; i < B; i++) {
        Place place = place_of(places, i);
        const double *half = places->half + i * places->half_stride;
        for (int64_t k = 0; k < rows * n; k++) room->model.G[k] = room->A[k] * half[k % n];
        if (rows) memcpy(room->model.D, places->D + i * places->D_stride, (size_t)rows * 8);
        move_price(&room->model, room->price, place.c);
        memcpy(room->price, place.c, (size_t)n * 8);
        Result result = search(net, &place, room, options);
        memcpy(found->x + i * n, room->best, (size_t)n * 8);
        proof(room, found->u + i * R, found->y + i * rows, R);
        found->value[i] = result.value;
        found->bound[i] = result.bound;
        found->outcome[i] = result.outcome;
        found->calls[i] = result.calls;
        if (options->keep == 0 || result.outcome != CLOSED) room->model.count = rows;
        else thin_out(room, options->keep, R);
    }
}
