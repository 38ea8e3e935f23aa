/* Values and slopes of the atoms of a layer. */
#ifndef ICNN_ATOMS_H
#define ICNN_ATOMS_H

#include "net.h"

/* Atoms of several rows a unit. */
static void group(int64_t kind, double t, int64_t size, int64_t units, const double *a, double *z,
                  double *slope) {
    for (int64_t i = 0; i < units; i++, a += size, slope += size) {
        int64_t best = 0;
        double total = 0;
        for (int64_t j = 1; j < size; j++)
            if (a[j] > a[best]) best = j;
        if (kind == MAX) {
            for (int64_t j = 0; j < size; j++) slope[j] = j == best;
            z[i] = a[best];
        } else if (kind == LOGSUMEXP) {
            for (int64_t j = 0; j < size; j++) total += slope[j] = exp((a[j] - a[best]) / t);
            for (int64_t j = 0; j < size; j++) slope[j] /= total;
            z[i] = a[best] + t * log(total);
        } else {
            for (int64_t j = 0; j < size; j++) total += a[j] * a[j];
            double length = sqrt(total);
            z[i] = kind == SQUARES ? total : length;
            for (int64_t j = 0; j < size; j++)
                slope[j] = kind == SQUARES ? 2 * a[j] : length > 0 ? a[j] / length : 0;
        }
    }
}

/* Smooth atoms of one row a unit, and maxima of more than two pieces. */
static void smooth(const Net *net, int64_t k, int64_t units, const double *a, double *z,
                   double *slope) {
    double t = net->parameter[k];
    for (int64_t i = 0; i < units; i++) {
        double v = a[i], size = fabs(v), tail = exp(-size);
        if (net->atom[k] == SOFTPLUS) {
            z[i] = fmax(v, 0) + log1p(tail);
            slope[i] = (v >= 0 ? 1 : tail) / (1 + tail);
        } else if (net->atom[k] == HUBER) {
            z[i] = size <= t ? v * v : t * (2 * size - t);
            slope[i] = 2 * (size <= t ? v : copysign(t, v));
        } else if (net->atom[k] == ELU) {
            z[i] = v > 0 ? v : t * expm1(v);
            slope[i] = v > 0 ? 1 : t * tail;
        } else {
            z[i] = -INFINITY;
            for (int64_t p = net->piece[k]; p < net->piece[k + 1]; p++) {
                double value = net->pieces[2 * p] * v + net->pieces[2 * p + 1];
                if (value > z[i]) z[i] = value, slope[i] = net->pieces[2 * p];
            }
        }
    }
}

INLINE void atom(const Net *net, int64_t k, const double *restrict a, double *restrict z,
                 double *restrict slope) {
    int64_t units = net->units[k + 1] - net->units[k], rows = net->rows[k + 1] - net->rows[k];
    const double *p = net->pieces + 2 * net->piece[k];
    if (net->atom[k] == PIECES && net->piece[k + 1] == net->piece[k] + 2) {
        double s0 = p[0], t0 = p[1], s1 = p[2], t1 = p[3];
        for (int64_t i = 0; i < units; i++) {
            double low = s0 * a[i] + t0, high = s1 * a[i] + t1;
            z[i] = high > low ? high : low;
            slope[i] = high > low ? s1 : s0;
        }
    } else if (rows > units || net->atom[k] == MAX || net->atom[k] == LOGSUMEXP ||
               net->atom[k] == NORM || net->atom[k] == SQUARES) {
        group(net->atom[k], net->parameter[k], rows / units, units, a, z, slope);
    } else {
        smooth(net, k, units, a, z, slope);
    }
}

#endif
