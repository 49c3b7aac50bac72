#include "train/schedule.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"

static const double pi = 3.14159265358979323846;

/* More updates than any training makes; fits a long everywhere. */
static const double longest_cycle = 2e9;

struct schedule schedule_of_net(const struct net_options *options, uint64_t seed)
{
    return (struct schedule){.policy = options->policy,
                             .rate = options->learning_rate,
                             .rate_min = options->learning_rate_min,
                             .warmup = options->burn_in,
                             .power = options->power,
                             .length = options->max_batches,
                             .steps = options->steps,
                             .scales = options->scales,
                             .step_count = options->step_count,
                             .step = options->step,
                             .scale = options->scale,
                             .gamma = options->gamma,
                             .sgdr_cycle = options->sgdr_cycle,
                             .sgdr_mult = options->sgdr_mult,
                             .seed = seed};
}

static double half_cosine(const struct schedule *s, double share)
{
    return (double)s->rate_min +
           0.5 * ((double)s->rate - (double)s->rate_min) * (1.0 + cos(pi * share));
}

static double sgdr_rate(const struct schedule *s, long n)
{
    long start = 0;
    long cycle = s->sgdr_cycle > 0 ? s->sgdr_cycle : s->length;
    cycle = cycle > 0 ? cycle : 1;
    while (n - start > cycle) {
        double wanted = (double)cycle * (double)s->sgdr_mult;
        long next = wanted >= 1 ? (long)fmin(wanted, longest_cycle) : 1;
        /* Equal cycles would take as many turns as there were cycles. */
        start += next == cycle ? (n - start - 1) / cycle * cycle : cycle;
        cycle = next;
    }
    return half_cosine(s, (double)(n - start) / (double)cycle);
}

static double steps_rate(const struct schedule *s, long n)
{
    double rate = (double)s->rate;
    for (size_t i = 0; i < s->step_count && s->steps[i] <= n; i++) {
        rate *= (double)s->scales[i];
    }
    return rate;
}

static double cosine_rate(const struct schedule *s, long n)
{
    if (n >= s->length) {
        return (double)s->rate_min;
    }
    return half_cosine(s, (double)(n - s->warmup) / (double)(s->length - s->warmup));
}

static double policy_rate(const struct schedule *s, long n)
{
    double rate = (double)s->rate, power = (double)s->power;
    switch (s->policy) {
    case RATE_STEP:
        return rate * pow((double)s->scale, (double)(n / (s->step > 0 ? s->step : 1)));
    case RATE_STEPS:
        return steps_rate(s, n);
    case RATE_EXP:
        return rate * pow((double)s->gamma, (double)n);
    case RATE_POLY:
        return n < s->length ? rate * pow(1.0 - (double)n / (double)s->length, power) : 0.0;
    case RATE_SIGMOID:
        return rate / (1.0 + exp((double)s->gamma * (double)(n - s->step)));
    case RATE_RANDOM: {
        struct rng rng = rng_make(s->seed, (uint64_t)n, 0x72617465 /* apart from other draws */);
        return rate * pow((double)rng_unit(&rng), power);
    }
    case RATE_SGDR:
        return sgdr_rate(s, n);
    case RATE_COSINE:
        return cosine_rate(s, n);
    case RATE_CONSTANT:
    case RATE_POLICY_COUNT:
        break;
    }
    return rate;
}

float schedule_rate(const struct schedule *schedule, long n)
{
    if (n < schedule->warmup) {
        double share = (double)n / (double)schedule->warmup;
        return (float)((double)schedule->rate * pow(share, (double)schedule->power));
    }
    return (float)policy_rate(schedule, n);
}
