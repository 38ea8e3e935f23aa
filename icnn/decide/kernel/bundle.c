/* What Python calls: the bundle method in x alone, its judge, and both at once for prices. */
#include "moves.h"

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

typedef struct {
    double *x, *value, *bound, *u, *y;
    int64_t *outcome, *calls;
} Found;

/* Raised with every change of a structure or a signature, here and in __init__.py. */
EXPORT int64_t icnn_version(void) { return 9; }

EXPORT Room *icnn_room_new(const Net *net, const double *A, int64_t rows, int64_t capacity) {
    return room_new(net, A, rows, capacity);
}

EXPORT void icnn_room_free(Room *room) {
    room_free(room);
}

/* Drop all cuts. */
EXPORT void icnn_forget(Room *room) { room->model.count = room->model.rows; }

/* B cases judged; the places are in the user's units. 0 without memory. */
EXPORT CLONES int64_t icnn_judge(const Net *net, const Places *places, int64_t B, const Case *a) {
    int64_t n = net->n;
    Judge judge = judge_new(net);
    if (!judge.room) return 0;
    for (int64_t k = 0; k < B; k++) {
        Place place = place_of(places, k);
        a->value[k] = evaluate(net, &place, &judge.work, a->x + k * n) +
                      a->constant[k * a->constant_stride];
        a->bound[k] = bound_of(net, &place, a, k, &judge, a->slope + k * n);
    }
    free(judge.room);
    return 1;
}

/* Values and subgradients at x (B, n), as the search asks for them. */
EXPORT CLONES void icnn_oracle(const Net *net, const Places *places, int64_t B, Room *room,
                               int64_t coarse, const double *x, double *value, double *g) {
    room->work.coarse = coarse && fast;
    for (int64_t i = 0; i < B; i++) {
        Place place = place_of(places, i);
        value[i] = evaluate(net, &place, &room->work, x + i * net->n);
        backward(net, &place, &room->work, g + i * net->n);
    }
}

/* B searches in turn; a row starts from the kept cuts of the one before. */
EXPORT CLONES void icnn_search(const Net *net, const Places *places, int64_t B, Room *room,
                               const Options *options, const Found *found) {
    int64_t n = net->n, R = net->rows[net->layers], rows = room->model.rows;
    for (int64_t i = 0; i < B; i++) {
        Place place = place_of(places, i);
        Result result = search_row(net, &place, places, i, room, options, found->u + i * R,
                                   found->y + i * rows);
        memcpy(found->x + i * n, room->best, (size_t)n * 8);
        found->value[i] = result.value;
        found->bound[i] = result.bound;
        found->outcome[i] = result.outcome;
        found->calls[i] = result.calls;
    }
}

/* Search and judge f + price.x for prices (B, n): how many could be read; -1 without memory. */
EXPORT CLONES int64_t icnn_price(const Pricing *p, const double *price, int64_t B,
                                 const Options *options, const Priced *out) {
    int64_t n = p->net->n, m = p->judged->m, count = 0;
    Scratch s = scratch_new(p);
    if (!s.judge.room) return -1;
    for (int64_t i = 0; i < B; i++) {
        int good = 1;
        for (int64_t j = 0; j < n; j++) good &= fabs(price[i * n + j]) <= LARGEST;
        if (good) priced(p, price + i * n, options, &s, out, i);
        else unread(out, i, n, m);
        count += good;
    }
    free(s.judge.room);
    return count;
}

/* The problem of later prices has these ends and sides (4 n + 2 m): see move_ends. */
EXPORT CLONES int64_t icnn_move(const Pricing *p, const double *to) { return move_ends(p, to); }
