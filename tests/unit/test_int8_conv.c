/* Quantised convolutions: every instruction set and algorithm against sums in 64 bits, byte for byte. */
#include "conv_case.h"

#include "base/parallel.h"
#include "kernels/int8_conv.h"
#include "kernels/int8_epilogue.h"
#include "test.h"

static const uint8_t MARK = 0xa5; /* between pixels, behind the end */

struct byte_field {
    struct int8_tensor t;
    uint8_t *block;
    size_t bytes;
};

static struct byte_field field_of(int n, int h, int w, int c, int gap)
{
    struct byte_field f = {.t = {.n = n, .h = h, .w = w, .c = c, .stride = (size_t)(c + gap)}};
    f.bytes = int8_pixels(&f.t) * f.t.stride + 2 * GUARD;
    f.block = need(mem_alloc(f.bytes, 1));
    memset(f.block, MARK, f.bytes);
    f.t.data = f.block + GUARD;
    return f;
}

static bool is_intact(const struct byte_field *f)
{
    for (size_t i = 0; i < f->bytes; i++) {
        size_t at = i - GUARD;
        bool is_element = i >= GUARD && at < int8_pixels(&f->t) * f->t.stride &&
                          at % f->t.stride < (size_t)f->t.c;
        if (!is_element && f->block[i] != MARK) {
            return false;
        }
    }
    return true;
}

/* One layer with all that it needs. */
struct layer_case {
    struct conv_geometry g;
    struct byte_field in;
    int8_t *weights;
    float *block; /* the epilogue's arrays */
    float *steps; /* of the output */
    uint8_t *in_zeros, *zeros;
    double *scale, *shift; /* what goes into the activation */
    enum activation act;
};

static uint8_t *noise_bytes(size_t count, unsigned *seed)
{
    uint8_t *bytes = need(mem_alloc(count, 1));
    for (size_t i = 0; i < count; i++) {
        bytes[i] = (uint8_t)pick(seed, 0, 255);
    }
    return bytes;
}

static void settle_epilogue(struct layer_case *c)
{
    struct int8_terms t = int8_terms_at(c->block, c->g.filters);
    memset(c->block, 0, int8_terms_floats(c->g.filters) * sizeof(float));
    for (int k = 0; k < c->g.filters; k++) {
        t.scale[k] = (float)c->scale[k];
        t.shift[k] = (float)c->shift[k];
    }
    int8_terms_settle(&t, c->act, c->steps, c->zeros, c->g.filters);
    int8_conv_offsets(&c->g, c->weights, c->in_zeros, t.offset);
}

static struct layer_case case_of(struct conv_geometry g, int batch, enum activation act,
                                 unsigned *seed)
{
    struct layer_case c = {
        .g = g, .act = act, .in = field_of(batch, g.in_h, g.in_w, g.in_c, pick(seed, 0, 3))};
    size_t terms = (size_t)(g.in_c / g.groups) * (size_t)g.kernel_h * (size_t)g.kernel_w;
    size_t filters = (size_t)g.filters;
    c.weights = need(mem_alloc(filters * terms, 1));
    c.block = need(mem_alloc(int8_terms_floats(g.filters), sizeof(float)));
    c.steps = need(mem_alloc(filters, sizeof(float)));
    c.scale = need(mem_alloc(filters, sizeof(double)));
    c.shift = need(mem_alloc(filters, sizeof(double)));
    c.in_zeros = noise_bytes((size_t)g.in_c, seed);
    c.zeros = noise_bytes(filters, seed);
    c.in.t.zeros = c.in_zeros;
    for (size_t i = 0; i < int8_pixels(&c.in.t); i++) {
        for (int k = 0; k < g.in_c; k++) {
            c.in.t.data[i * c.in.t.stride + (size_t)k] = (uint8_t)pick(seed, 0, 255);
        }
    }
    for (size_t i = 0; i < filters * terms; i++) {
        c.weights[i] = (int8_t)pick(seed, -127, 127);
    }
    for (size_t k = 0; k < filters; k++) {
        c.scale[k] = 8 / (7300 * sqrt((double)terms)) * (0.5 + 0.4 * (double)test_noise(seed));
        c.shift[k] = (double)test_noise(seed);
        c.steps[k] = 0.037f * (1.0f + 0.9f * test_noise(seed));
    }
    settle_epilogue(&c);
    return c;
}

static void case_free(struct layer_case *c)
{
    mem_free(c->in.block);
    mem_free(c->weights);
    mem_free(c->block);
    mem_free(c->steps);
    mem_free(c->scale);
    mem_free(c->shift);
    mem_free(c->in_zeros);
    mem_free(c->zeros);
}

/* The sum over what is inside the image, in 64 bits and without the zero's tricks. */
static long long plain_sum(const struct layer_case *c, int n, int y, int x, int k)
{
    const struct conv_geometry *g = &c->g;
    int channels = g->in_c / g->groups, first = k / (g->filters / g->groups) * channels;
    long long sum = 0;
    for (int r = 0; r < g->kernel_h; r++) {
        for (int s = 0; s < g->kernel_w; s++) {
            int in_y = y * g->stride_y - g->pad_y + r * g->dilation;
            int in_x = x * g->stride_x - g->pad_x + s * g->dilation;
            if (in_y < 0 || in_y >= g->in_h || in_x < 0 || in_x >= g->in_w) {
                continue;
            }
            const uint8_t *pixel = int8_at(&c->in.t, n, in_y, in_x) + first;
            for (int i = 0; i < channels; i++) {
                int w = c->weights[((k * channels + i) * g->kernel_h + r) * g->kernel_w + s];
                sum += (long long)(pixel[i] - c->in_zeros[first + i]) * w;
            }
        }
    }
    return sum;
}

/* What the epilogue makes of it. Floats and a value in the middle of two steps leave room for the one beside it. */
static double plain_value(const struct layer_case *c, long long sum, int k)
{
    double r = (double)sum * (double)(float)c->scale[k] + (double)(float)c->shift[k];
    return activation_value(c->act, r) / (double)c->steps[k] + c->zeros[k];
}

static bool is_near(const struct layer_case *c, const struct int8_tensor *out)
{
    for (int n = 0; n < out->n; n++) {
        for (int y = 0; y < out->h; y++) {
            for (int x = 0; x < out->w; x++) {
                for (int k = 0; k < out->c; k++) {
                    double v = plain_value(c, plain_sum(c, n, y, x, k), k);
                    v = v < 0 ? 0 : v > 255 ? 255 : v;
                    double found = int8_at(out, n, y, x)[k];
                    if (fabs(found - v) > 0.505) {
                        printf("  %d %d %d %d: %g, expected %g\n", n, y, x, k, found, v);
                        return false;
                    }
                }
            }
        }
    }
    return true;
}

static struct byte_field run_case(const struct kernels *kern, const struct layer_case *c,
                                  enum int8_algorithm algorithm)
{
    struct byte_field out = field_of(c->in.t.n, c->g.out_h, c->g.out_w, c->g.filters, 2);
    struct int8_epilogue e = int8_epilogue_at(c->block, c->g.filters, c->act);
    void *packed = need(mem_alloc(int8_conv_packed_bytes(kern, &c->g, algorithm), 1));
    void *scratch = need(mem_alloc(int8_conv_scratch_bytes(kern, &c->g, algorithm, c->in.t.n), 1));
    int8_conv_pack(kern, &c->g, algorithm, c->weights, packed);
    int8_conv_forward(kern, &c->g, algorithm, packed, &e, &c->in.t, &out.t, scratch);
    mem_free(packed);
    mem_free(scratch);
    return out;
}

static int one_sign(const struct layer_case *c)
{
    size_t terms = (size_t)(c->g.in_c / c->g.groups) * (size_t)(c->g.kernel_h * c->g.kernel_w);
    int most = 0;
    for (int k = 0; k < c->g.filters; k++) {
        int above = 0, below = 0;
        for (size_t i = 0; i < terms; i++) {
            int w = c->weights[(size_t)k * terms + i];
            above += w > 0 ? w : 0;
            below -= w < 0 ? w : 0;
        }
        most = above > most ? above : most;
        most = below > most ? below : most;
    }
    return most;
}

static bool winograd_can(const struct kernels *kern, const struct layer_case *c)
{
    return int8_conv_choose(kern, &c->g, one_sign(c)) == INT8_WINOGRAD;
}

/* Scalar against the plain sums, everything else against scalar. */
static void check_case(struct layer_case *c)
{
    const struct kernels *scalar = isa_kernels("scalar");
    CHECK(int8_conv_possible(&c->g));
    enum int8_algorithm choice = int8_conv_choose(scalar, &c->g, one_sign(c));
    enum int8_algorithm plain = choice == INT8_WINOGRAD ? INT8_DIRECT : choice;
    struct byte_field truth = run_case(scalar, c, plain);
    CHECK(is_intact(&truth));
    CHECK(is_near(c, &truth.t));
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const struct kernels *kern = isa_kernels(ISA_NAMES[isa]);
        for (int pass = 0; kern && pass < 2; pass++) {
            if (pass == 1 && !winograd_can(kern, c)) {
                continue;
            }
            struct byte_field out = run_case(kern, c, pass ? INT8_WINOGRAD : plain);
            CHECK_MSG(is_intact(&out) && memcmp(out.block, truth.block, out.bytes) == 0,
                      "%s, %s: %dx%dx%d, %d filters %dx%d/%d pad %d, %s", ISA_NAMES[isa],
                      pass ? "winograd" : "plain", c->g.in_w, c->g.in_h, c->g.in_c, c->g.filters,
                      c->g.kernel_w, c->g.kernel_h, c->g.stride_x, c->g.pad_x,
                      activation_name(c->act));
            mem_free(out.block);
        }
    }
    mem_free(truth.block);
}

static void any_shape_on_any_kernels(void)
{
    unsigned seed = 1;
    for (int i = 0; i < 150 && !test_failed; i++) {
        struct conv_geometry g = random_geometry(&seed, 3, 3);
        if (pick(&seed, 0, 2) == 0) { /* depthwise */
            g.groups = g.filters = g.in_c = pick(&seed, 2, 40);
        } else {
            g.groups = 1;
        }
        struct layer_case c = case_of(with_output(g), pick(&seed, 1, 2),
                                      (enum activation)(i % ACT_FUSED_COUNT), &seed);
        check_case(&c);
        case_free(&c);
    }
}

static void winograd_gives_the_direct_sums(void)
{
    static const struct {
        int size, in_c, filters, batch;
    } shapes[] = {{13, 16, 16, 1}, {12, 17, 33, 1},  {9, 70, 40, 2}, {33, 32, 48, 1},
                  {52, 24, 16, 1}, {13, 300, 20, 1}, {40, 16, 24, 2}};
    unsigned seed = 7;
    const struct kernels *scalar = isa_kernels("scalar");
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0] && !test_failed; i++) {
        struct conv_geometry g =
            geometry(shapes[i].size, shapes[i].in_c, shapes[i].filters, 3, 1, 1);
        struct layer_case c =
            case_of(with_output(g), shapes[i].batch, i % 2 ? ACT_MISH : ACT_LEAKY, &seed);
        CHECK(winograd_can(scalar, &c));
        check_case(&c);
        case_free(&c);
    }
}

/* Sums up to what the last shift of Winograd's can bear are right, and beyond it it is not taken. */
static void extreme_weights(void)
{
    unsigned seed = 3;
    const struct kernels *scalar = isa_kernels("scalar");
    const struct conv_geometry g = with_output(geometry(12, 114, 16, 3, 1, 1));
    for (int sign = -1; sign <= 1; sign += 2) {
        struct layer_case c = case_of(g, 1, ACT_LINEAR, &seed);
        memset(c.weights, sign < 0 ? -127 : 127, (size_t)g.filters * 114 * 9);
        for (size_t i = 0; i < int8_pixels(&c.in.t); i++) {
            memset(c.in.t.data + i * c.in.t.stride, 255, 114);
        }
        memset(c.in_zeros, 0, 114);
        for (int k = 0; k < g.filters; k++) {
            c.scale[k] = 1e-7 * (k + 1);
        }
        settle_epilogue(&c);
        CHECK(winograd_can(scalar, &c));
        check_case(&c);
        case_free(&c);
    }
    struct layer_case c =
        case_of(with_output(geometry(12, 116, 16, 3, 1, 1)), 1, ACT_LINEAR, &seed);
    memset(c.weights, 127, (size_t)16 * 116 * 9);
    CHECK(!winograd_can(scalar, &c));
    case_free(&c);
    CHECK(!int8_conv_possible(&(struct conv_geometry){
        .in_c = 8000, .groups = 1, .filters = 1, .kernel_h = 3, .kernel_w = 3}));
    CHECK(!int8_conv_possible(&(struct conv_geometry){
        .in_c = 8, .groups = 2, .filters = 8, .kernel_h = 3, .kernel_w = 3}));
}

static void any_number_of_threads(void)
{
    unsigned seed = 5;
    struct layer_case c = case_of(with_output(geometry(37, 20, 40, 3, 1, 1)), 2, ACT_SWISH, &seed);
    const struct kernels *kern;
    struct error err;
    CHECK_OK(kernels_select(NULL, &kern, &err));
    for (int algorithm = INT8_DIRECT; algorithm <= INT8_WINOGRAD; algorithm++) {
        parallel_set_threads(1);
        struct byte_field one = run_case(kern, &c, (enum int8_algorithm)algorithm);
        for (int threads = 2; threads <= 5; threads++) {
            parallel_set_threads(threads);
            struct byte_field many = run_case(kern, &c, (enum int8_algorithm)algorithm);
            CHECK(memcmp(one.block, many.block, one.bytes) == 0);
            mem_free(many.block);
        }
        mem_free(one.block);
    }
    parallel_set_threads(0);
    case_free(&c);
}

static const struct test_case cases[] = {
    {"any_shape_on_any_kernels", any_shape_on_any_kernels},
    {"winograd_gives_the_direct_sums", winograd_gives_the_direct_sums},
    {"extreme_weights", extreme_weights},
    {"any_number_of_threads", any_number_of_threads},
};

TEST_MAIN(cases)
