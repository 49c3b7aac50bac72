/* Activations, element-wise operations and what all operations promise, on every instruction set of
 * this machine against obvious references in double. */
#include "kernels/activate.h"
#include "kernels/elementwise.h"
#include "kernels/kernels.h"
#include "kernels/pool.h"
#include "kernels/slots.h"
#include "kernels/softmax.h"

#include <float.h>
#include <stdint.h>

#include "base/parallel.h"
#include "cfg/cfg.h"
#include "field.h"
#include "layers/layer.h"
#include "test.h"

/* ---- activation.h ---- */

/* The activation of a layer's section by that name. */
static bool activation_from_name(const char *name, enum activation *act)
{
    char text[96];
    struct cfg cfg = {0};
    struct error err;
    int length = snprintf(text, sizeof text, "[activation]\nactivation=%s\n", name);
    bool is_known = cfg_parse("t.cfg", text, (size_t)length, &cfg, &err) == OK;
    struct layer l = {.section = cfg.sections};
    is_known = is_known && layer_activation(&l, ACT_COUNT, act, &err) == OK;
    cfg_free(&cfg);
    return is_known;
}

static void test_names(void)
{
    enum activation act;
    for (int i = 0; i < ACT_COUNT; i++) {
        CHECK(activation_from_name(activation_name((enum activation)i), &act));
        CHECK((int)act == i);
    }
    CHECK(activation_from_name("hard_mish", &act) && act == ACT_HARD_MISH);
    CHECK(activation_from_name("normalize_channels_softmax_maxval", &act));
    CHECK(!activation_from_name("Mish", &act) && !activation_from_name("", &act));
}

/* The textbook forms, good for moderate x. */
static double textbook(enum activation act, double x)
{
    double s = 1 / (1 + exp(-x));
    double whole = floor(x);
    bool even = whole / 2 == floor(whole / 2);
    switch (act) {
    case ACT_LEAKY:
    case ACT_REVLEAKY:
        return x > 0 ? x : x / 10;
    case ACT_RELU:
        return fmax(x, 0);
    case ACT_RELU6:
        return fmin(fmax(x, 0), 6);
    case ACT_LOGISTIC:
        return s;
    case ACT_MISH:
        return x * tanh(log(1 + exp(x)));
    case ACT_SWISH:
        return x * s;
    case ACT_HARD_MISH:
        return x > 0 ? x : x > -2 ? x * x / 2 + x : 0;
    case ACT_LOGGY:
        return 2 * s - 1;
    case ACT_RAMP:
        return x * (x > 0) + x / 10;
    case ACT_RELIE:
        return x > 0 ? x : x / 100;
    case ACT_ELU:
        return x >= 0 ? x : exp(x) - 1;
    case ACT_SELU:
        return 1.0507 * (x >= 0 ? x : 1.6732 * (exp(x) - 1));
    case ACT_GELU:
        return x / 2 * (1 + tanh(0.797885 * x + 0.035677 * pow(x, 3)));
    case ACT_TANH:
        return 2 / (1 + exp(-2 * x)) - 1;
    case ACT_HARDTAN:
        return fmin(fmax(x, -1), 1);
    case ACT_LHTAN:
        return x < 0 ? x / 1000 : x > 1 ? (x - 1) / 1000 + 1 : x;
    case ACT_PLSE:
        return x < -4 ? (x + 4) / 100 : x > 4 ? (x - 4) / 100 + 1 : x / 8 + 0.5;
    case ACT_STAIR:
        return even ? whole / 2 : x - whole + floor(x / 2);
    default:
        return x;
    }
}

static void test_values(void)
{
    for (int i = 0; i < ACT_NORM_CHAN; i++) {
        enum activation act = (enum activation)i;
        for (double x = -8.03; x < 8; x += 0.01) {
            double want = textbook(act, x);
            CHECK_MSG(fabs(activation_value(act, x) - want) <= 1e-13 * (1 + fabs(want)),
                      "%s(%g) = %.17g, expected %.17g", activation_name(act), x,
                      activation_value(act, x), want);
        }
        CHECK_MSG(isnan(activation_value(act, (double)NAN)), "%s(NaN)", activation_name(act));
    }
    CHECK_NEAR(activation_value(ACT_MISH, 1), 0.86509838826731034, 1e-15);
    CHECK_NEAR(activation_value(ACT_MISH, 1e30), 1e30, 0);
    CHECK_NEAR(activation_value(ACT_MISH, -50) / (-50 * exp(-50)), 1, 1e-14);
    CHECK_NEAR(activation_value(ACT_SWISH, -800) * 1e300, 0, 1e-15);
    CHECK_NEAR(activation_value(ACT_LOGISTIC, -700) / exp(-700), 1, 1e-14);
    CHECK_NEAR(activation_value(ACT_STAIR, 3.25), 1.25, 0);
}

/* ---- the table ---- */

static void test_select(void)
{
    const struct kernels *kern = NULL;
    struct error err;
    CHECK_OK(kernels_select(NULL, &kern, &err));
    const char *best = kernels_isa(kern);
    CHECK_OK(kernels_select("auto", &kern, &err));
    CHECK(strcmp(kernels_isa(kern), best) == 0);
    CHECK(kernels_select("sse9", &kern, &err) == ERR_ARG);
    CHECK(strstr(err.text, "sse9") && strstr(err.text, "scalar") && strstr(err.text, "avx512"));
    CHECK(kernels_select("", &kern, &err) == ERR_ARG);
    const char *last = NULL;
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        if (kernels_select(ISA_NAMES[isa], &kern, &err) != OK) {
            CHECK(err.code == ERR_ARG && strstr(err.text, ISA_NAMES[isa]));
            skip_part(ISA_NAMES[isa]);
            continue;
        }
        last = ISA_NAMES[isa];
        CHECK(strcmp(kernels_isa(kern), last) == 0);
        const struct op_slots *ops = &kern->ops;
        CHECK(ops->activate && ops->add && ops->multiply);
        CHECK(ops->multiply_pixel && ops->max_window);
        CHECK(ops->upsample && ops->softmax);
        const struct conv_slots *conv = &kern->conv;
        CHECK(conv->mr > 0 && conv->nr > 0 && conv->tile && conv->finish);
        CHECK(conv->winograd.input && conv->winograd_stride2.output && conv->depthwise);
    }
    CHECK(last && strcmp(last, best) == 0);
}

/* ---- accuracy ---- */

/* Units in the last place; where e^x is denormal there is an absolute bound as well. */
static bool activation_close(enum activation act, float x, float got)
{
    static const double bounds[ACT_FUSED_COUNT] = {
        [ACT_LEAKY] = 1, [ACT_LOGISTIC] = 3, [ACT_MISH] = 4, [ACT_SWISH] = 4, [ACT_HARD_MISH] = 2};
    double want = activation_value(act, (double)x);
    double bound = act < ACT_FUSED_COUNT ? bounds[act] : 1;
    bool denormal = x < -87.3f && fabs((double)got - want) <= 2e-43;
    return ulps(got, want) <= bound || denormal;
}

enum { SWEEP = 1021 };

/* Floats whose bits are `first` and so many steps on; the first few are special ones. */
static void sweep(const struct kernels *kern, enum activation act, uint32_t first, uint32_t step,
                  int rounds)
{
    static const float specials[] = {0.0f,  -0.0f,   88.0f,    -88.0f,    104.0f,  -104.0f,
                                     -2.0f, 6.0f,    FLT_MAX,  -FLT_MAX,  FLT_MIN, -FLT_MIN,
                                     20.0f, -105.0f, INFINITY, -INFINITY, 1e-45f,  -1e-45f};
    float x[SWEEP], y[SWEEP];
    struct op_block block = {.a = x, .out = y, .pixels = 1, .channels = SWEEP};
    uint32_t bits = first;
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < SWEEP; i++) {
            memcpy(x + i, &bits, sizeof(bits));
            bits += step;
        }
        if (round == 0) {
            memcpy(x, specials, sizeof(specials));
        }
        kern->ops.activate(&block, act, NULL, NULL);
        for (int i = 0; i < SWEEP; i++) {
            CHECK_MSG(activation_close(act, x[i], y[i]), "%s %s(%.9g) = %.9g, expected %.9g",
                      kernels_isa(kern), activation_name(act), (double)x[i], (double)y[i],
                      activation_value(act, (double)x[i]));
            CHECK_MSG(!isfinite(x[i]) || isfinite(y[i]), "%s(%g)", activation_name(act),
                      (double)x[i]);
        }
    }
}

static void test_sweep(void)
{
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const struct kernels *kern = kernels_named(isa);
        for (int act = 0; kern && act < ACT_FUSED_COUNT && !test_failed; act++) {
            sweep(kern, (enum activation)act, 0, 8419, 500);     /* once around all floats */
            sweep(kern, (enum activation)act, 0xc15cda00, 1, 5); /* -13.803, mish's worst */
        }
    }
}

/* ---- element by element ---- */

static void activate_case(const struct kernels *kern, enum activation act, int channels, int gap)
{
    struct field in = field_make(2, 1, 3, channels, gap);
    struct field out = field_make(2, 1, 3, channels, 2 * gap);
    field_noise(&in, 7u + (unsigned)channels, 9.0f);
    op_activate(kern, act, &in.t, &out.t);
    bool guarded = field_guarded(&out) && field_guarded(&in);
    int wrong = 0;
    for (size_t p = 0; p < 6; p++) {
        double largest = (double)-INFINITY, sum = 1e-4;
        for (int c = 0; c < channels; c++) {
            largest = fmax(largest, (double)*at(&in, p, c));
        }
        double base = act == ACT_NORM_CHAN_SOFTMAX_MAXVAL ? largest : 0;
        for (int c = 0; c < channels; c++) {
            double x = (double)*at(&in, p, c);
            sum += act == ACT_NORM_CHAN ? fmax(x, 0) : exp(x - base);
        }
        for (int c = 0; c < channels; c++) {
            float x = *at(&in, p, c);
            float got = *at(&out, p, c);
            double term = act == ACT_NORM_CHAN ? fmax((double)x, 0) : exp((double)x - base);
            bool right =
                act < ACT_NORM_CHAN ? activation_close(act, x, got) : ulps(got, term / sum) <= 1;
            wrong += !right;
        }
    }
    op_activate(kern, act, &in.t, &in.t);
    bool in_place = field_equal(&in, &out) && field_guarded(&in);
    field_free(&in);
    field_free(&out);
    CHECK_MSG(wrong == 0 && guarded && in_place,
              "%s %s, %d channels: %d wrong, guard %d, in-place %d", kernels_isa(kern),
              activation_name(act), channels, wrong, guarded, in_place);
}

static void test_activate(void)
{
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const struct kernels *kern = kernels_named(isa);
        for (int c = 1; kern && c <= MAX_CHANNELS; c++) {
            for (int act = 0; act < ACT_COUNT && !test_failed; act++) {
                activate_case(kern, (enum activation)act, c, c % 3);
            }
        }
    }
}

static void test_nan(void)
{
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const struct kernels *kern = kernels_named(isa);
        for (int act = 0; kern && act < ACT_COUNT; act++) {
            float x[19] = {0}, y[19];
            struct tensor in = {x, 1, 1, 1, 19, 19};
            struct tensor out = {y, 1, 1, 1, 19, 19};
            x[3] = NAN;
            x[17] = -NAN;
            op_activate(kern, (enum activation)act, &in, &out);
            CHECK_MSG(isnan(y[3]) && isnan(y[17]), "%s %s", kernels_isa(kern),
                      activation_name((enum activation)act));
            CHECK(act >= ACT_NORM_CHAN || !isnan(y[4]));
            op_add(kern, (enum activation)act, &in, &in, &out);
            CHECK(isnan(y[3]) && isnan(y[17]));
        }
    }
}

static void add_case(const struct kernels *kern, enum activation act, int channels, int other)
{
    struct field a = field_make(1, 2, 2, channels, channels % 2);
    struct field b = field_make(1, 2, 2, other, 1);
    struct field out = field_make(1, 2, 2, channels, channels % 2);
    field_noise(&a, 3, 4.0f);
    field_noise(&b, 4, 4.0f);
    op_add(kern, act, &a.t, &b.t, &out.t);
    int wrong = 0;
    for (size_t p = 0; p < 4; p++) {
        for (int c = 0; c < channels; c++) {
            float sum = *at(&a, p, c) + (c < other ? *at(&b, p, c) : 0.0f);
            wrong += !activation_close(act, sum, *at(&out, p, c));
        }
    }
    op_add(kern, act, &a.t, &b.t, &a.t);
    bool clean =
        field_equal(&a, &out) && field_guarded(&a) && field_guarded(&b) && field_guarded(&out);
    field_free(&a);
    field_free(&b);
    field_free(&out);
    CHECK_MSG(wrong == 0 && clean, "%s %s, %d + %d channels: %d wrong, clean %d", kernels_isa(kern),
              activation_name(act), channels, other, wrong, clean);
}

static void test_add(void)
{
    static const enum activation acts[] = {ACT_LINEAR, ACT_LEAKY, ACT_MISH, ACT_TANH};
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const struct kernels *kern = kernels_named(isa);
        for (int c = 1; kern && c <= MAX_CHANNELS && !test_failed; c++) {
            enum activation act = acts[c % 4];
            add_case(kern, act, c, c);
            add_case(kern, acts[(c / 4) % 4], c, (c + 1) / 2);
            add_case(kern, act, c, c + 5);
        }
        if (kern) {
            add_case(kern, ACT_LINEAR, 5000, 5000);
        }
    }
}

static void scale_case(const struct kernels *kern, int channels, bool has_scale, bool has_shift)
{
    struct field in = field_make(1, 4, 4, channels, channels % 4);
    struct field out = field_make(1, 4, 4, channels, 1);
    struct field par = field_make(1, 1, 2, channels, 0);
    field_noise(&in, 5, 3.0f);
    field_noise(&par, 6, 2.0f);
    const float *scale = has_scale ? at(&par, 0, 0) : NULL;
    const float *shift = has_shift ? at(&par, 1, 0) : NULL;
    op_scale_shift(kern, scale, shift, &in.t, &out.t);
    int wrong = 0;
    for (size_t p = 0; p < 16; p++) {
        for (int c = 0; c < channels; c++) {
            double product = (double)*at(&in, p, c) * (scale ? (double)scale[c] : 1);
            double summand = shift ? (double)shift[c] : 0;
            double error = fabs((double)*at(&out, p, c) - (product + summand));
            wrong += !(error <= 1.2e-7 * (fabs(product) + fabs(summand)));
        }
    }
    op_scale_shift(kern, scale, shift, &in.t, &in.t);
    bool clean = field_equal(&in, &out) && field_guarded(&in) && field_guarded(&out);
    field_free(&in);
    field_free(&out);
    field_free(&par);
    CHECK_MSG(wrong == 0 && clean, "%s, %d channels: %d wrong, clean %d", kernels_isa(kern),
              channels, wrong, clean);
}

static void test_scale_shift(void)
{
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const struct kernels *kern = kernels_named(isa);
        for (int c = 1; kern && c <= MAX_CHANNELS && !test_failed; c++) {
            scale_case(kern, c, true, true);
            scale_case(kern, 8 * c, c % 2, !(c % 2));
        }
    }
}

/* Channel by channel what op_activate and op_scale_shift give, to the bit. */
static void squash_case(const struct kernels *kern, int channels)
{
    struct field got = field_make(2, 2, 3, channels, channels % 2);
    struct field want = field_make(2, 2, 3, channels, 0);
    float chosen[MAX_CHANNELS], scale[MAX_CHANNELS], shift[MAX_CHANNELS];
    field_noise(&got, 4, 9.0f);
    *at(&got, 0, 0) = -0.0f;
    op_copy(kern, &got.t, &want.t);
    for (int c = 0; c < channels; c++) {
        struct tensor part = tensor_channels(&want.t, c, 1);
        chosen[c] = c % 3 > 0;
        scale[c] = c % 4 > 1 ? 1.05f : 1.0f;
        shift[c] = c % 4 > 1 ? -0.025f : 0.0f;
        if (chosen[c] > 0) {
            op_activate(kern, ACT_LOGISTIC, &part, &part);
        }
        if (c % 4 > 1) {
            op_scale_shift(kern, scale + c, shift + c, &part, &part);
        }
    }
    op_squash(kern, chosen, scale, shift, &got.t);
    int wrong = 0;
    for (size_t p = 0; p < 12; p++) {
        for (int c = 0; c < channels; c++) {
            wrong += memcmp(at(&got, p, c), at(&want, p, c), sizeof(float)) != 0;
        }
    }
    CHECK_MSG(wrong == 0 && field_guarded(&got), "%s, %d channels: %d wrong", kernels_isa(kern),
              channels, wrong);
    field_free(&got);
    field_free(&want);
}

static void test_squash(void)
{
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const struct kernels *kern = kernels_named(isa);
        for (int c = 1; kern && c <= MAX_CHANNELS && !test_failed; c++) {
            squash_case(kern, c);
        }
    }
}

/* b is whole, one gate per channel or one per pixel. */
static void multiply_case(const struct kernels *kern, int channels, int b_pixels, int b_channels)
{
    struct field a = field_make(2, 2, 3, channels, channels % 2);
    struct field b = field_make(2, b_pixels > 1 ? 2 : 1, b_pixels > 1 ? 3 : 1, b_channels, 0);
    struct field out = field_make(2, 2, 3, channels, channels % 2);
    field_noise(&a, 8, 3.0f);
    field_noise(&b, 9, 3.0f);
    op_multiply(kern, &a.t, &b.t, &out.t);
    int wrong = 0;
    for (size_t p = 0; p < 12; p++) {
        for (int c = 0; c < channels; c++) {
            float factor = *at(&b, b_pixels > 1 ? p : p / 6, b_channels > 1 ? c : 0);
            wrong += !(*at(&out, p, c) == *at(&a, p, c) * factor);
        }
    }
    op_multiply(kern, &a.t, &b.t, &a.t);
    bool clean = field_equal(&a, &out) && field_guarded(&a) && field_guarded(&out);
    field_free(&a);
    field_free(&b);
    field_free(&out);
    CHECK_MSG(wrong == 0 && clean, "%s, %d channels by %d x %d: %d wrong, clean %d",
              kernels_isa(kern), channels, b_pixels, b_channels, wrong, clean);
}

static void test_multiply(void)
{
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const struct kernels *kern = kernels_named(isa);
        for (int c = 1; kern && c <= MAX_CHANNELS && !test_failed; c++) {
            multiply_case(kern, c, 6, c);
            multiply_case(kern, c, 1, c);
            multiply_case(kern, c, 6, 1);
        }
    }
}

/* ---- whole tensors ---- */

enum { OPERATIONS = 11 };

static void run_operation(const struct kernels *kern, int which, const struct tensor *in,
                          const struct tensor *other, const struct tensor *out)
{
    static const struct pool_geometry five = {5, 1, 1, 2}, two = {2, 1, 1, 0};
    struct tensor gate = {other->data, other->n, 1, 1, other->c, other->stride};
    switch (which) {
    case 0:
        op_activate(kern, ACT_MISH, in, out);
        break;
    case 1:
        op_activate(kern, ACT_SELU, in, out);
        break;
    case 2:
        op_activate(kern, ACT_NORM_CHAN_SOFTMAX, in, out);
        break;
    case 3:
        op_add(kern, ACT_LEAKY, in, other, out);
        break;
    case 4:
        op_scale_shift(kern, other->data, NULL, in, out);
        break;
    case 5:
        op_multiply(kern, in, &gate, out);
        break;
    case 6:
        op_max_pool(kern, &five, in, out);
        break;
    case 7:
        op_max_pool(kern, &two, in, out);
        break;
    case 8:
        op_avg_pool(kern, &five, in, out);
        break;
    case 9:
        op_softmax(kern, 13, 1.0f, in, out);
        break;
    default:
        op_copy(kern, in, out);
        break;
    }
}

/* One thread or three, in a batch or alone: the same bits. */
static void invariance_case(const struct kernels *kern, int which)
{
    struct field in = field_make(3, 29, 31, 45, 3);
    struct field other = field_make(3, 29, 31, 45, 0);
    struct field one = field_make(3, 29, 31, 45, 1);
    struct field three = field_make(3, 29, 31, 45, 1);
    struct field alone = field_make(1, 29, 31, 45, 1);
    field_noise(&in, 23, 6.0f);
    field_noise(&other, 29, 6.0f);
    parallel_set_threads(1);
    run_operation(kern, which, &in.t, &other.t, &one.t);
    parallel_set_threads(3);
    run_operation(kern, which, &in.t, &other.t, &three.t);
    parallel_set_threads(0);
    struct tensor first = in.t, first_other = other.t;
    first.n = first_other.n = 1;
    run_operation(kern, which, &first, &first_other, &alone.t);
    bool same = field_equal(&one, &three) && field_guarded(&three);
    bool same_alone = field_equal(&alone, &one);
    field_free(&in);
    field_free(&other);
    field_free(&one);
    field_free(&three);
    field_free(&alone);
    CHECK_MSG(same && same_alone, "%s, operation %d: threads %d, batch %d", kernels_isa(kern),
              which, same, same_alone);
}

static void test_invariance(void)
{
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const struct kernels *kern = kernels_named(isa);
        for (int which = 0; kern && which < OPERATIONS && !test_failed; which++) {
            invariance_case(kern, which);
        }
    }
}

static void test_copy(void)
{
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const struct kernels *kern = kernels_named(isa);
        for (int c = 1; kern && c <= MAX_CHANNELS; c++) {
            struct field in = field_make(1, 3, 5, c, c % 2);
            struct field out = field_make(1, 3, 5, c, c % 3);
            field_noise(&in, 31, 1.0f);
            op_copy(kern, &in.t, &out.t);
            bool right = field_equal(&in, &out) && field_guarded(&out);
            field_free(&in);
            field_free(&out);
            CHECK_MSG(right, "%s, %d channels", kernels_isa(kern), c);
        }
    }
}

static void test_planar(void)
{
    for (int c = 1; c <= 40; c++) {
        float planar[40 * 6], back[40 * 6];
        struct field f = field_make(2, 2, 3, c, 3);
        for (int i = 0; i < 6 * c; i++) {
            planar[i] = (float)i;
        }
        field_noise(&f, 37, 1.0f);
        float kept = *at(&f, 5, c - 1);
        tensor_from_planar(&f.t, 1, planar);
        tensor_to_planar(&f.t, 1, back);
        bool placed = *at(&f, 5, c - 1) == kept && field_guarded(&f);
        for (int i = 0; i < 6 * c; i++) {
            placed = placed && *at(&f, 6 + (size_t)(i % 6), i / 6) == (float)i;
        }
        field_free(&f);
        CHECK(placed);
        CHECK(memcmp(planar, back, (size_t)(6 * c) * sizeof(float)) == 0);
    }
}

static const struct test_case CASES[] = {
    {"names", test_names},
    {"values", test_values},
    {"select", test_select},
    {"sweep", test_sweep},
    {"activate", test_activate},
    {"nan", test_nan},
    {"scale_shift", test_scale_shift},
    {"add", test_add},
    {"squash", test_squash},
    {"multiply", test_multiply},
    {"invariance", test_invariance},
    {"copy", test_copy},
    {"planar", test_planar},
};

TEST_MAIN(CASES)
