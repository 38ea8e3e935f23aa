/* All memory of one search, and which cuts stay in it for the next. */
#ifndef ICNN_ROOM_H
#define ICNN_ROOM_H

#include <stdlib.h>
#include <string.h>

#include "curved.h"
#include "quadratic.h"

/* All memory of one search; the next one may start from its cuts. */
typedef struct {
    Model model;
    Master master;
    Work work;
    double *U;       /* (capacity, rows of the net): the multipliers behind each cut */
    int64_t *used;   /* (capacity) the call at which a cut was last active */
    double *x, *best, *g, *price;
    double *A;       /* (rows, n) of the set, in columns of half-width 1 */
    int64_t clock;
    Curved curved;   /* the smooth part of f, and the master that models it */
    Quadratic quad;
    double *centre, *slope; /* (n) where the smooth part is modelled, and its gradient there */
    int64_t apart;          /* whether the cuts are those of f without its smooth part */
    void *memory, *more;
} Room;

static void room_free(Room *room) {
    if (room) free(room->memory), free(room->more), free(room);
}

/* Memory for a model of the smooth part, if there may be one; 0 if it cannot be had. */
static int model_room(Room *room, const Net *net) {
    int64_t n = net->n, *smooth = calloc((size_t)net->layers + 1, 8);
    if (!smooth) return 0;
    int64_t any = find_smooth(net, smooth);
    free(smooth);
    if (!any) return 1;
    double *d = room->more = calloc((size_t)(curved_size(net) + quadratic_size(n) + 2 * n), 8);
    if (!d) return 0;
    d = curved_in(&room->curved, net, d);
    d = quadratic_in(&room->quad, n, d);
    room->centre = d, d += n;
    room->slope = d;
    return 1;
}

/* The arrays of numbers in a room, and how large each is. */
#define ARRAYS(ARRAY) \
    ARRAY(model.G, capacity *ends) ARRAY(model.T, line *n) ARRAY(model.D, line) \
    ARRAY(model.back, line) ARRAY(model.over, line) ARRAY(model.ahead, line) ARRAY(model.column, n) \
    ARRAY(U, capacity *R) ARRAY(master.inverse, (m + 1) * wide) ARRAY(master.square, m *wide) \
    ARRAY(master.x, wide) ARRAY(master.end, ends) ARRAY(master.y, ends + wide) \
    ARRAY(master.w, ends + wide) ARRAY(master.ratio, ends + wide) ARRAY(master.t, m + 1) \
    ARRAY(master.share, m + 1) ARRAY(master.lines, m + 1) ARRAY(x, ends) ARRAY(best, ends) \
    ARRAY(g, ends) ARRAY(price, n) ARRAY(A, rows *n)
#define SIZE(field, size) +lines_of(size)
#define PLACED(field, size) room->field = (void *)d, d += lines_of(size);

/* Memory for so many constraints in all, the first of them the rows A of the set. */
static Room *room_new(const Net *net, const double *A, int64_t rows, int64_t capacity) {
    int64_t n = net->n, m = n + 1, R = net->rows[net->layers];
    int64_t wide = fours(m), ends = fours(n), line = (capacity + 15) / 16 * 16;
    int64_t doubles = ARRAYS(SIZE) + work_size(net), ints = 2 * m + 1 + n + capacity;
    Room *room = calloc(1, sizeof *room);
    char *memory = calloc((size_t)(doubles + ints + 8), 8);
    if (!room || !memory) return free(room), free(memory), NULL;
    double *d = room->memory = memory; /* in whole cache lines from here on */
    d += -(uintptr_t)memory % 64 / 8;
    ARRAYS(PLACED)
    work_in(&room->work, net, d);
    int64_t *i = (int64_t *)(memory + 8 * (doubles + 8));
    room->master.active = i, i += m;
    room->master.freed = i, i += m + 1;
    room->master.place = i, i += n;
    room->used = i, i += capacity;
    room->model.n = n;
    room->model.line = line;
    room->model.ends = ends;
    for (int64_t j = 0; j < n; j++) room->model.column[j] = room->model.T + j * line;
    room->master.wide = wide;
    room->master.ends = ends;
    room->model.rows = room->model.count = rows;
    room->model.capacity = capacity;
    if (rows) memcpy(room->A, A, (size_t)(rows * n) * 8);
    if (!model_room(room, net)) return room_free(room), NULL;
    return room;
}

static void copy_cut(Room *room, int64_t to, int64_t from, int64_t R) {
    Model *model = &room->model;
    if (to == from) return;
    memcpy(normal_of(model, to), normal_of(model, from), (size_t)model->ends * 8);
    memcpy(room->U + to * R, room->U + from * R, (size_t)R * 8);
    room->model.D[to] = room->model.D[from];
    room->used[to] = room->used[from];
    spread_out(&room->model, to);
}

static int later(const void *a, const void *b) {
    int64_t p = *(const int64_t *)a, q = *(const int64_t *)b;
    return p < q ? 1 : p > q ? -1 : 0;
}

/* Keep about this many cuts: those of the basis, then the latest active. */
static void thin_out(Room *room, int64_t keep, int64_t R) {
    Model *model = &room->model;
    int64_t rows = model->rows, count = model->count, kept = rows;
    keep = keep > 1 ? keep : 1;
    if (count - rows <= keep) return;
    int64_t *target = malloc((size_t)count * 16), *age = target ? target + count : NULL;
    if (!target) return;
    for (int64_t i = 0; i < room->master.size; i++) /* the basis was marked as used just now */
        if (room->master.active[i] >= rows) room->used[room->master.active[i]] = room->clock + 1;
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
    model->known = 0;
    for (int64_t i = 0; i < room->master.size; i++)
        room->master.active[i] = target[room->master.active[i]];
    free(target);
}

#endif
