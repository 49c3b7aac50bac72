#include "run/bench.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/parallel.h"

struct bench {
    struct plan *plan;
    int layers;
    const struct bench_runs *runs;
    struct timing *whole;
    double *layer_ms;      /* [layers] */
    double *samples;       /* [runs] */
    double *layer_samples; /* [layers][runs] */
};

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct timing timing_of(double *samples, int count)
{
    qsort(samples, (size_t)count, sizeof *samples, ascending);
    double median = samples[count / 2];
    if (count % 2 == 0) {
        median = (median + samples[count / 2 - 1]) / 2;
    }
    return (struct timing){median, samples[0], samples[count - 1]};
}

void bench_fill_input(const struct tensor *input)
{
    unsigned state = 1;
    for (size_t i = 0; i < tensor_pixels(input); i++) {
        for (int c = 0; c < input->c; c++) {
            state = state * 1664525u + 1013904223u;
            input->data[i * input->stride + (size_t)c] = (float)(state >> 8) / 16777216.0f;
        }
    }
}

static void measure(void *ctx)
{
    struct bench *b = ctx;
    const struct bench_runs *runs = b->runs;
    bench_fill_input(plan_input(b->plan));
    for (int run = -runs->warmup; run < runs->count; run++) {
        double start = clock_ms();
        plan_forward(b->plan, runs->batch);
        if (run >= 0) {
            b->samples[run] = clock_ms() - start;
            log_progress("run %d of %d: %.2f ms", run + 1, runs->count, b->samples[run]);
        }
    }
    *b->whole = timing_of(b->samples, runs->count);
    for (int run = 0; run < runs->count; run++) {
        bench_fill_input(plan_input(b->plan)); /* activations may have been laid over it */
        plan_begin(b->plan, runs->batch);
        for (int i = 0; i < b->layers; i++) {
            double start = clock_ms();
            plan_forward_layer(b->plan, i);
            b->layer_samples[i * runs->count + run] = clock_ms() - start;
        }
        log_progress("layers, run %d of %d", run + 1, runs->count);
    }
    log_progress("%s", "");
    for (int i = 0; i < b->layers; i++) {
        b->layer_ms[i] = timing_of(b->layer_samples + i * runs->count, runs->count).median;
    }
}

enum result bench_forward(struct plan *plan, int layers, const struct bench_runs *runs,
                          struct timing *whole, double *layer_ms, struct error *err)
{
    size_t count = (size_t)runs->count;
    struct bench b = {.plan = plan,
                      .layers = layers,
                      .runs = runs,
                      .whole = whole,
                      .layer_ms = layer_ms,
                      .samples = mem_alloc(count, sizeof(double)),
                      .layer_samples = mem_alloc((size_t)layers * count, sizeof(double))};
    enum result result = b.samples && b.layer_samples ? OK : mem_error(err, "timings");
    if (result == OK) {
        parallel_team(measure, &b);
    }
    mem_free(b.samples);
    mem_free(b.layer_samples);
    return result;
}
