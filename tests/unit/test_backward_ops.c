/* Gradients of activations and of the operations on tensors, on every instruction set of this
 * machine: against double references, and element by element against differences of the forward
 * functions. */
#include "kernels/activate.h"
#include "kernels/elementwise.h"
#include "kernels/pool.h"
#include "kernels/slots.h"
#include "kernels/softmax.h"
#include "kernels/upsample.h"

#include <float.h>
#include <stdint.h>

#include "field.h"
#include "test.h"

/* ---- derivatives in double ---- */

/* The grid keeps 0.003 away from every kink. */
static void test_derivatives(void)
{
    const double h = 1e-5;
    for (int i = 0; i < ACT_NORM_CHAN; i++) {
        enum activation act = (enum activation)i;
        for (int k = -1200; k < 1200; k++) {
            double x = k * 0.01 + 0.003;
            double want = (activation_value(act, x + h) - activation_value(act, x - h)) / (2 * h);
            CHECK_MSG(fabs(activation_derivative(act, x) - want) <= 2e-9 * (1 + fabs(want)),
                      "%s'(%g) = %.12g, difference %.12g", activation_name(act), x,
                      activation_derivative(act, x), want);
        }
        for (double x = 1; x < 1e300; x *= 10) {
            CHECK_MSG(fabs(activation_derivative(act, x)) <= 1.1, "%s'(%g)", activation_name(act),
                      x);
            CHECK_MSG(fabs(activation_derivative(act, -x)) <= 1.8, "%s'(%g)", activation_name(act),
                      -x);
        }
    }
}

static void test_kinks(void)
{
    static const struct {
        enum activation act;
        double x, slope;
    } kinks[] = {
        {ACT_LEAKY, 0, 0.1},  {ACT_RELU, 0, 0},      {ACT_RELU6, 0, 0},     {ACT_RELU6, 6, 0},
        {ACT_RAMP, 0, 0.1},   {ACT_RELIE, 0, 0.01},  {ACT_ELU, 0, 1},       {ACT_SELU, 0, 1.0507},
        {ACT_HARDTAN, 1, 0},  {ACT_HARDTAN, -1, 0},  {ACT_LHTAN, 0, 0.001}, {ACT_LHTAN, 1, 0.001},
        {ACT_PLSE, 4, 0.125}, {ACT_STAIR, 3, 0},     {ACT_STAIR, 3.5, 1},   {ACT_STAIR, -1.5, 0},
        {ACT_STAIR, -0.5, 1}, {ACT_HARD_MISH, 0, 1}, {ACT_HARD_MISH, -2, 0}};
    for (size_t i = 0; i < sizeof(kinks) / sizeof(kinks[0]); i++) {
        CHECK_MSG(activation_derivative(kinks[i].act, kinks[i].x) == kinks[i].slope, "%s'(%g) = %g",
                  activation_name(kinks[i].act), kinks[i].x,
                  activation_derivative(kinks[i].act, kinks[i].x));
    }
}

/* ---- the vectorised derivatives, over all floats ---- */

/* Where f' crosses 0 (mish near -1.2, swish near -1.3) its two terms of about 0.2 cancel. */
static bool slope_close(enum activation act, float x, float got)
{
    double want = activation_derivative(act, (double)x);
    bool crosses = (act == ACT_MISH || act == ACT_SWISH) && x < -0.5f && x > -3.0f;
    bool denormal = x < -80.0f && fabs((double)got - want) <= 1e-41;
    return ulps(got, want) <= 6 || denormal || (crosses && fabs((double)got - want) <= 1.2e-7);
}

enum { SWEEP = 1021 };

static void sweep(const struct kernels *kern, enum activation act)
{
    static const float specials[] = {0.0f,    -0.0f,    88.0f,    -88.0f,  104.0f,   -104.0f,
                                     -2.0f,   6.0f,     FLT_MAX,  FLT_MIN, -FLT_MIN, 20.0f,
                                     -105.0f, -FLT_MAX, INFINITY, 1e-45f,  -1e-45f};
    float x[SWEEP], ones[SWEEP], y[SWEEP];
    struct op_block block = {.a = x, .b = ones, .out = y, .pixels = 1, .channels = SWEEP};
    uint32_t bits = 0;
    for (int i = 0; i < SWEEP; i++) {
        ones[i] = 1.0f;
    }
    for (int round = 0; round < 200; round++) {
        for (int i = 0; i < SWEEP; i++) {
            memcpy(x + i, &bits, sizeof(bits));
            bits += 21001; /* 200 * 1021 steps of it go about once around all floats */
            x[i] = isnan(x[i]) ? 0.5f : x[i];
        }
        if (round == 0) {
            memcpy(x, specials, sizeof(specials));
        }
        kern->train.activate_backward(&block, act, NULL, NULL);
        for (int i = 0; i < SWEEP; i++) {
            CHECK_MSG(slope_close(act, x[i], y[i]), "%s %s'(%.9g) = %.9g, expected %.9g",
                      kernels_isa(kern), activation_name(act), (double)x[i], (double)y[i],
                      activation_derivative(act, (double)x[i]));
        }
    }
}

static void test_sweep(void)
{
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const struct kernels *kern = kernels_named(isa);
        for (int act = 0; kern && act < ACT_FUSED_COUNT && !test_failed; act++) {
            sweep(kern, (enum activation)act);
        }
    }
}

/* ---- op_activate_backward ---- */

/* L = sum of dout_k y_k(u) over one pixel of a per-pixel kind. */
static double normalized_loss(enum activation act, const double *u, const float *dout, int channels)
{
    double largest = (double)-INFINITY, sum = 1e-4, weighted = 0;
    for (int c = 0; c < channels; c++) {
        largest = fmax(largest, u[c]);
    }
    double base = act == ACT_NORM_CHAN_SOFTMAX_MAXVAL ? largest : 0;
    for (int c = 0; c < channels; c++) {
        double term = act == ACT_NORM_CHAN ? fmax(u[c], 0) : exp(u[c] - base);
        sum += term;
        weighted += term * (double)dout[c];
    }
    return weighted / sum;
}

static double normalized_gradient(enum activation act, double *u, const float *dout, int channels,
                                  int which)
{
    const double h = 1e-6, middle = u[which];
    u[which] = middle + h;
    double more = normalized_loss(act, u, dout, channels);
    u[which] = middle - h;
    double less = normalized_loss(act, u, dout, channels);
    u[which] = middle;
    return (more - less) / (2 * h);
}

static int activate_wrong(enum activation act, const struct field *u, const struct field *dout,
                          const struct field *du)
{
    int wrong = 0, channels = u->t.c;
    for (size_t p = 0; p < tensor_pixels(&u->t); p++) {
        double pixel[2 * MAX_CHANNELS * 8];
        for (int c = 0; c < channels; c++) {
            pixel[c] = (double)*at(u, p, c);
        }
        for (int c = 0; c < channels; c++) {
            double got = (double)*at(du, p, c), factor = (double)*at(dout, p, c);
            double limit = 1e-6 * fabs(factor);
            double want = factor * activation_derivative(act, pixel[c]);
            if (act >= ACT_NORM_CHAN) {
                want = normalized_gradient(act, pixel, at(dout, p, 0), channels, c);
                limit = 1e-8 + 2e-7 * fabs(want);
            }
            bool kink = act == ACT_NORM_CHAN && fabs(pixel[c]) < 1e-5;
            wrong += !(fabs(got - want) <= limit) && !kink;
        }
    }
    return wrong;
}

static void activate_case(const struct kernels *kern, enum activation act, int channels, int affine)
{
    struct field z = field_make(1, 3, 1, channels, channels % 3);
    struct field u = field_make(1, 3, 1, channels, 0);
    struct field dout = field_make(1, 3, 1, channels, affine % 2);
    struct field du = field_make(1, 3, 1, channels, channels % 3 + affine % 2);
    struct field par = field_make(1, 1, 2, channels, 0);
    field_noise(&z, 11u + (unsigned)channels, 4.0f);
    field_noise(&dout, 12u + (unsigned)channels, 2.0f);
    field_noise(&par, 13, 1.5f);
    struct conv_epilogue f = {.act = act};
    f.scale = affine & 1 ? at(&par, 0, 0) : NULL;
    f.shift = affine & 2 ? at(&par, 1, 0) : NULL;
    op_scale_shift(kern, f.scale, f.shift, &z.t, &u.t);
    op_activate_backward(kern, &f, &z.t, &dout.t, &du.t);
    int wrong = activate_wrong(act, &u, &dout, &du);
    op_activate_backward(kern, &f, &z.t, &dout.t, &dout.t);
    bool clean =
        field_equal(&dout, &du) && field_guarded(&dout) && field_guarded(&du) && field_guarded(&z);
    field_free(&z);
    field_free(&u);
    field_free(&dout);
    field_free(&du);
    field_free(&par);
    CHECK_MSG(wrong == 0 && clean, "%s %s, %d channels, affine %d: %d wrong, clean %d",
              kernels_isa(kern), activation_name(act), channels, affine, wrong, clean);
}

static void test_activate(void)
{
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const struct kernels *kern = kernels_named(isa);
        for (int act = 0; kern && act < ACT_COUNT; act++) {
            for (int c = 1; c <= MAX_CHANNELS && !test_failed; c++) {
                activate_case(kern, (enum activation)act, c, c % 4);
            }
            for (int affine = 0; affine < 4 && !test_failed; affine++) {
                activate_case(kern, (enum activation)act, act < ACT_NORM_CHAN ? 600 : 270, affine);
            }
        }
    }
}

/* The slope is taken at the very float that the forward pass saw: a pre-activation on the kink of
 * relu by rounding (1/3 * 3 - 1) must fall on the same side. */
static void test_same_preactivation(void)
{
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const struct kernels *kern = kernels_named(isa);
        struct field z = field_make(1, 1, 1, MAX_CHANNELS, 0), du = z, dout = z;
        struct field par = field_make(1, 1, 3, MAX_CHANNELS, 0);
        unsigned seed = 5;
        for (int c = 0; kern && c < MAX_CHANNELS; c++) {
            *at(&z, 0, c) = test_noise(&seed);
            *at(&par, 0, c) = 1.0f / *at(&z, 0, c);
            *at(&par, 1, c) = -*at(&z, 0, c) * *at(&par, 0, c);
            *at(&par, 2, c) = 1.0f;
        }
        if (kern) {
            struct conv_epilogue f = {at(&par, 0, 0), at(&par, 1, 0), ACT_RELU};
            du = field_make(1, 1, 1, MAX_CHANNELS, 0);
            dout = field_make(1, 1, 1, MAX_CHANNELS, 0);
            op_scale_shift(kern, f.scale, f.shift, &z.t, &dout.t);
            struct tensor ones = {at(&par, 2, 0), 1, 1, 1, MAX_CHANNELS, MAX_CHANNELS};
            op_activate_backward(kern, &f, &z.t, &ones, &du.t);
            int wrong = 0;
            for (int c = 0; c < MAX_CHANNELS; c++) {
                wrong += *at(&du, 0, c) != (*at(&dout, 0, c) > 0.0f ? 1.0f : 0.0f);
            }
            field_free(&du);
            field_free(&dout);
            CHECK_MSG(wrong == 0, "%s: %d wrong", kernels_isa(kern), wrong);
        }
        field_free(&z);
        field_free(&par);
    }
}

/* ---- gradients by differences of the forward operations ---- */

enum op {
    OP_UPSAMPLE,
    OP_AVG,
    OP_AVG_EDGE,
    OP_MAX,
    OP_MAX_STRIDE,
    OP_MAX_APART,
    OP_GLOBAL,
    OP_SOFTMAX,
    OP_COPY,
    OP_MULTIPLY,
    OP_GATE,
    OP_PIXEL,
    OP_COUNT
};

static const struct pool_geometry GEOMETRY[OP_COUNT] = {[OP_AVG] = {2, 2, 1, 0},
                                                        [OP_AVG_EDGE] = {3, 1, 2, 1},
                                                        [OP_MAX] = {5, 1, 1, 2},
                                                        [OP_MAX_STRIDE] = {3, 2, 1, 3},
                                                        [OP_MAX_APART] = {1, 2, 2, 3}};
enum { HEIGHT = 3, WIDTH = 4, IMAGES = 2 };

static void forward(const struct kernels *kern, enum op op, const struct tensor *a,
                    const struct tensor *b, const struct tensor *out)
{
    switch (op) {
    case OP_UPSAMPLE:
        op_upsample(kern, 3, 0.75f, a, out);
        break;
    case OP_AVG:
    case OP_AVG_EDGE:
        op_avg_pool(kern, &GEOMETRY[op], a, out);
        break;
    case OP_MAX:
    case OP_MAX_STRIDE:
    case OP_MAX_APART:
        op_max_pool(kern, &GEOMETRY[op], a, out);
        break;
    case OP_GLOBAL:
        op_global_avg(kern, a, out);
        break;
    case OP_SOFTMAX:
        op_softmax(kern, 5, 0.75f, a, out);
        break;
    case OP_COPY:
        op_copy(kern, a, out);
        break;
    default:
        op_multiply(kern, a, b, out);
        break;
    }
}

struct pair {
    const struct tensor *a, *b, *out, *dout;
    const struct tensor *da, *db;
};

static void backward(const struct kernels *kern, enum op op, const struct pair *p, bool adds)
{
    struct pool_backward pool = {p->a, p->out, p->dout, p->da, adds};
    struct multiply_backward multiply = {p->a, p->b, p->dout, p->da, p->db, adds, adds};
    switch (op) {
    case OP_UPSAMPLE:
        op_upsample_backward(kern, 3, 0.75f, p->dout, p->da, adds);
        break;
    case OP_AVG:
    case OP_AVG_EDGE:
        op_avg_pool_backward(kern, &GEOMETRY[op], &pool);
        break;
    case OP_MAX:
    case OP_MAX_STRIDE:
    case OP_MAX_APART:
        op_max_pool_backward(kern, &GEOMETRY[op], &pool);
        break;
    case OP_GLOBAL:
        op_global_avg_backward(kern, p->dout, p->da, adds);
        break;
    case OP_SOFTMAX:
        op_softmax_backward(5, 0.75f, p->out, p->dout, p->da, adds);
        break;
    case OP_COPY:
        op_accumulate(kern, 1.0f, p->dout, p->da, adds);
        break;
    default:
        op_multiply_backward(kern, &multiply);
        break;
    }
}

static struct field output_of(enum op op, int channels, int gap)
{
    switch (op) {
    case OP_UPSAMPLE:
        return field_make(IMAGES, 3 * HEIGHT, 3 * WIDTH, channels, gap);
    case OP_AVG:
        return field_make(IMAGES, 2, WIDTH, channels, gap);
    case OP_AVG_EDGE:
        return field_make(IMAGES, HEIGHT, 2, channels, gap);
    case OP_MAX_STRIDE:
    case OP_MAX_APART:
        return field_make(IMAGES, 4, 9, channels, gap); /* some windows lie outside */
    case OP_GLOBAL:
        return field_make(IMAGES, 1, 1, channels, gap);
    default:
        return field_make(IMAGES, HEIGHT, WIDTH, channels, gap);
    }
}

static double loss(const struct kernels *kern, enum op op, const struct tensor *a,
                   const struct tensor *b, const struct field *out, const struct field *dout)
{
    double total = 0;
    forward(kern, op, a, b, &out->t);
    for (size_t p = 0; p < tensor_pixels(&out->t); p++) {
        for (int c = 0; c < out->t.c; c++) {
            total +=
                *at(out, p, c) == -FLT_MAX ? 0 : (double)*at(out, p, c) * (double)*at(dout, p, c);
        }
    }
    return total;
}

/* A permutation in steps of 1/32: steps of h = 1/128 change no maximum, and all sums are exact. */
static void field_grid(struct field *f)
{
    int count = 0;
    for (size_t p = 0; p < tensor_pixels(&f->t); p++) {
        for (int c = 0; c < f->t.c; c++) {
            *at(f, p, c) = (float)(count * 7919 % 1021 - 510) / 32.0f;
            count++;
        }
    }
}

struct gradient_case {
    const struct kernels *kern;
    enum op op;
    struct field a, b, out, dout, da, db, probe;
};

static int gradient_wrong(struct gradient_case *g, const struct field *x, const struct field *dx,
                          float before)
{
    const float h = 1.0f / 128;
    const double limit = g->op == OP_SOFTMAX ? 2e-3 : 2e-4;
    int wrong = 0;
    for (size_t p = 0; p < tensor_pixels(&x->t); p++) {
        for (int c = 0; c < x->t.c; c++) {
            float middle = *at(x, p, c);
            *at(x, p, c) = middle + h;
            double more = loss(g->kern, g->op, &g->a.t, &g->b.t, &g->probe, &g->dout);
            *at(x, p, c) = middle - h;
            double less = loss(g->kern, g->op, &g->a.t, &g->b.t, &g->probe, &g->dout);
            *at(x, p, c) = middle;
            double want = (more - less) / (2 * (double)h) + (double)before;
            wrong += !(fabs((double)*at(dx, p, c) - want) <= limit * (1 + fabs(want)));
        }
    }
    return wrong;
}

static void gradient_case(const struct kernels *kern, enum op op, int channels, bool adds)
{
    int gap = channels % 3;
    struct gradient_case g = {.kern = kern, .op = op};
    bool gate = op == OP_GATE;
    g.a = field_make(IMAGES, HEIGHT, WIDTH, channels, gap);
    g.b = field_make(IMAGES, gate ? 1 : HEIGHT, gate ? 1 : WIDTH, op == OP_PIXEL ? 1 : channels, 2);
    g.da = field_make(IMAGES, HEIGHT, WIDTH, channels, 1);
    g.db = field_make(IMAGES, g.b.t.h, g.b.t.w, g.b.t.c, 3 - gap);
    g.out = output_of(op, channels, gap + 1);
    g.dout = output_of(op, channels, 0);
    g.probe = output_of(op, channels, 0);
    if (op >= OP_MAX && op <= OP_MAX_APART) {
        field_grid(&g.a);
    } else {
        field_noise(&g.a, 4, 1.0f);
    }
    field_noise(&g.b, 5, 1.0f);
    field_noise(&g.dout, 6, 1.0f);
    field_fill(&g.da, adds ? 0.5f : NAN);
    field_fill(&g.db, adds ? 0.5f : NAN);
    forward(kern, op, &g.a.t, &g.b.t, &g.out.t);
    struct pair p = {&g.a.t, &g.b.t, &g.out.t, &g.dout.t, &g.da.t, &g.db.t};
    backward(kern, op, &p, adds);
    int wrong = gradient_wrong(&g, &g.a, &g.da, adds ? 0.5f : 0.0f);
    if (op >= OP_MULTIPLY) {
        wrong += gradient_wrong(&g, &g.b, &g.db, adds ? 0.5f : 0.0f);
    }
    bool clean = field_guarded(&g.da) && field_guarded(&g.db) && field_guarded(&g.out);
    if (!adds && (op == OP_SOFTMAX || op >= OP_MULTIPLY)) {
        p.da = &g.dout.t;
        backward(kern, op, &p, false);
        clean = clean && field_equal(&g.dout, &g.da) && field_guarded(&g.dout);
    }
    struct field *all[] = {&g.a, &g.b, &g.da, &g.db, &g.out, &g.dout, &g.probe};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        field_free(all[i]);
    }
    CHECK_MSG(wrong == 0 && clean, "%s operation %d, %d channels, adds %d: %d wrong, clean %d",
              kernels_isa(kern), (int)op, channels, adds, wrong, clean);
}

static void test_gradients(void)
{
    static const int channels[] = {1, 3, 7, 8, 9, 16, 17, 24, 35};
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const struct kernels *kern = kernels_named(isa);
        for (int op = 0; kern && op < OP_COUNT; op++) {
            for (size_t i = 0; i < sizeof(channels) / sizeof(channels[0]); i++) {
                gradient_case(kern, (enum op)op, channels[i], i % 2);
                gradient_case(kern, (enum op)op, channels[i], !(i % 2));
                if (test_failed) {
                    return;
                }
            }
        }
    }
}

/* Ties, NaN and windows of nothing but NaN. */
static void test_max_ties(void)
{
    static const struct pool_geometry g = {3, 1, 1, 0};
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const struct kernels *kern = kernels_named(isa);
        float in[9 * 19], out[19], dout[19], din[9 * 19];
        for (int i = 0; i < 9 * 19; i++) {
            in[i] = (float)(i % 19 < 10 ? 1 : i / 19 % 3);
            din[i] = 2.0f;
        }
        for (int c = 0; c < 19; c++) {
            dout[c] = (float)(c + 1);
        }
        in[0 * 19 + 3] = NAN; /* so channel 3 has its first maximum at pixel 1 */
        for (int p = 0; p < 9; p++) {
            in[p * 19 + 18] = NAN;
        }
        struct tensor a = {in, 1, 3, 3, 19, 19}, da = {din, 1, 3, 3, 19, 19};
        struct tensor y = {out, 1, 1, 1, 19, 19}, dy = {dout, 1, 1, 1, 19, 19};
        struct pool_backward p = {&a, &y, &dy, &da, true};
        if (!kern) {
            continue;
        }
        op_max_pool(kern, &g, &a, &y);
        op_max_pool_backward(kern, &g, &p);
        for (int c = 0; c < 19; c++) {
            int place = c == 18 ? -1 : c == 3 ? 1 : c < 10 ? 0 : 2;
            for (int q = 0; q < 9; q++) {
                float want = 2.0f + (q == place ? dout[c] : 0.0f);
                CHECK_MSG(din[q * 19 + c] == want, "%s pixel %d channel %d: %g, expected %g",
                          kernels_isa(kern), q, c, (double)din[q * 19 + c], (double)want);
            }
        }
    }
}

static void test_softmax(void)
{
    struct field out = field_make(1, 1, 2, 11, 1), dout = field_make(1, 1, 2, 11, 0);
    struct field din = field_make(1, 1, 2, 11, 2);
    int wrong = 0;
    field_noise(&out, 3, 1.0f);
    field_noise(&dout, 4, 1.0f);
    op_softmax_backward(4, 2.5f, &out.t, &dout.t, &din.t, false);
    for (size_t p = 0; p < 2; p++) {
        for (int j = 0; j < 11; j++) {
            double want = 0; /* by the whole Jacobian */
            for (int k = j / 4 * 4; k < j / 4 * 4 + 4 && k < 11; k++) {
                double y = (double)*at(&out, p, j);
                want += (double)*at(&dout, p, k) * y * ((j == k) - (double)*at(&out, p, k)) / 2.5;
            }
            wrong += !(fabs((double)*at(&din, p, j) - want) <= 1e-6);
        }
    }
    field_free(&out);
    field_free(&dout);
    field_free(&din);
    CHECK_MSG(wrong == 0, "%d wrong", wrong);
}

static const struct test_case cases[] = {
    {"derivatives", test_derivatives},
    {"kinks", test_kinks},
    {"sweep", test_sweep},
    {"activate", test_activate},
    {"same_preactivation", test_same_preactivation},
    {"gradients", test_gradients},
    {"max_ties", test_max_ties},
    {"softmax", test_softmax},
};

TEST_MAIN(cases)
