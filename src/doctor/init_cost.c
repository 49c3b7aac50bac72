#include "doctor/init_cost.h"

#include <math.h>

#include "net/network.h"
#include "train/step_cost.h"

enum { SMALLEST_SIDE = 96, STRIDE = 32, RUNS = 3, MOST_PICTURES = 16 };

static const double MOST_FLOPS = 2e9;

static int smaller(int side)
{
    int half = side / 2 / STRIDE * STRIDE;
    return half < SMALLEST_SIDE ? SMALLEST_SIDE : half;
}

double init_cost_of(const struct init_timing *timing, double pictures)
{
    int many = timing->many;
    /* Never less than a quarter of its share: a busy machine may have slowed the first alone. */
    double picture = fmax((timing->all - timing->one) / (many - 1), timing->all / many / 4.0);
    return fmax(timing->all - many * picture, 0.0) + picture * pictures;
}

/* Other work only ever adds to a time. */
static double least_ms(struct step_cost *cost, const struct truth_set *truths, int images)
{
    double ms = (double)INFINITY;
    for (int i = 0; i < RUNS; i++) {
        ms = fmin(ms, step_cost_run(cost, truths, images));
    }
    return ms;
}

/* Of the parsed network's steps. */
static enum result time_steps(struct network *net, const struct kernels *kernels,
                              struct init_timing *timing, struct error *err)
{
    struct freeze_set nothing = {0};
    struct step_cost cost = {0};
    struct truth_set truths[MOST_PICTURES] = {0};
    enum result result = network_allocate(net, err);
    if (result == OK) {
        network_initialise(net, 0);
        result = freeze_set_make(net, "none", BN_AUTO, NULL, &nothing, err);
    }
    struct step_cost_options options = {
        .net = net, .kernels = kernels, .freeze = &nothing, .batch = timing->many};
    if (result == OK) {
        result = step_cost_open(&options, &cost, err);
    }
    if (result == OK) {
        timing->one = least_ms(&cost, truths, 1);
        timing->all = least_ms(&cost, truths, timing->many);
    }
    step_cost_close(&cost);
    freeze_set_free(&nothing);
    return result;
}

enum result init_cost_measure(const char *path, const struct cfg_text *text,
                              const struct kernels *kernels, int images, double *seconds,
                              struct error *err)
{
    struct network net = {0};
    struct init_timing timing = {.many = 2};
    enum result result = network_parse(path, text->bytes, text->size, 0, 0, &net, err);
    double pixels = (double)net.size.w * (double)net.size.h;
    while (result == OK && network_flops(&net) > MOST_FLOPS &&
           (net.size.w > SMALLEST_SIDE || net.size.h > SMALLEST_SIDE)) {
        result = network_resize(&net, smaller(net.size.w), smaller(net.size.h), err);
    }
    if (result == OK) {
        double fit = MOST_FLOPS / fmax((double)network_flops(&net), 1.0);
        timing.many = (int)fmin(fmax(fit, 2.0), MOST_PICTURES);
        result = time_steps(&net, kernels, &timing, err);
    }
    double share = pixels / ((double)net.size.w * (double)net.size.h);
    *seconds = init_cost_of(&timing, images * share) / 1000.0;
    network_free(&net);
    return result;
}
