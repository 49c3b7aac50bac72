/* Learning-rate schedules: pure functions of the update number (darknet-spec 6.4). */
#ifndef TRAIN_SCHEDULE_H
#define TRAIN_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "net/network.h"

struct schedule {
    enum rate_policy policy;
    float rate, rate_min;
    long warmup; /* Darknet's burn_in: below this update, rate (n / warmup)^power whatever the
                    policy, which then takes over at n: nothing is re-based but the cosine */
    float power;
    long length;      /* updates in all: poly, cosine; sgdr's cycle where sgdr_cycle is 0 */
    const int *steps; /* [step_count], RATE_STEPS; not owned */
    const float *scales;
    size_t step_count;
    int step; /* RATE_STEP, RATE_SIGMOID */
    float scale, gamma;
    int sgdr_cycle;
    float sgdr_mult;
    uint64_t seed; /* RATE_RANDOM */
};

/* What the cfg's [net] section asks for; steps and scales point into options. */
struct schedule schedule_of_net(const struct net_options *options, uint64_t seed);

/* The rate of update number n >= 1, counted as Darknet does. What the formula gives, which for a
 * wild gamma or scale is no sensible rate: the caller checks that it is finite and not negative. */
float schedule_rate(const struct schedule *schedule, long n);

#endif
