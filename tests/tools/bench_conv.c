/* Speed of the convolution engine by layer shape and algorithm: `make bench-conv`.
 *
 *   bench_conv [isa] [threads] [part of a shape's name]
 *
 * Prints the fastest of several runs in effective GFLOP/s: 2 x multiplications of the direct
 * convolution, whatever the algorithm spends. Weights and inputs are evicted between runs as far as
 * a network would. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "base/parallel.h"
#include "kernels/conv.h"
#include "kernels/kernels.h"

struct bench_shape {
    const char *network;
    int size, in_c, filters, kernel, stride, groups;
    int count; /* how often the network has it */
    enum activation act;
};

static const struct bench_shape shapes[] = {
    {"yolov4", 416, 3, 32, 3, 1, 1, 1, ACT_MISH},
    {"yolov4", 416, 32, 64, 3, 2, 1, 1, ACT_MISH},
    {"yolov4", 208, 64, 64, 1, 1, 1, 3, ACT_MISH},
    {"yolov4", 208, 64, 32, 1, 1, 1, 1, ACT_MISH},
    {"yolov4", 208, 32, 64, 3, 1, 1, 1, ACT_MISH},
    {"yolov4", 208, 128, 64, 1, 1, 1, 1, ACT_MISH},
    {"yolov4", 208, 64, 128, 3, 2, 1, 1, ACT_MISH},
    {"yolov4", 104, 128, 64, 1, 1, 1, 2, ACT_MISH},
    {"yolov4", 104, 64, 64, 1, 1, 1, 3, ACT_MISH},
    {"yolov4", 104, 64, 64, 3, 1, 1, 2, ACT_MISH},
    {"yolov4", 104, 128, 128, 1, 1, 1, 1, ACT_MISH},
    {"yolov4", 104, 128, 256, 3, 2, 1, 1, ACT_MISH},
    {"yolov4", 52, 256, 128, 1, 1, 1, 5, ACT_MISH},
    {"yolov4", 52, 128, 128, 1, 1, 1, 9, ACT_MISH},
    {"yolov4", 52, 128, 128, 3, 1, 1, 8, ACT_MISH},
    {"yolov4", 52, 256, 256, 1, 1, 1, 1, ACT_MISH},
    {"yolov4", 52, 256, 512, 3, 2, 1, 1, ACT_MISH},
    {"yolov4", 52, 128, 256, 3, 1, 1, 3, ACT_LEAKY},
    {"yolov4", 52, 256, 255, 1, 1, 1, 1, ACT_LINEAR},
    {"yolov4", 52, 128, 256, 3, 2, 1, 1, ACT_LEAKY},
    {"yolov4", 26, 512, 256, 1, 1, 1, 9, ACT_MISH},
    {"yolov4", 26, 256, 256, 1, 1, 1, 9, ACT_MISH},
    {"yolov4", 26, 256, 256, 3, 1, 1, 8, ACT_MISH},
    {"yolov4", 26, 512, 512, 1, 1, 1, 1, ACT_MISH},
    {"yolov4", 26, 512, 1024, 3, 2, 1, 1, ACT_MISH},
    {"yolov4", 26, 256, 512, 3, 1, 1, 4, ACT_LEAKY},
    {"yolov4", 26, 512, 255, 1, 1, 1, 1, ACT_LINEAR},
    {"yolov4", 26, 256, 512, 3, 2, 1, 1, ACT_LEAKY},
    {"yolov4", 13, 1024, 512, 1, 1, 1, 8, ACT_MISH},
    {"yolov4", 13, 512, 512, 1, 1, 1, 5, ACT_MISH},
    {"yolov4", 13, 512, 512, 3, 1, 1, 4, ACT_MISH},
    {"yolov4", 13, 1024, 1024, 1, 1, 1, 1, ACT_MISH},
    {"yolov4", 13, 512, 1024, 3, 1, 1, 5, ACT_LEAKY},
    {"yolov4", 13, 2048, 512, 1, 1, 1, 1, ACT_LEAKY},
    {"yolov4", 13, 1024, 255, 1, 1, 1, 1, ACT_LINEAR},
    {"tiny", 416, 3, 32, 3, 2, 1, 1, ACT_LEAKY},
    {"tiny", 208, 32, 64, 3, 2, 1, 1, ACT_LEAKY},
    {"tiny", 104, 64, 64, 3, 1, 1, 1, ACT_LEAKY},
    {"tiny", 104, 32, 32, 3, 1, 1, 2, ACT_LEAKY},
    {"tiny", 104, 64, 64, 1, 1, 1, 1, ACT_LEAKY},
    {"tiny", 52, 128, 128, 3, 1, 1, 1, ACT_LEAKY},
    {"tiny", 52, 64, 64, 3, 1, 1, 2, ACT_LEAKY},
    {"tiny", 52, 128, 128, 1, 1, 1, 1, ACT_LEAKY},
    {"tiny", 26, 256, 256, 3, 1, 1, 1, ACT_LEAKY},
    {"tiny", 26, 128, 128, 3, 1, 1, 2, ACT_LEAKY},
    {"tiny", 26, 256, 256, 1, 1, 1, 1, ACT_LEAKY},
    {"tiny", 26, 384, 256, 3, 1, 1, 1, ACT_LEAKY},
    {"tiny", 26, 256, 255, 1, 1, 1, 1, ACT_LINEAR},
    {"tiny", 13, 512, 512, 3, 1, 1, 1, ACT_LEAKY},
    {"tiny", 13, 512, 256, 1, 1, 1, 1, ACT_LEAKY},
    {"tiny", 13, 256, 512, 3, 1, 1, 1, ACT_LEAKY},
    {"tiny", 13, 512, 255, 1, 1, 1, 1, ACT_LINEAR},
    {"tiny", 13, 256, 128, 1, 1, 1, 1, ACT_LEAKY},
    {"fastest", 320, 3, 8, 3, 2, 1, 1, ACT_LEAKY},
    {"fastest", 160, 8, 8, 3, 1, 8, 1, ACT_LEAKY},
    {"fastest", 160, 8, 4, 1, 1, 1, 1, ACT_LINEAR},
    {"fastest", 160, 24, 24, 3, 2, 24, 1, ACT_LEAKY},
    {"fastest", 80, 24, 8, 1, 1, 1, 1, ACT_LINEAR},
    {"fastest", 80, 8, 32, 1, 1, 1, 3, ACT_LEAKY},
    {"fastest", 80, 32, 32, 3, 1, 32, 3, ACT_LEAKY},
    {"fastest", 40, 48, 48, 3, 1, 48, 4, ACT_LEAKY},
    {"fastest", 20, 96, 96, 3, 1, 96, 4, ACT_LEAKY},
    {"fastest", 20, 16, 96, 1, 1, 1, 4, ACT_LEAKY},
    {"fastest", 20, 136, 24, 1, 1, 1, 4, ACT_LINEAR},
    {"fastest", 20, 96, 96, 5, 1, 96, 2, ACT_LEAKY},
    {"fastest", 10, 224, 48, 1, 1, 1, 5, ACT_LINEAR},
    {"fastest", 10, 48, 272, 1, 1, 1, 1, ACT_LEAKY},
};

/* One thread is timed by its own processor time, so that a busy machine disturbs less. */
static double seconds(void)
{
    struct timespec now;
    clock_gettime(parallel_threads() == 1 ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static float *block(size_t count)
{
    float *floats = mem_alloc(count, sizeof *floats);
    if (!floats) {
        fprintf(stderr, "bench_conv: out of memory\n");
        exit(1);
    }
    unsigned state = 1;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        floats[i] = (float)(state >> 8) / 8388608.0f - 1.0f;
    }
    return floats;
}

static struct conv_geometry geometry_of(const struct bench_shape *s)
{
    int pad = s->kernel / 2, out = (s->size + 2 * pad - s->kernel) / s->stride + 1;
    return (struct conv_geometry){.in_h = s->size,
                                  .in_w = s->size,
                                  .in_c = s->in_c,
                                  .filters = s->filters,
                                  .groups = s->groups,
                                  .kernel_h = s->kernel,
                                  .kernel_w = s->kernel,
                                  .stride_y = s->stride,
                                  .stride_x = s->stride,
                                  .pad_y = pad,
                                  .pad_x = pad,
                                  .dilation = 1,
                                  .out_h = out,
                                  .out_w = out};
}

/* Sweep through more memory than L2 holds (and, for the weights, a good part of L3): layers of a
 * network find their input in L3 and their weights in memory. */
static float evict(float *sweep, size_t count)
{
    float sum = 0.0f;
    for (size_t i = 0; i < count; i += 16) {
        sum += sweep[i];
    }
    return sum;
}

enum { SWEEP_FLOATS = 1 << 22 };

/* The fastest of several runs, in seconds. */
static double time_conv(const struct kernels *kern, const struct bench_shape *s,
                        enum conv_algorithm algorithm, float *sweep)
{
    struct conv_geometry g = geometry_of(s);
    size_t weight_count =
        (size_t)g.filters * (size_t)(g.in_c / g.groups) * (size_t)(g.kernel_h * g.kernel_w);
    float *weights = block(weight_count), *shift = block((size_t)g.filters);
    float *packed = mem_alloc(conv_packed_floats(kern, &g, algorithm), sizeof *packed);
    void *scratch = mem_alloc(conv_scratch_bytes(kern, &g, algorithm), 1);
    struct tensor in = {.n = 1, .h = g.in_h, .w = g.in_w, .c = g.in_c, .stride = (size_t)g.in_c};
    struct tensor out = {
        .n = 1, .h = g.out_h, .w = g.out_w, .c = g.filters, .stride = (size_t)g.filters};
    in.data = block(tensor_pixels(&in) * in.stride);
    out.data = block(tensor_pixels(&out) * out.stride);
    struct conv_epilogue e = {.scale = shift, .shift = shift, .act = s->act};
    conv_pack(kern, &g, algorithm, weights, packed);
    double best = 1e9, began = seconds();
    for (int run = 0; run < 200 && (run < 5 || seconds() - began < 0.15); run++) {
        volatile float keep = evict(sweep, SWEEP_FLOATS);
        (void)keep;
        double start = seconds();
        conv_forward(kern, &g, algorithm, packed, &e, &in, &out, scratch);
        double took = seconds() - start;
        best = took < best ? took : best;
    }
    mem_free(weights);
    mem_free(shift);
    mem_free(packed);
    mem_free(scratch);
    mem_free(in.data);
    mem_free(out.data);
    return best;
}

static bool possible(const struct bench_shape *s, enum conv_algorithm algorithm)
{
    switch (algorithm) {
    case CONV_WINOGRAD:
        return s->kernel == 3 && s->stride == 1 && s->groups == 1;
    case CONV_DEPTHWISE:
        return s->groups > 1;
    default:
        return s->groups == 1;
    }
}

int main(int argc, char **argv)
{
    struct error err;
    const struct kernels *kern;
    if (kernels_select(argc > 1 ? argv[1] : NULL, &kern, &err) != OK) {
        fprintf(stderr, "bench_conv: %s\n", err.text);
        return 2;
    }
    parallel_set_threads(argc > 2 ? atoi(argv[2]) : 0);
    static const char *const names[] = {"direct", "winograd", "depthwise"};
    float *sweep = block(SWEEP_FLOATS);
    double total = 0.0;
    printf("# %s, %d threads\n", kernels_isa(kern), parallel_threads());
    printf("%-8s %4s %5s %5s %2s %2s  %-9s %9s %9s\n", "network", "size", "c", "k", "s", "st",
           "algorithm", "us", "GFLOP/s");
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        const struct bench_shape *s = &shapes[i];
        if (argc > 3 && !strstr(s->network, argv[3])) {
            continue;
        }
        struct conv_geometry g = geometry_of(s);
        double flops =
            2.0 * g.out_h * g.out_w * g.filters * (g.in_c / g.groups) * s->kernel * s->kernel;
        for (int a = CONV_INDIRECT; a <= CONV_DEPTHWISE; a++) {
            if (!possible(s, (enum conv_algorithm)a)) {
                continue;
            }
            bool chosen = conv_choose(kern, &g, true) == (enum conv_algorithm)a;
            double took = time_conv(kern, s, (enum conv_algorithm)a, sweep);
            total += chosen ? took * s->count : 0.0;
            printf("%-8s %4d %5d %5d %2d %2d  %-9s %9.1f %9.1f %s\n", s->network, s->size, s->in_c,
                   s->filters, s->kernel, s->stride, names[a], took * 1e6, flops / took * 1e-9,
                   chosen ? "*" : "");
        }
    }
    printf("# chosen algorithms, times the number of such layers: %.2f ms\n", total * 1e3);
    mem_free(sweep);
    return 0;
}
