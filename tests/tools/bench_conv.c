/* Speed of the convolution engine by layer shape and algorithm: `make bench-conv`.
 *
 *   bench_conv [isa] [threads] [part of a shape as "tiny 416 3 32 3 2"] [batch: the gradients as well]
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
#include "kernels/activate.h"
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

/* The forward algorithms in conv.h's order, then what training adds. */
enum pass { DIRECT, WINOGRAD, DEPTHWISE, PACK, DATA, WEIGHTS, PASS_COUNT };
static const char *const pass_names[PASS_COUNT] = {"direct",   "winograd", "depthwise",
                                                   "packback", "data",     "weights"};

/* Everything the passes of one shape read and write. */
struct setup {
    const struct kernels *kern;
    struct conv_geometry g;
    struct conv_epilogue epilogue;
    struct tensor in, out;
    float *weights, *scale, *packed;
    void *scratch;
};

static struct tensor tensor_make(int n, int h, int w, int c)
{
    struct tensor t = {.n = n, .h = h, .w = w, .c = c, .stride = (size_t)c};
    t.data = block(tensor_pixels(&t) * t.stride);
    return t;
}

static struct setup setup_make(const struct kernels *kern, const struct bench_shape *s,
                               enum pass pass, int batch)
{
    struct conv_geometry g = geometry_of(s);
    bool forward = pass <= DEPTHWISE;
    enum conv_algorithm algorithm = forward ? (enum conv_algorithm)pass : CONV_INDIRECT;
    struct setup u = {.kern = kern, .g = g};
    u.weights =
        block((size_t)g.filters * (size_t)(g.in_c / g.groups) * (size_t)(g.kernel_h * g.kernel_w));
    u.scale = block((size_t)g.filters);
    u.epilogue = (struct conv_epilogue){.scale = u.scale, .shift = u.scale, .act = s->act};
    u.packed = block(forward ? conv_packed_floats(kern, &g, algorithm)
                             : conv_backward_packed_floats(kern, &g));
    size_t scratch = forward ? conv_scratch_bytes(kern, &g, algorithm)
                             : conv_backward_scratch_bytes(kern, &g, batch);
    u.scratch = block(scratch / sizeof(float) + 1);
    u.in = tensor_make(batch, g.in_h, g.in_w, g.in_c);
    u.out = tensor_make(batch, g.out_h, g.out_w, g.filters);
    if (forward) {
        conv_pack(kern, &g, algorithm, u.weights, u.packed);
    } else {
        conv_pack_backward(kern, &g, u.weights, g.in_c / g.groups, u.packed);
    }
    return u;
}

static void setup_free(struct setup *u)
{
    mem_free(u->weights);
    mem_free(u->scale);
    mem_free(u->packed);
    mem_free(u->scratch);
    mem_free(u->in.data);
    mem_free(u->out.data);
}

static void run_pass(const struct setup *u, enum pass pass)
{
    switch (pass) {
    case PACK:
        conv_pack_backward(u->kern, &u->g, u->weights, u->g.in_c / u->g.groups, u->packed);
        break;
    case DATA:
        conv_backward_data(u->kern, &u->g, u->packed, &u->out, &u->in, false, u->scratch);
        break;
    case WEIGHTS:
        conv_backward_weights(u->kern, &u->g, &u->in, &u->out, u->weights, u->scratch);
        break;
    default:
        conv_forward(u->kern, &u->g, (enum conv_algorithm)pass, u->packed, &u->epilogue, &u->in,
                     &u->out, false, u->scratch);
        break;
    }
}

/* The fastest of several runs, in seconds. */
static double time_pass(const struct kernels *kern, const struct bench_shape *s, enum pass pass,
                        int batch, float *sweep)
{
    struct setup u = setup_make(kern, s, pass, batch);
    double best = 1e9, began = seconds();
    for (int run = 0; run < 200 && (run < 5 || seconds() - began < 0.15); run++) {
        volatile float keep = evict(sweep, SWEEP_FLOATS);
        (void)keep;
        double start = seconds();
        run_pass(&u, pass);
        double took = seconds() - start;
        best = took < best ? took : best;
    }
    setup_free(&u);
    return best;
}

static bool possible(const struct bench_shape *s, enum pass pass, bool training)
{
    switch (pass) {
    case DIRECT:
        return s->groups == 1;
    case WINOGRAD:
        return s->kernel == 3 && s->stride == 1 && s->groups == 1;
    case DEPTHWISE:
        return s->groups > 1;
    default:
        return training;
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
    int batch = argc > 4 ? atoi(argv[4]) : 1;
    float *sweep = block(SWEEP_FLOATS);
    double forward = 0.0, totals[PASS_COUNT] = {0};
    printf("# %s, %d threads, batch %d\n", kernels_isa(kern), parallel_threads(), batch);
    printf("%-8s %4s %5s %5s %2s %2s  %-9s %9s %9s\n", "network", "size", "c", "k", "s", "st",
           "pass", "us", "GFLOP/s");
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        const struct bench_shape *s = &shapes[i];
        char name[64];
        snprintf(name, sizeof name, "%s %d %d %d %d %d", s->network, s->size, s->in_c, s->filters,
                 s->kernel, s->stride);
        if (argc > 3 && !strstr(name, argv[3])) {
            continue;
        }
        struct conv_geometry g = geometry_of(s);
        double flops = 2.0 * batch * g.out_h * g.out_w * g.filters * (g.in_c / g.groups) *
                       s->kernel * s->kernel;
        for (enum pass a = DIRECT; a < PASS_COUNT; a++) {
            if (!possible(s, a, argc > 4)) {
                continue;
            }
            bool chosen = a <= DEPTHWISE && (enum pass)conv_choose(kern, &g) == a;
            double took = time_pass(kern, s, a, batch, sweep);
            forward += chosen ? took * s->count : 0.0;
            totals[a] += took * s->count;
            printf("%-8s %4d %5d %5d %2d %2d  %-9s %9.1f %9.1f %s\n", s->network, s->size, s->in_c,
                   s->filters, s->kernel, s->stride, pass_names[a], took * 1e6, flops / took * 1e-9,
                   chosen ? "*" : "");
        }
    }
    printf("# chosen algorithms, times the number of such layers: %.2f ms\n", forward * 1e3);
    for (enum pass a = PACK; a < PASS_COUNT && argc > 4; a++) {
        printf("# %s: %.2f ms\n", pass_names[a], totals[a] * 1e3);
    }
    mem_free(sweep);
    return 0;
}
