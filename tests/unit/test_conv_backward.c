/* Both gradients of a convolution on every instruction set against the obvious sums in double,
 * element by element. Inputs have NaN between their pixels and around; outputs have canaries there.
 */
#include "base/parallel.h"
#include "conv_case.h"

/* One convolution, its exact gradients, and per element the sum of its terms' magnitudes. */
struct problem {
    struct conv_geometry g;
    struct padded x, dz;
    float *weights;
    size_t weight_count;
    double *dx, *dx_size; /* [n][in_h][in_w][in_c] */
    double *dw, *dw_size; /* as weights */
};

static void problem_term(struct problem *p, const int at[6], int y, int x)
{
    const struct conv_geometry *g = &p->g;
    int n = at[0], k = at[3], r = at[4], s = at[5];
    int channels = g->in_c / g->groups, first = k / (g->filters / g->groups) * channels;
    double dz = (double)tensor_at(&p->dz.t, n, at[1], at[2])[k];
    const float *in = tensor_at(&p->x.t, n, y, x) + first;
    size_t pixel = ((size_t)n * (size_t)g->in_h + (size_t)y) * (size_t)g->in_w + (size_t)x;
    for (int c = 0; c < channels; c++) {
        size_t w =
            ((size_t)(k * channels + c) * (size_t)g->kernel_h + (size_t)r) * (size_t)g->kernel_w +
            (size_t)s;
        size_t i = pixel * (size_t)g->in_c + (size_t)(first + c);
        double to_x = dz * (double)p->weights[w], to_w = dz * (double)in[c];
        p->dx[i] += to_x;
        p->dx_size[i] += fabs(to_x);
        p->dw[w] += to_w;
        p->dw_size[w] += fabs(to_w);
    }
}

static void problem_reference(struct problem *p)
{
    const struct conv_geometry *g = &p->g;
    int pixels = p->dz.t.n * g->out_h * g->out_w;
    for (int i = 0; i < pixels; i++) {
        for (int j = 0; j < g->filters * g->kernel_h * g->kernel_w; j++) {
            const int at[6] = {
                i / (g->out_h * g->out_w),       i / g->out_w % g->out_h,       i % g->out_w,
                j / (g->kernel_h * g->kernel_w), j / g->kernel_w % g->kernel_h, j % g->kernel_w};
            int y = at[1] * g->stride_y - g->pad_y + at[4] * g->dilation;
            int x = at[2] * g->stride_x - g->pad_x + at[5] * g->dilation;
            if (y >= 0 && y < g->in_h && x >= 0 && x < g->in_w) {
                problem_term(p, at, y, x);
            }
        }
    }
}

/* g without its output size. */
static struct problem problem_make(struct conv_geometry g, int n, int extra, unsigned seed)
{
    g = with_output(g);
    struct problem p = {.g = g};
    p.x = padded_noise(n, (struct shape){g.in_h, g.in_w, g.in_c}, extra, NAN, &seed);
    p.dz = padded_noise(n, (struct shape){g.out_h, g.out_w, g.filters}, extra, NAN, &seed);
    p.weight_count =
        (size_t)g.filters * (size_t)(g.in_c / g.groups) * (size_t)g.kernel_h * (size_t)g.kernel_w;
    p.weights = need(mem_alloc(p.weight_count, sizeof(float)));
    for (size_t i = 0; i < p.weight_count; i++) {
        p.weights[i] = test_noise(&seed);
    }
    size_t inputs = tensor_pixels(&p.x.t) * (size_t)g.in_c;
    p.dx = need(mem_alloc(inputs, sizeof(double)));
    p.dx_size = need(mem_alloc(inputs, sizeof(double)));
    p.dw = need(mem_alloc(p.weight_count, sizeof(double)));
    p.dw_size = need(mem_alloc(p.weight_count, sizeof(double)));
    return p;
}

static void problem_free(struct problem *p)
{
    mem_free(p->x.block);
    mem_free(p->dz.block);
    mem_free(p->weights);
    mem_free(p->dx);
    mem_free(p->dx_size);
    mem_free(p->dw);
    mem_free(p->dw_size);
}

static void describe(char *text, size_t size, const struct problem *p, const char *isa)
{
    const struct conv_geometry *g = &p->g;
    snprintf(
        text, size,
        "%s: %d x %dx%dx%d -> %dx%dx%d, kernel %dx%d stride %dx%d pad %d,%d dilation %d groups %d",
        isa, p->x.t.n, g->in_h, g->in_w, g->in_c, g->out_h, g->out_w, g->filters, g->kernel_h,
        g->kernel_w, g->stride_y, g->stride_x, g->pad_y, g->pad_x, g->dilation, g->groups);
}

/* Sized for this batch or a larger one. */
static void *scratch_make(const struct kernels *kern, const struct conv_geometry *g, int batch)
{
    size_t bytes = conv_backward_scratch_bytes(kern, g, batch + g->filters % 3);
    return memset(need(mem_alloc_raw(bytes, 1)), 0xff, bytes);
}

/* The data gradient of channels [first, first + count) into (or onto) noise with canaries; *before
 * gets what stood there. */
static struct padded data_gradient(const struct kernels *kern, const struct problem *p, int extra,
                                   bool adds, const int channels[2], struct padded *before)
{
    unsigned seed = 99, again = 99;
    struct shape s = {p->g.in_h, p->g.in_w, p->g.in_c};
    struct padded dx = padded_noise(p->x.t.n, s, extra, canary, &seed);
    *before = padded_noise(p->x.t.n, s, extra, canary, &again);
    struct conv_geometry g = p->g;
    const float *weights = p->weights + (size_t)(channels[0] * g.kernel_h * g.kernel_w);
    struct tensor wanted = tensor_channels(&dx.t, channels[0], channels[1]);
    g.in_c = channels[1];
    size_t floats = conv_backward_packed_floats(kern, &g);
    float *packed = need(mem_alloc_raw(floats, sizeof *packed));
    memset(packed, 0xff, floats * sizeof *packed);
    void *scratch = scratch_make(kern, &g, p->x.t.n);
    conv_pack_backward(kern, &g, weights, p->g.in_c / p->g.groups, packed);
    conv_backward_data(kern, &g, packed, &p->dz.t, &wanted, adds, scratch);
    mem_free(scratch);
    mem_free(packed);
    return dx;
}

/* Largest |got - want| over (sum of magnitudes + floor); infinite if any is NaN. Other channels
 * keep what they had. */
static double worst_data(const struct problem *p, const struct padded *dx, const int wanted[2],
                         const struct padded *before, bool adds, double floor_size)
{
    double worst = 0.0;
    size_t channels = (size_t)p->g.in_c;
    for (size_t i = 0; i < tensor_pixels(&dx->t); i++) {
        for (size_t c = 0; c < channels; c++) {
            bool is_wanted = (int)c >= wanted[0] && (int)c < wanted[0] + wanted[1];
            double old = (double)before->t.data[i * before->t.stride + c] * (adds || !is_wanted);
            double want = old + (is_wanted ? p->dx[i * channels + c] : 0.0);
            double size = p->dx_size[i * channels + c] + fabs(old) + floor_size;
            double error = fabs((double)dx->t.data[i * dx->t.stride + c] - want);
            error = error == 0.0 ? 0.0 : error / size;
            if (!(error <= worst)) {
                worst = isnan(error) ? (double)INFINITY : error;
            }
        }
    }
    return worst;
}

/* weights' gradient += into noise at an odd address between canaries; the caller frees block. */
static float *weights_gradient(const struct kernels *kern, const struct problem *p, float **block)
{
    size_t floats = p->weight_count + 2 * GUARD;
    *block = need(mem_alloc_raw(floats, sizeof(float)));
    for (size_t i = 0; i < floats; i++) {
        (*block)[i] = canary;
    }
    float *dw = *block + GUARD;
    for (size_t i = 0; i < p->weight_count; i++) {
        dw[i] = NAN;
    }
    void *scratch = scratch_make(kern, &p->g, p->x.t.n);
    conv_backward_weights(kern, &p->g, &p->x.t, &p->dz.t, dw, scratch);
    mem_free(scratch);
    return dw;
}

static double worst_weights(const struct problem *p, const float *dw, double floor_size)
{
    double worst = 0.0;
    for (size_t i = 0; i < p->weight_count; i++) {
        double error = fabs((double)dw[i] - p->dw[i]);
        error = error == 0.0 ? 0.0 : error / (p->dw_size[i] + floor_size);
        if (!(error <= worst)) {
            worst = isnan(error) ? (double)INFINITY : error;
        }
    }
    return worst;
}

static bool guards_intact(const struct problem *p, const float *block)
{
    for (size_t i = 0; i < GUARD; i++) {
        if (memcmp(block + i, &canary, sizeof canary) != 0 ||
            memcmp(block + GUARD + p->weight_count + i, &canary, sizeof canary) != 0) {
            return false;
        }
    }
    return true;
}

static bool is_3x3(const struct conv_geometry *g)
{
    return g->kernel_h == 3 && g->kernel_w == 3 && g->stride_y == g->stride_x && g->stride_y <= 2;
}

/* Against the sum of magnitudes. Winograd's terms reach over a whole tile, so an element near the
 * border may be measured by few of them: it gets the magnitude of a typical element as a floor. */
static const double limit = 1e-6, winograd_limit = 1e-6;

static void check_data(const struct problem *p, const struct kernels *kern, const char *isa)
{
    char text[256];
    describe(text, sizeof text, p, isa);
    bool may_winograd = is_3x3(&p->g) && !kernels_are_direct(kern);
    double floor_size = may_winograd ? (double)(p->g.filters * 9) / 4.0 : 0.0;
    int c = p->g.in_c, some = p->g.groups == 1 ? c / 3 : 0;
    const int ranges[2][2] = {{0, c}, {some, some > 0 ? (c + 2) / 3 : c}};
    for (int i = 0; i < 4; i++) {
        struct padded before;
        bool adds = i % 2;
        const int *range = ranges[i / 2];
        struct padded dx = data_gradient(kern, p, 5 - 5 * adds, adds, range, &before);
        double error = worst_data(p, &dx, range, &before, adds, floor_size);
        bool intact = padded_intact(&dx);
        mem_free(dx.block);
        mem_free(before.block);
        CHECK_MSG(error <= (may_winograd ? winograd_limit : limit),
                  "%s data adds %d, channels %d + %d: error %g", text, adds, range[0], range[1],
                  error);
        CHECK_MSG(intact, "%s data: wrote outside its output", text);
    }
}

static void check_weights(const struct problem *p, const struct kernels *kern, const char *isa)
{
    char text[256];
    describe(text, sizeof text, p, isa);
    bool may_winograd = is_3x3(&p->g) && !kernels_are_direct(kern);
    double pixels = (double)p->x.t.n * p->g.out_h * p->g.out_w;
    float *block, *dw = weights_gradient(kern, p, &block);
    double error = worst_weights(p, dw, may_winograd ? pixels / 4.0 : 0.0);
    bool intact = guards_intact(p, block);
    mem_free(block);
    CHECK_MSG(error <= (may_winograd ? winograd_limit : limit), "%s weights: error %g", text,
              error);
    CHECK_MSG(intact, "%s weights: wrote outside", text);
}

static void run_case(struct conv_geometry g, int n, int extra)
{
    struct problem p = problem_make(g, n, extra, (unsigned)(g.in_c * 131 + g.filters));
    problem_reference(&p);
    for (int i = 0; i < ISA_COUNT && !test_failed; i++) {
        const struct kernels *kern = isa_kernels(ISA_NAMES[i]);
        if (kern) {
            check_data(&p, kern, ISA_NAMES[i]);
            check_weights(&p, kern, ISA_NAMES[i]);
            if (is_3x3(&p.g)) {
                check_data(&p, kernels_direct(kern), ISA_NAMES[i]);
                check_weights(&p, kernels_direct(kern), ISA_NAMES[i]);
            }
        }
    }
    problem_free(&p);
}

/* Direct kernels sum directly in both gradients: where Winograd's would be taken, the bits are others. */
static void direct_kernels(void)
{
    struct problem p = problem_make(geometry(13, 40, 50, 3, 1, 1), 1, 0, 3);
    const int all[2] = {0, p.g.in_c};
    for (int i = 0; i < ISA_COUNT && !test_failed; i++) {
        const struct kernels *kern[2];
        struct padded dx[2], before[2];
        float *dw[2], *block[2];
        kern[0] = isa_kernels(ISA_NAMES[i]);
        if (!kern[0]) {
            continue;
        }
        kern[1] = kernels_direct(kern[0]);
        for (int k = 0; k < 2; k++) {
            dx[k] = data_gradient(kern[k], &p, 0, false, all, &before[k]);
            dw[k] = weights_gradient(kern[k], &p, &block[k]);
        }
        size_t floats = tensor_pixels(&dx[0].t) * dx[0].t.stride;
        CHECK_MSG(memcmp(dx[0].t.data, dx[1].t.data, floats * sizeof(float)) != 0, "%s: data",
                  ISA_NAMES[i]);
        CHECK_MSG(memcmp(dw[0], dw[1], p.weight_count * sizeof(float)) != 0, "%s: weights",
                  ISA_NAMES[i]);
        for (int k = 0; k < 2; k++) {
            mem_free(dx[k].block);
            mem_free(before[k].block);
            mem_free(block[k]);
        }
    }
    problem_free(&p);
}

static void every_channel_and_filter_count(void)
{
    for (int i = 1; i <= 67 && !test_failed; i++) {
        run_case(geometry(7, i, 68 - i, 3, 1, 1), 1, i % 3);
        run_case(geometry(9, i, 68 - i, 3, 2, 1), 1, i % 2);
        run_case(geometry(5, 68 - i, i, 1, 1, 0), 2, i % 2);
        run_case(geometry(13, i, 68 - i, 3, 1, 1), 1, i % 3);
    }
}

static void random_shapes(void)
{
    unsigned seed = 7;
    for (int i = 0; i < 300 && !test_failed; i++) {
        run_case(random_geometry(&seed, 4, 6), pick(&seed, 1, 3), pick(&seed, 0, 2));
    }
}

static void random_three_by_three(void)
{
    unsigned seed = 8;
    for (int i = 0; i < 60 && !test_failed; i++) {
        struct conv_geometry g = geometry(3, pick(&seed, 8, 40), pick(&seed, 8, 70), 3, 1, 0);
        g.in_h = pick(&seed, 3, 19);
        g.in_w = pick(&seed, 3, 23);
        g.pad_y = pick(&seed, 0, 4);
        g.pad_x = pick(&seed, 0, 4);
        run_case(g, pick(&seed, 1, 3), pick(&seed, 0, 2));
    }
}

/* Channels, filters and tiles enough for Winograd's algorithm of stride 2; other margins than 1 are for the direct one. */
static void random_stride_two(void)
{
    unsigned seed = 10;
    for (int i = 0; i < 12 && !test_failed; i++) {
        struct conv_geometry g = geometry(3, pick(&seed, 32, 50), pick(&seed, 64, 75), 3, 2, 1);
        g.in_h = pick(&seed, 33, 45);
        g.in_w = pick(&seed, 33, 52);
        g.pad_y = i % 4 == 0 ? pick(&seed, 0, 2) : 1;
        run_case(g, pick(&seed, 1, 2), pick(&seed, 0, 2));
    }
}

static void random_depthwise(void)
{
    unsigned seed = 9;
    for (int i = 0; i < 200 && !test_failed; i++) {
        struct conv_geometry g = random_geometry(&seed, 4, 6);
        g.in_c = g.groups = pick(&seed, 2, 67);
        g.filters = g.in_c * (i % 3 ? 1 : pick(&seed, 2, 4));
        run_case(g, pick(&seed, 1, 2), pick(&seed, 0, 2));
    }
}

/* The window is the whole input, with and without more than one position. */
static void connected_shapes(void)
{
    run_case(geometry(13, 37, 41, 13, 1, 0), 3, 0);
    run_case(geometry(7, 130, 50, 7, 1, 0), 2, 3);
    run_case(geometry(1, 300, 70, 1, 1, 0), 5, 1);
    run_case(geometry(6, 19, 33, 6, 1, 1), 2, 1);
    struct conv_geometry flat = geometry(1, 40, 33, 1, 1, 0);
    flat.in_w = flat.kernel_w = 9;
    run_case(flat, 2, 0);
}

/* Many pixels, many channels, several chunks and ranges; the narrow first layer. */
static void large_shapes(void)
{
    run_case(geometry(70, 3, 16, 3, 1, 1), 1, 0);
    run_case(geometry(71, 3, 33, 3, 2, 1), 2, 0);
    run_case(geometry(71, 3, 33, 7, 2, 3), 1, 1);
    run_case(geometry(53, 16, 40, 3, 1, 1), 1, 0);
    run_case(geometry(53, 16, 40, 3, 2, 1), 2, 1);
    run_case(geometry(11, 300, 40, 3, 1, 1), 2, 0);
    run_case(geometry(5, 40, 300, 3, 1, 1), 2, 0);
    run_case(geometry(52, 40, 70, 1, 1, 0), 2, 0);
    run_case(geometry(7, 700, 255, 1, 1, 0), 2, 2);
    run_case(geometry(9, 256, 128, 1, 1, 0), 2,
             1); /* Strassen's both ways, and with a stride not */
    run_case(geometry(17, 256, 128, 1, 2, 0), 1, 0);
    run_case(geometry(145, 3, 52, 3, 2, 1), 2, 0);
    run_case(geometry(157, 16, 17, 3, 1, 1), 1, 0); /* several blocks a chunk */
    run_case(geometry(76, 16, 300, 3, 1, 1), 1, 0);
}

static void check_threads(const struct problem *p, const struct kernels *kern, const char *isa)
{
    char text[256];
    describe(text, sizeof text, p, isa);
    struct padded before, dx[4];
    float *blocks[4], *dw[4];
    static const int threads[4] = {1, 2, 5, 16};
    const int all[2] = {0, p->g.in_c};
    for (int i = 0; i < 4; i++) {
        parallel_set_threads(threads[i]);
        dx[i] = data_gradient(kern, p, i, true, all, &before);
        mem_free(before.block);
        dw[i] = weights_gradient(kern, p, &blocks[i]);
    }
    parallel_set_threads(2);
    bool data = same_bits(&dx[0].t, &dx[1].t) && same_bits(&dx[0].t, &dx[2].t) &&
                same_bits(&dx[0].t, &dx[3].t);
    bool weights = memcmp(dw[0], dw[1], p->weight_count * sizeof(float)) == 0 &&
                   memcmp(dw[0], dw[2], p->weight_count * sizeof(float)) == 0 &&
                   memcmp(dw[0], dw[3], p->weight_count * sizeof(float)) == 0;
    for (int i = 0; i < 4; i++) {
        mem_free(dx[i].block);
        mem_free(blocks[i]);
    }
    CHECK_MSG(data, "%s: data gradient depends on the number of threads", text);
    CHECK_MSG(weights, "%s: weights' gradient depends on the number of threads", text);
}

static void thread_invariance(void)
{
    struct conv_geometry depthwise = geometry(37, 24, 24, 3, 2, 1);
    depthwise.groups = 24;
    struct conv_geometry grouped = geometry(12, 24, 40, 3, 1, 1);
    grouped.groups = 2;
    const struct conv_geometry shapes[] = {geometry(53, 64, 96, 3, 1, 1),
                                           geometry(71, 3, 32, 3, 2, 1),
                                           geometry(7, 600, 140, 3, 1, 1),
                                           geometry(40, 33, 40, 1, 1, 0),
                                           geometry(45, 20, 33, 3, 2, 1),
                                           geometry(6, 40, 33, 6, 1, 0),
                                           geometry(67, 33, 70, 3, 2, 1), /* Winograd's */
                                           geometry(38, 70, 140, 3, 2, 1),
                                           grouped,
                                           depthwise};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        struct problem p = problem_make(shapes[i], 3, 0, 5);
        for (int isa = 0; isa < ISA_COUNT && !test_failed; isa++) {
            const struct kernels *kern = isa_kernels(ISA_NAMES[isa]);
            if (kern) {
                check_threads(&p, kern, ISA_NAMES[isa]);
            }
        }
        problem_free(&p);
    }
}

/* All terms of one sign: plain running sums would lose far more over so many pixels. */
static void long_sums(void)
{
    struct problem p = problem_make(geometry(240, 3, 8, 3, 1, 1), 2, 0, 5);
    for (size_t i = 0; i < tensor_pixels(&p.x.t) * p.x.t.stride; i++) {
        p.x.t.data[i] = 1.0f + 0.5f * p.x.t.data[i];
    }
    for (size_t i = 0; i < tensor_pixels(&p.dz.t) * p.dz.t.stride; i++) {
        p.dz.t.data[i] = 1.0f + 0.5f * p.dz.t.data[i];
    }
    problem_reference(&p);
    for (int i = 0; i < ISA_COUNT && !test_failed; i++) {
        const struct kernels *kern = isa_kernels(ISA_NAMES[i]);
        if (kern) {
            float *block, *dw = weights_gradient(kern, &p, &block);
            double error = worst_weights(&p, dw, 0.0);
            mem_free(block);
            CHECK_MSG(error <= 1e-6, "%s: error %g", ISA_NAMES[i], error);
        }
    }
    problem_free(&p);
}

static const struct test_case cases[] = {
    {"direct_kernels", direct_kernels},
    {"every_channel_and_filter_count", every_channel_and_filter_count},
    {"random_shapes", random_shapes},
    {"random_three_by_three", random_three_by_three},
    {"random_stride_two", random_stride_two},
    {"random_depthwise", random_depthwise},
    {"connected_shapes", connected_shapes},
    {"large_shapes", large_shapes},
    {"thread_invariance", thread_invariance},
    {"long_sums", long_sums},
};

TEST_MAIN(cases)
