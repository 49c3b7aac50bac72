/* Every algorithm on every instruction set against an obvious convolution in double. Inputs have
 * NaN between their pixels and in front and behind; outputs have canaries there. */
#include "base/parallel.h"
#include "conv_case.h"
#include "kernels/activate.h"
#include "kernels/peak.h"
#include "kernels/slots.h"

/* One convolution with its data and its exact result. */
struct problem {
    struct conv_geometry g;
    struct conv_epilogue e;
    struct padded in;
    float *weights, *scale, *shift;
    double *want;
    double largest;
};

static double reference_sum(const struct problem *p, int n, int y, int x, int k)
{
    const struct conv_geometry *g = &p->g;
    int channels = g->in_c / g->groups, group = k / (g->filters / g->groups);
    double sum = 0.0;
    for (int r = 0; r < g->kernel_h; r++) {
        for (int s = 0; s < g->kernel_w; s++) {
            int iy = y * g->stride_y - g->pad_y + r * g->dilation;
            int ix = x * g->stride_x - g->pad_x + s * g->dilation;
            if (iy < 0 || iy >= g->in_h || ix < 0 || ix >= g->in_w) {
                continue;
            }
            const float *in = tensor_at(&p->in.t, n, iy, ix) + group * channels;
            const float *w = p->weights +
                             ((size_t)k * (size_t)channels * (size_t)g->kernel_h + (size_t)r) *
                                 (size_t)g->kernel_w +
                             (size_t)s;
            for (int c = 0; c < channels; c++) {
                sum += (double)in[c] * (double)w[(size_t)c * (size_t)(g->kernel_h * g->kernel_w)];
            }
        }
    }
    return sum;
}

static size_t out_index(const struct conv_geometry *g, int n, int y, int x, int k)
{
    return (((size_t)n * (size_t)g->out_h + (size_t)y) * (size_t)g->out_w + (size_t)x) *
               (size_t)g->filters +
           (size_t)k;
}

static void problem_reference(struct problem *p)
{
    const struct conv_geometry *g = &p->g;
    p->largest = 0.0;
    for (int n = 0; n < p->in.t.n; n++) {
        for (int y = 0; y < g->out_h; y++) {
            for (int x = 0; x < g->out_w; x++) {
                for (int k = 0; k < g->filters; k++) {
                    double v = reference_sum(p, n, y, x, k);
                    v = v * (p->e.scale ? (double)p->e.scale[k] : 1.0) +
                        (p->e.shift ? (double)p->e.shift[k] : 0.0);
                    p->largest = fabs(v) > p->largest ? fabs(v) : p->largest;
                    p->want[out_index(g, n, y, x, k)] = activation_value(p->e.act, v);
                }
            }
        }
    }
}

static float *noise_block(size_t count, unsigned *seed)
{
    float *block = need(mem_alloc(count, sizeof *block));
    for (size_t i = 0; i < count; i++) {
        block[i] = test_noise(seed);
    }
    return block;
}

/* g without its output size. extra_stride > 0 leaves gaps of NaN between the input's pixels. */
static struct problem problem_make(struct conv_geometry g, int n, int extra_stride, unsigned seed)
{
    g = with_output(g);
    struct problem p = {.g = g};
    struct shape s = {g.in_h, g.in_w, g.in_c};
    p.in = padded_noise(n, s, extra_stride, NAN, &seed);
    size_t taps = (size_t)g.kernel_h * (size_t)g.kernel_w;
    p.weights = noise_block((size_t)g.filters * (size_t)(g.in_c / g.groups) * taps, &seed);
    p.scale = noise_block((size_t)g.filters, &seed);
    p.shift = noise_block((size_t)g.filters, &seed);
    p.want = mem_alloc(out_index(&g, n, 0, 0, 0), sizeof *p.want);
    p.e = (struct conv_epilogue){.scale = p.scale, .shift = p.shift, .act = ACT_LINEAR};
    return p;
}

static void problem_free(struct problem *p)
{
    mem_free(p->in.block);
    mem_free(p->weights);
    mem_free(p->scale);
    mem_free(p->shift);
    mem_free(p->want);
}

/* The convolution of `in` into a fresh output with gaps, and `again` as many times added to it; scratch and packed weights have
 * exactly the promised sizes and start as noise. */
static struct padded convolve_again(const struct kernels *kern, const struct problem *p,
                                    enum conv_algorithm algorithm, const struct tensor *in,
                                    int extra_stride, int again)
{
    const struct conv_geometry *g = &p->g;
    struct shape s = {g->out_h, g->out_w, g->filters};
    struct padded out = padded_make(in->n, s, extra_stride, canary);
    float *packed = need(mem_alloc_raw(conv_packed_floats(kern, g, algorithm), sizeof *packed));
    size_t scratch_bytes = conv_scratch_bytes(kern, g, algorithm);
    void *scratch = need(mem_alloc_raw(scratch_bytes, 1));
    conv_pack(kern, g, algorithm, p->weights, packed);
    for (int i = 0; i <= again; i++) {
        memset(scratch, 0xff, scratch_bytes);
        conv_forward(kern, g, algorithm, packed, &p->e, in, &out.t, i > 0, scratch);
    }
    mem_free(packed);
    mem_free(scratch);
    return out;
}

static struct padded convolve(const struct kernels *kern, const struct problem *p,
                              enum conv_algorithm algorithm, const struct tensor *in,
                              int extra_stride)
{
    return convolve_again(kern, p, algorithm, in, extra_stride, 0);
}

/* An output that was added to itself is twice as large, to the bit. */
static bool is_twice(const struct tensor *once, const struct tensor *twice)
{
    for (size_t i = 0; i < tensor_pixels(once); i++) {
        for (size_t k = 0; k < (size_t)once->c; k++) {
            if (twice->data[i * twice->stride + k] != 2.0f * once->data[i * once->stride + k]) {
                return false;
            }
        }
    }
    return true;
}

/* Largest |got - want| relative to the largest output before activation; infinite if any is NaN. */
static double worst_error(const struct problem *p, const struct tensor *out)
{
    double worst = 0.0;
    size_t filters = (size_t)p->g.filters;
    for (size_t i = 0; i < tensor_pixels(out); i++) {
        for (size_t k = 0; k < filters; k++) {
            double error = fabs((double)out->data[i * out->stride + k] - p->want[i * filters + k]);
            if (!(error <= worst)) {
                worst = isnan(error) ? (double)INFINITY : error;
            }
        }
    }
    return worst / p->largest;
}

static void describe(char *text, size_t size, const struct problem *p, const char *isa,
                     enum conv_algorithm algorithm)
{
    const struct conv_geometry *g = &p->g;
    snprintf(
        text, size,
        "%s algorithm %d: %d x %dx%dx%d -> %d, kernel %dx%d stride %dx%d pad %d,%d dilation %d "
        "groups %d act %d",
        isa, (int)algorithm, p->in.t.n, g->in_h, g->in_w, g->in_c, g->filters, g->kernel_h,
        g->kernel_w, g->stride_y, g->stride_x, g->pad_y, g->pad_x, g->dilation, g->groups,
        (int)p->e.act);
}

static void check_problem(struct problem *p, enum conv_algorithm algorithm, double limit)
{
    problem_reference(p);
    for (int i = 0; i < ISA_COUNT; i++) {
        const struct kernels *kern = isa_kernels(ISA_NAMES[i]);
        if (!kern) {
            continue;
        }
        char text[256];
        describe(text, sizeof text, p, ISA_NAMES[i], algorithm);
        struct padded out = convolve(kern, p, algorithm, &p->in.t, 5);
        double error = worst_error(p, &out.t);
        struct padded sum = convolve_again(kern, p, algorithm, &p->in.t, 2, 1);
        bool intact = padded_intact(&out) && padded_intact(&sum), adds = is_twice(&out.t, &sum.t);
        mem_free(sum.block);
        mem_free(out.block);
        CHECK_MSG(adds, "%s: does not add", text);
        CHECK_MSG(error <= limit, "%s: error %g, limit %g", text, error, limit);
        CHECK_MSG(intact, "%s: wrote outside its output", text);
    }
}

/* Results must agree bit for bit: the batch, its images alone, one thread and two, many threads, another second-level cache. */
static void check_invariance(const struct problem *p, enum conv_algorithm algorithm)
{
    for (int i = 0; i < ISA_COUNT; i++) {
        const struct kernels *kern = isa_kernels(ISA_NAMES[i]);
        if (!kern) {
            continue;
        }
        char text[256];
        describe(text, sizeof text, p, ISA_NAMES[i], algorithm);
        parallel_set_threads(2);
        struct padded two = convolve(kern, p, algorithm, &p->in.t, 0);
        parallel_set_threads(1);
        struct padded one = convolve(kern, p, algorithm, &p->in.t, 3);
        parallel_set_threads(9);
        struct kernels other = *kern;
        other.conv.l2_floats = kern->conv.l2_floats < 300000 ? 1 << 20 : 1 << 17;
        struct padded many = convolve(&other, p, algorithm, &p->in.t, 0);
        bool threads_agree = same_bits(&one.t, &two.t) && same_bits(&one.t, &many.t);
        mem_free(many.block);
        bool images_agree = true;
        for (int n = 0; n < p->in.t.n; n++) {
            struct tensor single = p->in.t, part = one.t;
            single.data = tensor_at(&p->in.t, n, 0, 0);
            part.data = tensor_at(&one.t, n, 0, 0);
            single.n = part.n = 1;
            struct padded alone = convolve(kern, p, algorithm, &single, 0);
            images_agree = images_agree && same_bits(&alone.t, &part);
            mem_free(alone.block);
        }
        mem_free(one.block);
        mem_free(two.block);
        parallel_set_threads(2);
        CHECK_MSG(threads_agree, "%s: depends on the number of threads or the cache", text);
        CHECK_MSG(images_agree, "%s: depends on batch mates", text);
    }
}

static const double direct_limit = 1e-5, winograd_limit = 1e-5;

static void run_case(struct conv_geometry g, int n, int extra, enum conv_algorithm algorithm)
{
    struct problem p = problem_make(g, n, extra, (unsigned)(g.in_c * 131 + g.filters));
    bool transforms = algorithm == CONV_WINOGRAD || algorithm == CONV_WINOGRAD_STRIDE2;
    check_problem(&p, algorithm, transforms ? winograd_limit : direct_limit);
    problem_free(&p);
}

static void every_channel_and_filter_count(void)
{
    for (int i = 1; i <= 67 && !test_failed; i++) {
        run_case(geometry(7, i, 68 - i, 3, 1, 1), 1, i % 3, CONV_INDIRECT);
        run_case(geometry(5, 68 - i, i, 1, 1, 0), 2, i % 2, CONV_INDIRECT);
        run_case(geometry(5, 68 - i, i, 1, 1, 0), 2, i % 2, CONV_POINTWISE);
        run_case(geometry(6, i, 68 - i, 3, 1, 1), 1, i % 3, CONV_WINOGRAD);
        run_case(geometry(11, i, 68 - i, 3, 2, 1), 1, i % 3, CONV_WINOGRAD_STRIDE2);
    }
}

static void random_direct(void)
{
    unsigned seed = 7;
    for (int i = 0; i < 150 && !test_failed; i++) {
        run_case(random_geometry(&seed, 3, 3), pick(&seed, 1, 3), pick(&seed, 0, 2), CONV_INDIRECT);
    }
}

static void random_winograd(void)
{
    unsigned seed = 8;
    for (int i = 0; i < 60 && !test_failed; i++) {
        struct conv_geometry g = geometry(3, pick(&seed, 1, 40), pick(&seed, 1, 70), 3, 1, 0);
        g.in_h = pick(&seed, 3, 19);
        g.in_w = pick(&seed, 3, 23);
        g.pad_y = pick(&seed, 0, 2);
        g.pad_x = pick(&seed, 0, 2);
        run_case(g, pick(&seed, 1, 3), pick(&seed, 0, 2), CONV_WINOGRAD);
        g.in_h = pick(&seed, 3, 37);
        g.in_w = pick(&seed, 3, 41);
        g.stride_y = g.stride_x = 2;
        run_case(g, pick(&seed, 1, 3), pick(&seed, 0, 2), CONV_WINOGRAD_STRIDE2);
    }
}

/* Each number of pixels in a tile's last row and column. */
static void stride_2_edges(void)
{
    for (int h = 1; h <= 9 && !test_failed; h++) {
        for (int w = 1; w <= 9 && !test_failed; w++) {
            struct conv_geometry g = geometry(3, 18, 20, 3, 2, 1);
            g.in_h = 2 * h - h % 2;
            g.in_w = 2 * w - (w + h) % 2;
            run_case(g, 1, 0, CONV_WINOGRAD_STRIDE2);
        }
    }
}

static void random_depthwise(void)
{
    unsigned seed = 9;
    for (int i = 0; i < 150 && !test_failed; i++) {
        struct conv_geometry g = random_geometry(&seed, 3, 3);
        g.in_c = g.groups = pick(&seed, 2, 67);
        g.filters = g.in_c * (i % 3 ? 1 : pick(&seed, 2, 4));
        int side = 1 + 2 * pick(&seed, 0, 3);
        g.kernel_h = g.kernel_w = side;
        g.pad_y = g.pad_x = side / 2 * g.dilation;
        int n = pick(&seed, 1, 2), extra = pick(&seed, 0, 2);
        run_case(g, n, extra, CONV_DEPTHWISE);
        run_case(g, n, extra, CONV_INDIRECT);
    }
}

/* Which of the two runs is a matter of speed alone, unless there are so few filters that channels are summed in fours. */
static void check_bits_of_indirect(struct problem *p, enum conv_algorithm algorithm, int i)
{
    check_problem(p, algorithm, direct_limit);
    for (int k = 0; k < ISA_COUNT && !test_failed; k++) {
        const struct kernels *kern = isa_kernels(ISA_NAMES[k]);
        if (!kern || 2 * p->g.filters <= kern->conv.width) {
            continue;
        }
        struct padded one = convolve(kern, p, CONV_INDIRECT, &p->in.t, 1);
        struct padded other = convolve(kern, p, algorithm, &p->in.t, 3);
        CHECK_MSG(same_bits(&one.t, &other.t), "%s: problem %d: %dx%d, %d to %d", ISA_NAMES[k], i,
                  p->g.in_h, p->g.in_w, p->g.in_c, p->g.filters);
        mem_free(one.block);
        mem_free(other.block);
    }
}

static void pointwise_has_the_bits_of_indirect(void)
{
    unsigned seed = 10;
    for (int i = 0; i < 90 && !test_failed; i++) {
        int filters = pick(&seed, 1, i % 3 ? 130 : 9);
        struct conv_geometry g =
            geometry(pick(&seed, 1, 23), pick(&seed, 1, 130), filters, 1, 1, 0);
        struct problem p = problem_make(g, pick(&seed, 1, 3), pick(&seed, 0, 2), (unsigned)i);
        p.e.act = (enum activation)(i % ACT_FUSED_COUNT);
        check_bits_of_indirect(&p, CONV_POINTWISE, i);
        problem_free(&p);
    }
}

static void rows_have_the_bits_of_indirect(void)
{
    unsigned seed = 11;
    for (int i = 0; i < 90 && !test_failed; i++) {
        struct conv_geometry g = random_geometry(&seed, 3, 3);
        g.groups = g.dilation = 1;
        g.in_c = pick(&seed, 1, i % 2 ? 4 : 16);
        g.filters = pick(&seed, 1, i % 3 ? 70 : 9);
        struct problem p = problem_make(g, pick(&seed, 1, 3), pick(&seed, 0, 2), (unsigned)i);
        p.e.act = (enum activation)(i % ACT_FUSED_COUNT);
        check_bits_of_indirect(&p, CONV_ROWS, i);
        problem_free(&p);
    }
}

/* Inner dimension cut into several blocks; a kernel as large as the input; wide merged rows. */
static void large_inner(void)
{
    run_case(geometry(5, 700, 37, 3, 1, 1), 1, 0, CONV_INDIRECT);
    run_case(geometry(4, 3333, 33, 1, 1, 0), 1, 1, CONV_INDIRECT);
    /* More than one of the two second-level caches of check_invariance holds, less than the other. */
    run_case(geometry(60, 64, 40, 1, 1, 0), 1, 1, CONV_POINTWISE);
    run_case(geometry(100, 3, 32, 3, 1, 1), 1, 0, CONV_ROWS);
    run_case(geometry(13, 100, 19, 13, 1, 0), 2, 0, CONV_INDIRECT);
    run_case(geometry(13, 100, 19, 13, 1, 0), 1, 2, CONV_INDIRECT);
    run_case(geometry(15, 3, 34, 11, 1, 5), 1, 0, CONV_INDIRECT);
    run_case(geometry(31, 3, 32, 7, 2, 3), 2, 0, CONV_INDIRECT);
    run_case(geometry(31, 3, 32, 7, 2, 3), 2, 1, CONV_INDIRECT);
    run_case(geometry(53, 16, 40, 3, 1, 1), 1, 0, CONV_WINOGRAD);
    run_case(geometry(9, 300, 40, 3, 1, 1), 1, 0, CONV_WINOGRAD);
    run_case(geometry(26, 200, 170, 3, 1, 1), 1, 0, CONV_WINOGRAD);
    run_case(geometry(13, 200, 170, 3, 1, 1), 5, 1, CONV_WINOGRAD);
    run_case(geometry(42, 40, 20, 3, 1, 1), 1, 0, CONV_WINOGRAD);
    run_case(geometry(105, 32, 70, 3, 2, 1), 1, 0, CONV_WINOGRAD_STRIDE2);
    run_case(geometry(52, 300, 70, 3, 2, 1), 1, 1, CONV_WINOGRAD_STRIDE2);
    run_case(geometry(26, 200, 170, 3, 2, 1), 5, 1, CONV_WINOGRAD_STRIDE2);
}

/* An odd and an even number of pixels, several chunks of them, more panels than threads, a last panel that is not full; what is
 * chosen where. */
static void strassen(void)
{
    run_case(geometry(13, 256, 255, 1, 1, 0), 3, 0, CONV_STRASSEN);
    run_case(geometry(26, 288, 256, 1, 1, 0), 1, 1, CONV_STRASSEN);
    run_case(geometry(9, 160, 128, 1, 1, 0), 2, 2, CONV_STRASSEN);
    run_case(geometry(8, 1600, 512, 1, 1, 0), 1, 0, CONV_STRASSEN);
    const struct conv_geometry chosen = with_output(geometry(13, 512, 256, 1, 1, 0));
    const struct conv_geometry others[] = {
        with_output(geometry(13, 128, 128, 1, 1, 0)), with_output(geometry(13, 500, 256, 1, 1, 0)),
        with_output(geometry(7, 512, 256, 1, 1, 0)), with_output(geometry(26, 512, 256, 1, 2, 0))};
    for (int i = 0; i < ISA_COUNT; i++) {
        const struct kernels *kern = isa_kernels(ISA_NAMES[i]);
        if (!kern) {
            continue;
        }
        CHECK(conv_choose(kern, &chosen) == CONV_STRASSEN);
        CHECK(conv_choose(kernels_direct(kern), &chosen) == CONV_INDIRECT);
        for (size_t k = 0; k < sizeof others / sizeof *others; k++) {
            CHECK(conv_choose(kern, &others[k]) != CONV_STRASSEN);
        }
    }
}

static void activations_and_epilogue(void)
{
    static const enum conv_algorithm algorithms[] = {CONV_INDIRECT,         CONV_WINOGRAD,
                                                     CONV_DEPTHWISE,        CONV_POINTWISE,
                                                     CONV_WINOGRAD_STRIDE2, CONV_STRASSEN};
    for (int a = 0; a < 6; a++) {
        bool strassen = algorithms[a] == CONV_STRASSEN;
        bool is_1x1 = strassen || algorithms[a] == CONV_POINTWISE;
        int stride = algorithms[a] == CONV_WINOGRAD_STRIDE2 ? 2 : 1;
        struct conv_geometry g =
            geometry(7, strassen ? 64 : 35, strassen ? 128 : 35, is_1x1 ? 1 : 3, stride, !is_1x1);
        g.groups = algorithms[a] == CONV_DEPTHWISE ? 35 : 1;
        struct problem p = problem_make(g, 1, 1, 77);
        for (int act = 0; act < ACT_FUSED_COUNT && !test_failed; act++) {
            for (int parts = 0; parts < 4 && !test_failed; parts++) {
                p.e = (struct conv_epilogue){.scale = parts & 1 ? p.scale : NULL,
                                             .shift = parts & 2 ? p.shift : NULL,
                                             .act = (enum activation)act};
                check_problem(&p, algorithms[a], direct_limit);
            }
        }
        problem_free(&p);
    }
}

static void invariance(void)
{
    struct conv_geometry depthwise = geometry(17, 24, 24, 3, 2, 1);
    depthwise.groups = 24;
    struct conv_geometry grouped = geometry(12, 24, 40, 3, 1, 1);
    grouped.groups = 2;
    const struct {
        struct conv_geometry g;
        enum conv_algorithm algorithm;
    } cases[] = {{geometry(13, 64, 96, 3, 1, 1), CONV_INDIRECT},
                 {geometry(19, 3, 16, 3, 2, 1), CONV_INDIRECT},
                 {geometry(19, 3, 16, 3, 2, 1), CONV_ROWS},
                 {geometry(7, 600, 40, 3, 1, 1), CONV_INDIRECT},
                 {geometry(6, 40, 33, 6, 1, 0), CONV_INDIRECT},
                 {geometry(36, 64, 88, 3, 1, 1), CONV_WINOGRAD},
                 {grouped, CONV_INDIRECT},
                 {depthwise, CONV_DEPTHWISE},
                 {geometry(37, 19, 21, 1, 1, 0), CONV_POINTWISE},
                 {geometry(13, 40, 50, 3, 1, 1), CONV_WINOGRAD},
                 {geometry(45, 16, 33, 3, 1, 1), CONV_WINOGRAD},
                 {geometry(70, 64, 88, 3, 2, 1), CONV_WINOGRAD_STRIDE2},
                 {geometry(25, 40, 50, 3, 2, 0), CONV_WINOGRAD_STRIDE2},
                 {geometry(45, 200, 133, 3, 2, 1), CONV_WINOGRAD_STRIDE2}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0] && !test_failed; i++) {
        for (int n = 1; n <= 3 && !test_failed; n += 2) {
            struct problem p = problem_make(cases[i].g, n, 0, 5);
            check_invariance(&p, cases[i].algorithm);
            problem_free(&p);
        }
    }
}

static void choice_by_geometry(void)
{
    const struct kernels *kern;
    CHECK_OK(kernels_select(NULL, &kern, NULL));
    struct problem p = problem_make(geometry(52, 128, 128, 3, 1, 1), 1, 0, 1);
    CHECK(conv_choose(kern, &p.g) == CONV_WINOGRAD);
    CHECK(conv_choose(kernels_direct(kern), &p.g) == CONV_INDIRECT);
    p.g.stride_x = 2;
    CHECK(conv_choose(kern, &p.g) == CONV_INDIRECT);
    p.g.stride_y = 2;
    p.g.out_h = p.g.out_w = 26;
    CHECK(conv_choose(kern, &p.g) == (kern->conv.nr >= 16 ? CONV_WINOGRAD_STRIDE2 : CONV_INDIRECT));
    CHECK(conv_choose(kernels_direct(kern), &p.g) == CONV_INDIRECT);
    p.g.out_h = p.g.out_w = 13;
    CHECK(conv_choose(kern, &p.g) == CONV_INDIRECT);
    p.g.groups = 128;
    CHECK(conv_choose(kern, &p.g) == CONV_DEPTHWISE);
    struct conv_geometry narrow = geometry(52, 24, 64, 1, 1, 0),
                         wide = geometry(52, 256, 512, 1, 1, 0);
    narrow.out_h = narrow.out_w = wide.out_h = wide.out_w = 52;
    CHECK(conv_choose(kern, &narrow) == CONV_POINTWISE);
    CHECK(conv_choose(kern, &wide) == CONV_STRASSEN);
    CHECK(conv_choose(kernels_direct(kern), &wide) == CONV_INDIRECT);
    struct conv_geometry first = geometry(52, 3, 8, 3, 2, 1);
    CHECK(conv_choose(kern, &first) == CONV_ROWS);
    narrow.stride_y = narrow.stride_x = 2;
    narrow.out_h = narrow.out_w = 26;
    CHECK(conv_choose(kern, &narrow) == CONV_INDIRECT);
    problem_free(&p);
}

/* Sums of i and -i, halved and one added: a pair of lanes has 2 after one round, and 4 in the end. */
static void peak(void)
{
    for (int i = 0; i < ISA_COUNT; i++) {
        const struct kernels *kern = isa_kernels(ISA_NAMES[i]);
        if (kern) {
            float lanes = (float)(kern->conv.mr * kern->conv.nr);
            CHECK(kern->conv.multiply_adds(1) == lanes);
            CHECK(kern->conv.multiply_adds(100) == 2 * lanes);
            CHECK(kernels_peak(kern) > 1e7);
        }
    }
}

static const struct test_case cases[] = {
    {"every_channel_and_filter_count", every_channel_and_filter_count},
    {"random_direct", random_direct},
    {"random_winograd", random_winograd},
    {"stride_2_edges", stride_2_edges},
    {"random_depthwise", random_depthwise},
    {"pointwise_has_the_bits_of_indirect", pointwise_has_the_bits_of_indirect},
    {"rows_have_the_bits_of_indirect", rows_have_the_bits_of_indirect},
    {"large_inner", large_inner},
    {"strassen", strassen},
    {"activations_and_epilogue", activations_and_epilogue},
    {"invariance", invariance},
    {"choice_by_geometry", choice_by_geometry},
    {"peak", peak},
};

TEST_MAIN(cases)
