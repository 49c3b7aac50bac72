#include "doctor/init_cost.h"

#include <math.h>

#include "net/network.h"
#include "train/step_cost.h"

enum { SMALLEST_SIDE = 96, STRIDE = 32, RUNS = 3 };

static const double MOST_FLOPS = 2e9;

static int smaller(int side)
{
    int half = side / 2 / STRIDE * STRIDE;
    return half < SMALLEST_SIDE ? SMALLEST_SIDE : half;
}

/* The parsed network's step on one picture, in milliseconds. */
static enum result time_step(struct network *net, const struct kernels *kernels, double *ms,
                             struct error *err)
{
    struct freeze_set nothing = {0};
    struct step_cost cost = {0};
    struct truth_set truths = {0};
    enum result result = network_allocate(net, err);
    if (result == OK) {
        network_initialise(net, 0);
        result = freeze_set_make(net, "none", BN_AUTO, NULL, &nothing, err);
    }
    struct step_cost_options options = {
        .net = net, .kernels = kernels, .freeze = &nothing, .batch = 1};
    if (result == OK) {
        result = step_cost_open(&options, &cost, err);
    }
    *ms = (double)INFINITY;
    for (int i = 0; result == OK && i < RUNS; i++) { /* other work only ever adds */
        *ms = fmin(*ms, step_cost_run(&cost, &truths, 1));
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
    double ms = 0.0;
    enum result result = network_parse(path, text->bytes, text->size, 0, 0, &net, err);
    double pixels = (double)net.size.w * (double)net.size.h;
    while (result == OK && network_flops(&net) > MOST_FLOPS &&
           (net.size.w > SMALLEST_SIDE || net.size.h > SMALLEST_SIDE)) {
        result = network_resize(&net, smaller(net.size.w), smaller(net.size.h), err);
    }
    if (result == OK) {
        result = time_step(&net, kernels, &ms, err);
    }
    *seconds = ms / 1000.0 * images * pixels / ((double)net.size.w * (double)net.size.h);
    network_free(&net);
    return result;
}
