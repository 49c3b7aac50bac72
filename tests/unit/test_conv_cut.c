/* Is there something to do for every one of sixteen threads? The loops of convolutions as yolov4 has them at 416x416, forward
 * and backward, are cut for sixteen and run by one (the program is linked with --wrap=parallel_for), each loop by the
 * clock: so the time on sixteen cores is known, were nothing but the cut in its way. */
#include <time.h>

#include "base/parallel.h"
#include "conv_case.h"

enum { THREADS = 16, TIMES = 3 };

static const double enough = 0.6; /* of the threads' time */

void __real_parallel_for(size_t items, void (*body)(void *ctx, size_t item, int thread), void *ctx);
void __wrap_parallel_for(size_t items, void (*body)(void *ctx, size_t item, int thread), void *ctx);

static double alone, together; /* seconds */
static bool is_counting;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void __wrap_parallel_for(size_t items, void (*body)(void *ctx, size_t item, int thread), void *ctx)
{
    if (!is_counting) {
        __real_parallel_for(items, body, ctx);
        return;
    }
    double start = now();
    for (size_t i = 0; i < items; i++) {
        body(ctx, i, 0);
    }
    double took = now() - start;
    size_t turns = (items + THREADS - 1) / THREADS;
    alone += took;
    together += items > 0 ? took * (double)turns / (double)items : 0.0;
}

/* The best of some times, as others may disturb a loop of few items more than one of many. */
static double evenness(void (*run)(void *ctx), void *ctx)
{
    double best = 0.0;
    for (int i = 0; i < TIMES; i++) {
        alone = together = 0.0;
        is_counting = true;
        run(ctx);
        is_counting = false;
        double even = alone / (THREADS * together);
        best = even > best ? even : best;
    }
    return best;
}

struct conv_case {
    const struct kernels *kern;
    struct conv_geometry g;
    struct padded x, z;
    float *weights, *packed, *dw;
    void *scratch;
};

static void run_backward_weights(void *ctx)
{
    const struct conv_case *c = ctx;
    conv_backward_weights(c->kern, &c->g, &c->x.t, &c->z.t, c->dw, c->scratch);
}

static void run_backward_data(void *ctx)
{
    const struct conv_case *c = ctx;
    conv_backward_data(c->kern, &c->g, c->packed, &c->z.t, &c->x.t, false, c->scratch);
}

static void check_case(int side, int channels, int filters, int kernel, int stride)
{
    unsigned seed = 5;
    struct error err;
    struct conv_case c = {
        .g = with_output(geometry(side, channels, filters, kernel, stride, kernel / 2))};
    size_t count = (size_t)filters * (size_t)channels * (size_t)kernel * (size_t)kernel;
    CHECK(kernels_select(NULL, &c.kern, &err) == OK);
    parallel_set_threads(THREADS);
    c.x = padded_noise(1, (struct shape){side, side, channels}, 0, NAN, &seed);
    c.z = padded_noise(1, (struct shape){c.g.out_h, c.g.out_w, filters}, 0, NAN, &seed);
    c.weights = need(mem_alloc(count, sizeof(float)));
    c.dw = need(mem_alloc(count, sizeof(float)));
    c.packed = need(mem_alloc(conv_backward_packed_floats(c.kern, &c.g), sizeof(float)));
    size_t bytes = conv_backward_scratch_bytes(c.kern, &c.g, 1);
    c.scratch = memset(need(mem_alloc_raw(bytes, 1)), 0, bytes);
    conv_pack_backward(c.kern, &c.g, c.weights, channels, c.packed);
    double weights = evenness(run_backward_weights, &c), data = evenness(run_backward_data, &c);
    CHECK_MSG(weights >= enough,
              "%dx%d, %d -> %d, kernel %d, stride %d: the weights' gradient keeps %.2f busy", side,
              side, channels, filters, kernel, stride, weights);
    CHECK_MSG(data >= enough,
              "%dx%d, %d -> %d, kernel %d, stride %d: the input's gradient keeps %.2f busy", side,
              side, channels, filters, kernel, stride, data);
    mem_free(c.x.block);
    mem_free(c.z.block);
    mem_free(c.weights);
    mem_free(c.dw);
    mem_free(c.packed);
    mem_free(c.scratch);
}

static void pointwise(void)
{
    check_case(13, 1024, 512, 1, 1);
    check_case(13, 1024, 255, 1, 1);
    check_case(26, 512, 256, 1, 1);
    check_case(26, 256, 256, 1, 1);
    check_case(52, 256, 128, 1, 1);
    check_case(52, 128, 128, 1, 1);
    check_case(104, 128, 64, 1, 1);
}

static void windows(void)
{
    check_case(13, 512, 1024, 3, 1);
    check_case(26, 256, 512, 3, 1);
    check_case(26, 512, 1024, 3, 2);
    check_case(52, 128, 128, 3, 1);
    check_case(104, 128, 256, 3, 2);
}

static const struct test_case cases[] = {
    {"pointwise", pointwise},
    {"windows", windows},
};

TEST_MAIN(cases)
