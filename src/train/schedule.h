/* Learning-rate schedules: pure functions of the update number (darknet-spec 6.4). */
#ifndef TRAIN_SCHEDULE_H
#define TRAIN_SCHEDULE_H

#include <stddef.h>

#include "base/error.h"

enum rate_policy {
    RATE_CONSTANT, RATE_STEP, RATE_STEPS, RATE_EXP, RATE_POLY, RATE_SIGMOID, RATE_RANDOM, RATE_SGDR, RATE_COSINE
};

struct schedule {
    enum rate_policy policy;
    float rate, rate_min;
    long warmup;           /* updates of burn-in: rate * (n / warmup) ^ power */
    float power;
    long length;           /* updates in all (poly, cosine, sgdr's default cycle) */
    const int *steps;      /* RATE_STEPS */
    const float *scales;
    size_t step_count;
    int step;              /* RATE_STEP, RATE_SIGMOID */
    float scale, gamma;
    int sgdr_cycle;
    float sgdr_mult;
    unsigned long long seed; /* RATE_RANDOM */
};

/* False if the name is none of Darknet's or "cosine". */
int schedule_policy(const char *name, enum rate_policy *policy);

/* The rate of update number n, counted from 1 as Darknet does. */
float schedule_rate(const struct schedule *schedule, long n);

#endif
