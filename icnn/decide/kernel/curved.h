/* The part s of a network that is smooth and reaches the output through linear layers alone: its
   gradient, its multipliers and its Hessian. The rest of the network is left for the cuts. */
#ifndef ICNN_CURVED_H
#define ICNN_CURVED_H

#include "oracle.h"

/* s = seed.z over layers that read only x and smooth layers. */
typedef struct {
    int64_t any;         /* whether there are such layers */
    int64_t straight;    /* whether s is quadratic, so that its Hessian is always the same */
    int64_t *smooth;     /* (layers) it and all below it are smooth or linear */
    int64_t *wanted;     /* (layers) s depends on it */
    double *seed;        /* (units) */
    double *weight;      /* (units) ds/dz */
    double *slope;       /* (rows) of each atom alone */
    double *u;           /* (rows) multipliers of s */
    double *J;           /* (units, n) of each wanted layer, column by column */
    double *A;           /* (rows, n) of one layer, column by column */
    double *t, *bend;    /* (rows), (rows + units) */
    double *g;           /* (n) gradient of s */
    double *H;           /* (n, n) Hessian of s, its lower half */
    double *line;        /* (n) */
    const void **column; /* (n) those of A or J */
} Curved;

/* One piece: z = slope a + intercept. */
INLINE int linear(const Net *net, int64_t k) {
    const double *p = net->pieces + 2 * net->piece[k];
    return net->atom[k] == PIECES && net->piece[k + 1] == net->piece[k] + 2 && p[0] == p[2] &&
           p[1] == p[3];
}

/* Which layers are smooth or linear with all below them, and whether one of them is not linear. */
static int64_t find_smooth(const Net *net, int64_t *smooth) {
    int64_t any = 0;
    for (int64_t k = 0; k < net->layers; k++) {
        int straight = linear(net, k);
        int64_t good = straight || (net->atom[k] != PIECES && net->atom[k] != MAX);
        for (int64_t e = net->edge[k]; e < net->edge[k + 1]; e++)
            good = good && smooth[net->source[e]];
        smooth[k] = good;
        any |= good && !straight;
    }
    return any;
}

static int64_t widest(const Net *net) {
    int64_t most = 0;
    for (int64_t k = 0; k < net->layers; k++)
        if (net->rows[k + 1] - net->rows[k] > most) most = net->rows[k + 1] - net->rows[k];
    return most;
}

/* Doubles that the arrays take. */
static int64_t curved_size(const Net *net) {
    int64_t R = net->rows[net->layers], U = net->units[net->layers], n = net->n;
    return 2 * net->layers + 2 * U + 2 * R + U * n + widest(net) * (n + 3) + n * n + 3 * n;
}

static double *curved_in(Curved *curved, const Net *net, double *d) {
    int64_t R = net->rows[net->layers], U = net->units[net->layers], n = net->n;
    curved->smooth = (int64_t *)d, d += net->layers;
    curved->wanted = (int64_t *)d, d += net->layers;
    curved->seed = d, d += U;
    curved->weight = d, d += U;
    curved->slope = d, d += R;
    curved->u = d, d += R;
    curved->J = d, d += U * n;
    curved->A = d, d += widest(net) * n;
    curved->t = d, d += widest(net);
    curved->bend = d, d += 2 * widest(net);
    curved->g = d, d += n;
    curved->H = d, d += n * n;
    curved->line = d, d += n;
    curved->column = (const void **)d, d += n;
    curved->any = find_smooth(net, curved->smooth);
    return d;
}

/* The weights of a linear layer's units go to what it reads. */
static void hand_through(const Net *net, const Place *place, int64_t k, double *seed) {
    int64_t m = net->rows[k + 1] - net->rows[k];
    double slope = net->pieces[2 * net->piece[k]], *own = seed + net->units[k];
    for (int64_t e = net->edge[k]; e < net->edge[k + 1]; e++) {
        int64_t source = net->source[e], first = net->units[source];
        const double *gate = place->gates + net->gate[e];
        for (int64_t i = 0; i < net->units[source + 1] - first; i++) {
            double total = 0;
            for (int64_t r = 0; r < m; r++)
                total += own[r] * (net->w[e] < 0 ? (double)net->S[net->s[e] + i * line_of(m) + r]
                                                 : net->W[net->w[e] + i * m + r]);
            seed[first + i] += slope * total * gate[i];
        }
    }
    for (int64_t r = 0; r < m; r++) own[r] = 0;
}

/* The seeds of one decision, and the layers that s depends on; whether there are any. */
static int plant(const Net *net, const Place *place, Curved *curved) {
    int found = 0;
    memcpy(curved->seed, place->e, (size_t)net->units[net->layers] * 8);
    curved->straight = 1;
    for (int64_t k = net->layers - 1; k >= 0; k--) {
        int64_t read = 0, straight = linear(net, k);
        if (straight) hand_through(net, place, k, curved->seed);
        for (int64_t i = net->units[k]; i < net->units[k + 1]; i++) {
            if (!curved->smooth[k]) curved->seed[i] = 0;
            read |= curved->seed[i] != 0;
        }
        for (int64_t e = net->edge[k + 1]; e < net->edge[net->layers]; e++)
            for (int64_t l = k + 1; l < net->layers; l++)
                read |= net->source[e] == k && curved->wanted[l] && net->edge[l] <= e &&
                        e < net->edge[l + 1];
        curved->wanted[k] = curved->smooth[k] && read;
        found |= curved->wanted[k] && !straight;
        if (curved->wanted[k] && !(net->atom[k] == SQUARES && net->edge[k] == net->edge[k + 1]))
            curved->straight = 0;
    }
    return found;
}

/* After evaluate() and a copy of its slopes: the value of s, and its gradient and multipliers. */
INLINE double smooth_part(const Net *net, const Place *place, Work *work, Curved *curved) {
    int64_t R = net->rows[net->layers], U = net->units[net->layers], doubles, count;
    double value = 0, *weight = work->weight;
    memcpy(curved->weight, curved->seed, (size_t)U * 8);
    for (int64_t j = 0; j < net->n; j++) curved->g[j] = 0;
    for (int64_t i = 0; i < R; i++) curved->u[i] = 0;
    for (int64_t i = 0; i < U; i++) value += curved->seed[i] * work->z[i];
    work->weight = curved->weight; /* where hand_down() puts what it hands */
    for (int64_t k = net->layers - 1; k >= 0; k--) {
        int64_t m = net->rows[k + 1] - net->rows[k], size = m / (net->units[k + 1] - net->units[k]);
        double *u = curved->u + net->rows[k];
        if (!curved->wanted[k]) continue;
        for (int64_t i = 0; i < m; i++)
            u[i] = curved->slope[net->rows[k] + i] * curved->weight[net->units[k] + i / size];
        list_columns(net, work, k, &doubles, &count);
        dot_columns(work, doubles, count, m, u);
        hand_down(net, place, work, k, curved->g);
    }
    work->weight = weight;
    return value;
}

/* A: how the arguments of layer k depend on x. */
INLINE void jacobian(const Net *net, const Place *place, const Work *work, const Curved *curved,
                     int64_t k) {
    int64_t n = net->n, m = net->rows[k + 1] - net->rows[k], doubles, count;
    int64_t own = net->v[k] >= 0 ? n : 0;
    const double *h = place->h + k * n;
    list_columns(net, work, k, &doubles, &count);
    for (int64_t j = 0; j < n; j++) {
        double *restrict a = curved->A + j * m, *factor = work->factor + own;
        const double *v = net->V + net->v[k] + j * m;
        for (int64_t i = 0; i < m; i++) a[i] = own ? h[j] * v[i] : 0;
        for (int single = 0; single < 2; single++)
            for (int64_t e = net->edge[k]; e < net->edge[k + 1]; e++) {
                int64_t s = net->source[e], units = net->units[s + 1] - net->units[s];
                const double *J = curved->J + net->units[s] * n + j * units;
                const double *gate = place->gates + net->gate[e];
                const int32_t *at = work->at + net->units[s];
                int64_t active = narrow(net, work, e) == single ? work->count[s] : 0;
                for (int64_t i = 0; i < active; i++) *factor++ = gate[at[i]] * J[at[i]];
            }
        CHOICE(add)(work, own, doubles, m, a, 0);
        if (count > doubles) CHOICE(add)(work, doubles, count, m, a, 1);
    }
}

/* H += M' diag(t) M for M (m, n) column by column. */
INLINE void add_square(const Curved *curved, int64_t n, const double *M, const double *t,
                       int64_t m) {
    double *restrict scaled = curved->t;
    Work columns = {.factor = curved->line, .column = curved->column};
    for (int64_t j = 0; j < n; j++) curved->column[j] = M + j * m;
    for (int64_t j = 0; j < n; j++) {
        double *restrict line = curved->H + j * n;
        for (int64_t i = 0; i < m; i++) scaled[i] = t[i] * M[j * m + i];
        dot_columns(&columns, j + 1, j + 1, m, scaled);
        for (int64_t i = 0; i <= j; i++) line[i] += curved->line[i];
    }
}

/* Second derivatives of the atoms of layer k times the weights: of its rows into d (rows), and
   what is taken off for the square of each unit's gradient into c (units); whether there is any. */
static int curvature(const Net *net, const Work *work, const Curved *curved, int64_t k, double *d,
                     double *c) {
    int64_t units = net->units[k + 1] - net->units[k], size = (net->rows[k + 1] - net->rows[k]) / units;
    const double *a = work->a + net->rows[k], *slope = curved->slope + net->rows[k];
    const double *z = work->z + net->units[k], *weight = curved->weight + net->units[k];
    double t = net->parameter[k];
    int64_t kind = net->atom[k];
    for (int64_t i = 0; i < units; i++) {
        double length = kind == NORM ? z[i] : kind == LOGSUMEXP ? t : 1;
        c[i] = length > 1e-12 ? -weight[i] / length : 0;
        for (int64_t r = i * size; r < (i + 1) * size; r++) {
            double bend = kind == SQUARES ? 2 : kind == NORM ? (length > 1e-12 ? 1 / length : 0) : 0;
            if (kind == SOFTPLUS) bend = slope[r] * (1 - slope[r]);
            if (kind == LOGSUMEXP) bend = slope[r] / t;
            if (kind == HUBER) bend = fabs(a[r]) <= t ? 2 : 0;
            if (kind == ELU) bend = a[r] < 0 ? slope[r] : 0;
            d[r] = weight[i] * bend;
        }
    }
    return kind == NORM || kind == LOGSUMEXP;
}

/* H: the Hessian of s at the point of the last smooth_part(), whose slopes backward() may have
   overwritten. */
static CLONES void hessian(const Net *net, const Place *place, Work *work, Curved *curved) {
    int64_t n = net->n;
    for (int64_t i = 0; i < n * n; i++) curved->H[i] = 0;
    for (int64_t k = 0; k < net->layers; k++) {
        int64_t m = net->rows[k + 1] - net->rows[k], units = net->units[k + 1] - net->units[k];
        const double *slope = curved->slope + net->rows[k];
        double *J = curved->J + net->units[k] * n, *d = curved->bend, *c = d + m;
        if (!curved->wanted[k]) continue;
        jacobian(net, place, work, curved, k);
        for (int64_t j = 0; j < n; j++)
            for (int64_t i = 0; i < units; i++) {
                double total = 0;
                for (int64_t r = i * (m / units); r < (i + 1) * (m / units); r++)
                    total += slope[r] * curved->A[j * m + r];
                J[j * units + i] = total;
            }
        int taken = curvature(net, work, curved, k, d, c);
        add_square(curved, n, curved->A, d, m);
        if (taken) add_square(curved, n, J, c, units);
    }
}

#endif
