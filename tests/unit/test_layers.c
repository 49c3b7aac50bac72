/* Every kind of layer but the heads: values worked by hand, shapes, parameter order, refusals. */
#include "layers/kinds.h"
#include "fixture.h"

static const double EXACT = 0, CLOSE = 1e-6;

static void fill_ramp(float *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        values[i] = (float)(i + 1);
    }
}

static bool roles_are(const struct layer *l, const char *const *roles, int count)
{
    if (l->param_count != count) {
        return false;
    }
    for (int i = 0; i < count; i++) {
        if (strcmp(l->params[i].role, roles[i]) != 0) {
            return false;
        }
    }
    return true;
}

static void test_conv_by_hand(void)
{
    struct fixture f;
    CHECK(fixture_open(&f, 3, 3, 1,
                       "[convolutional]\nfilters=1\nsize=3\nstride=1\npad=1\nactivation=linear\n"));
    float w[9], bias = 0.5f;
    fill_ramp(w, 9);
    CHECK(fixture_set(&f, 0, "weights", 9, w) && fixture_set(&f, 0, "biases", 1, &bias));
    /* e.g. the first: 5*1 + 6*2 + 8*4 + 9*5 = 94; no flip of the kernel */
    const float want[9] = {94.5f, 154.5f, 106.5f, 186.5f, 285.5f, 186.5f, 106.5f, 154.5f, 94.5f};
    CHECK(fixture_check(&f, w, 0, want, 1e-4));
    fixture_close(&f);
}

static void test_conv_dilation_by_hand(void)
{
    struct fixture f;
    CHECK(fixture_open(&f, 3, 3, 1,
                       "[convolutional]\nsize=3\npadding=1\ndilation=2\nactivation=linear\n"));
    float w[9];
    fill_ramp(w, 9);
    CHECK(fixture_set(&f, 0, "weights", 9, w));
    /* the first window covers rows and columns -2, 0, 2: 5*1 + 6*3 + 8*7 + 9*9 */
    const float want[9] = {160, 74, 140, 56, 25, 46, 100, 44, 80};
    CHECK(fixture_check(&f, w, 0, want, 1e-4));
    fixture_close(&f);
}

static void test_conv_activation_and_groups(void)
{
    struct fixture f;
    CHECK(fixture_open(&f, 2, 1, 4, "[conv]\nfilters=2\nsize=1\ngroups=2\nactivation=elu\n"));
    CHECK(fixture_shape_is(&f, 0, 2, 1, 2));
    const float w[4] = {1, 2, -1, 0.5f}, image[8] = {1, -1, 2, 3, 4, 1, 2, -2};
    CHECK(fixture_set(&f, 0, "weights", 4, w));
    /* filter 0 sees channels 0, 1: 1+4, -1+6; filter 1 channels 2, 3: -4+1 = -3, -1-1 = -2 */
    const float want[4] = {5, 5, (float)expm1(-3), (float)expm1(-2)};
    CHECK(fixture_check(&f, image, 0, want, CLOSE));
    fixture_close(&f);
}

static void test_conv_defaults(void)
{
    struct fixture f;
    CHECK(fixture_open(&f, 1, 1, 1, "[convolutional]\n"));
    const float w = 2, image = 0.5f, want = (float)(1 / (1 + exp(-1)));
    CHECK(fixture_set(&f, 0, "weights", 1, &w)); /* the default activation is logistic */
    CHECK(fixture_check(&f, &image, 0, &want, CLOSE));
    fixture_close(&f);
}

static void test_conv_batchnorm(void)
{
    struct fixture f;
    CHECK(fixture_open(&f, 1, 1, 2,
                       "[convolutional]\nbatch_normalize=1\nfilters=2\nactivation=linear\n"));
    static const char *const roles[] = {"biases", "scales", "rolling_mean", "rolling_variance",
                                        "weights"};
    CHECK(roles_are(&f.net.layers[0], roles, 5));
    const float identity[4] = {1, 0, 0, 1}, beta[2] = {10, 20}, gamma[2] = {3, 5};
    const float mean[2] = {1, 2}, variance[2] = {4 - 1e-5f, -2e-5f}, image[2] = {3, 2.001f};
    CHECK(fixture_set(&f, 0, "weights", 4, identity) && fixture_set(&f, 0, "biases", 2, beta) &&
          fixture_set(&f, 0, "scales", 2, gamma) && fixture_set(&f, 0, "rolling_mean", 2, mean) &&
          fixture_set(&f, 0, "rolling_variance", 2, variance));
    /* 3 (3-1)/2 + 10; a negative variance counts as 0: 5 * 0.001 / sqrt(1e-5) + 20 */
    const float want[2] = {13, (float)(20 + 5 * ((double)image[1] - 2) / sqrt(1e-5))};
    CHECK(fixture_check(&f, image, 0, want, 5e-4));
    fixture_close(&f);
}

static void test_params(void)
{
    static const char *const conv[] = {"biases", "weights"};
    static const char *const connected[] = {"biases", "weights", "scales", "rolling_mean",
                                            "rolling_variance"};
    static const char *const norm[] = {"biases", "scales", "rolling_mean", "rolling_variance"};
    struct fixture f;
    CHECK(fixture_open(&f, 4, 4, 3,
                       "[convolutional]\nfilters=8\nsize=3\n[batchnorm]\n"
                       "[connected]\noutput=5\nbatch_normalize=1\n"));
    CHECK(roles_are(&f.net.layers[0], conv, 2));
    CHECK(roles_are(&f.net.layers[1], norm, 4));
    CHECK(roles_are(&f.net.layers[2], connected, 5));
    CHECK(layer_param(&f.net.layers[0], "weights")->count == 8 * 3 * 9);
    CHECK(layer_param(&f.net.layers[0], "weights")->fan_in == 27);
    CHECK(layer_param(&f.net.layers[0], "weights")->decays);
    CHECK(!layer_param(&f.net.layers[0], "biases")->decays);
    CHECK(!layer_param(&f.net.layers[0], "biases")->is_affine);
    CHECK(layer_param(&f.net.layers[1], "biases")->is_affine);
    CHECK(layer_param(&f.net.layers[2], "scales")->is_affine);
    CHECK(layer_param(&f.net.layers[2], "rolling_variance")->is_statistic);
    CHECK(!layer_param(&f.net.layers[2], "weights")->is_affine);
    CHECK(layer_param(&f.net.layers[2], "weights")->count == 5 * 8 * 2 * 2);
    CHECK(layer_param(&f.net.layers[2], "scales")->data[4] == 1.0f);
    CHECK(layer_param(&f.net.layers[2], "rolling_variance")->data[4] == 1.0f);
    CHECK(!layer_param(&f.net.layers[0], "scales"));
    fixture_close(&f);
}

static void test_connected_by_hand(void)
{
    struct fixture f;
    CHECK(fixture_open(&f, 2, 1, 2, "[conn]\noutput=2\nactivation=linear\n"));
    const float w[8] = {1, 2, 3, 4, -1, 0, 0, 10}, b[2] = {100, 200}, image[4] = {5, 6, 7, 8};
    CHECK(fixture_set(&f, 0, "weights", 8, w) && fixture_set(&f, 0, "biases", 2, b));
    const float want[2] = {100 + 5 + 12 + 21 + 32, 200 - 5 + 80}; /* flattened as [c][h][w] */
    CHECK(fixture_check(&f, image, 0, want, 1e-4));
    fixture_close(&f);
}

static void test_conv_geometry(void)
{
    struct fixture f;
    CHECK(fixture_open(&f, 13, 9, 2,
                       "[convolutional]\nsize=3\nstride=2\npad=1\n"               /* 7 x 5 */
                       "[convolutional]\nsize=3\nstride_x=2\nstride_y=1\npad=1\n" /* 4 x 5 */
                       "[convolutional]\nsize=3\npadding=1\ndilation=2\n"         /* 4 x 5 */
                       "[convolutional]\nsize=2\npad=1\nfilters=6\n"              /* 5 x 6 */
                       "[convolutional]\nsize=5\n"                                /* 1 x 2 */
                       "[convolutional]\nsize=1\npad=1\ndilation=3\n"));          /* 1 x 2 */
    CHECK(fixture_shape_is(&f, 0, 7, 5, 1));
    CHECK(fixture_shape_is(&f, 1, 4, 5, 1));
    CHECK(fixture_shape_is(&f, 2, 4, 5, 1));
    CHECK(fixture_shape_is(&f, 3, 5, 6, 6));
    CHECK(fixture_shape_is(&f, 4, 1, 2, 1));
    CHECK(fixture_shape_is(&f, 5, 1, 2, 1));
    CHECK(f.net.layers[0].ops->flops(&f.net.layers[0]) == 2.0 * 2 * 9 * 7 * 5);
    fixture_close(&f);
}

static void test_deconv_by_definition(void)
{
    enum { IN_W = 3, IN_H = 2, IN_C = 2, FILTERS = 3, SIZE = 3, STRIDE = 2, PAD = 1, W = 5, H = 3 };
    struct fixture f;
    CHECK(
        fixture_open(&f, IN_W, IN_H, IN_C,
                     "[deconvolutional]\nfilters=3\nsize=3\nstride=2\npad=1\nactivation=linear\n"));
    CHECK(fixture_shape_is(&f, 0, W, H, FILTERS));
    float image[IN_C * IN_H * IN_W], w[IN_C * FILTERS * SIZE * SIZE], want[FILTERS * H * W] = {0};
    unsigned seed = 7;
    for (size_t i = 0; i < sizeof image / sizeof *image; i++) {
        image[i] = test_noise(&seed);
    }
    for (size_t i = 0; i < sizeof w / sizeof *w; i++) {
        w[i] = test_noise(&seed);
    }
    CHECK(fixture_set(&f, 0, "weights", sizeof w / sizeof *w, w));
    for (int i = 0; i < IN_C * FILTERS * IN_H * IN_W * SIZE * SIZE; i++) {
        int s = i % SIZE, r = i / SIZE % SIZE, x = i / (SIZE * SIZE) % IN_W;
        int y = i / (SIZE * SIZE * IN_W) % IN_H, k = i / (SIZE * SIZE * IN_W * IN_H) % FILTERS;
        int c = i / (SIZE * SIZE * IN_W * IN_H * FILTERS);
        int oy = y * STRIDE - PAD + r, ox = x * STRIDE - PAD + s;
        if (oy >= 0 && oy < H && ox >= 0 && ox < W) {
            want[(k * H + oy) * W + ox] +=
                w[((c * FILTERS + k) * SIZE + r) * SIZE + s] * image[(c * IN_H + y) * IN_W + x];
        }
    }
    CHECK(fixture_check(&f, image, 0, want, 1e-5));
    fixture_close(&f);
}

static void test_batchnorm_and_activation(void)
{
    struct fixture f;
    CHECK(fixture_open(&f, 2, 1, 1, "[batchnorm]\n[activation]\nactivation=leaky\n"));
    const float mean = 1, gamma = 2, beta = -1, variance = 4 - 1e-5f, image[2] = {3, -3};
    CHECK(fixture_set(&f, 0, "rolling_mean", 1, &mean) && fixture_set(&f, 0, "scales", 1, &gamma) &&
          fixture_set(&f, 0, "biases", 1, &beta) &&
          fixture_set(&f, 0, "rolling_variance", 1, &variance));
    const float want[2] = {1, -0.5f};
    CHECK(fixture_check(&f, image, 1, want, 1e-5));
    fixture_close(&f);
}

static void test_pool_shapes(void)
{
    static const struct {
        int in;
        const char *keys;
        int out;
    } rows[] = {
        {13, "size=2\nstride=1\n", 13},
        {13, "size=5\nstride=1\n", 13},
        {416, "size=2\nstride=2\n", 208},
        {13, "size=2\nstride=2\n", 7},
        {13, "size=2\nstride=2\npadding=0\n", 6},
        {7, "stride=3\n", 3},
        {8, "size=4\nstride=1\n", 8},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        static const char *const kinds[] = {"[maxpool]", "[local_avgpool]"};
        for (int k = 0; k < 2; k++) {
            struct fixture f;
            char text[128];
            snprintf(text, sizeof text, "%s\n%s", kinds[k], rows[i].keys);
            CHECK_MSG(fixture_open(&f, rows[i].in, rows[i].in, 3, text), "%s", f.err.text);
            CHECK(fixture_shape_is(&f, 0, rows[i].out, rows[i].out, 3));
            fixture_close(&f);
        }
    }
}

static void test_pools_by_hand(void)
{
    struct fixture f;
    const float image[9] = {-1, -2, -3, -4, -9, -6, -7, -8, -5};
    CHECK(fixture_open(&f, 3, 3, 1, "[maxpool]\nsize=2\nstride=1\n"));
    const float even[9] = {-1, -2, -3, -4, -5, -5, -7, -5, -5}; /* pads right and below only */
    CHECK(fixture_check(&f, image, 0, even, EXACT));
    fixture_close(&f);
    CHECK(fixture_open(&f, 3, 3, 1, "[max]\nsize=3\nstride=2\n"));
    const float odd[4] = {-1, -2, -4, -5};
    CHECK(fixture_check(&f, image, 0, odd, EXACT));
    fixture_close(&f);
    CHECK(fixture_open(&f, 3, 3, 1, "[local_avg]\nsize=3\nstride=2\n[avg]\n"));
    const float mean[4] = {-4, -5, -7, -7}, all = -23 / 4.0f; /* counts only pixels inside */
    CHECK(fixture_plan(&f, "scalar", 1, true));
    fixture_run(&f, 1, image);
    CHECK(fixture_equals(&f, 0, 0, mean, CLOSE));
    CHECK(fixture_equals(&f, 1, 0, &all, CLOSE));
    fixture_close(&f);
    CHECK(fixture_open(&f, 1, 1, 5, "[maxpool]\nmaxpool_depth=1\nout_channels=2\n"));
    const float deep[5] = {1, 8, 3, -2, 2}, depth[2] = {3, 8}; /* 0 2 4 | 1 3 */
    CHECK(fixture_check(&f, deep, 0, depth, EXACT));
    fixture_close(&f);
}

static void test_route(void)
{
    struct fixture f;
    const float image[4] = {1, 2, 3, 4};
    CHECK(fixture_open(&f, 1, 1, 4,
                       "[activation]\n"                             /* 0: 1 2 3 4 */
                       "[route]\nlayers=-1\ngroups=2\ngroup_id=1\n" /* 1: 3 4 */
                       "[upsample]\nstride=1\nscale=10\n"           /* 2: 30 40 */
                       "[route]\nlayers=-1,0\n"                     /* 3: 30 40 1 2 3 4 */
                       "[route]\nlayers=0,2,2\n"                    /* 4: 1 2 3 4 30 40 30 40 */
                       "[route]\nlayers=-1,-2\ngroups=2\ngroup_id=1\n"));
    const float slice[2] = {3, 4}, both[6] = {30, 40, 1, 2, 3, 4};
    const float three[8] = {1, 2, 3, 4, 30, 40, 30, 40}, halves[7] = {30, 40, 30, 40, 2, 3, 4};
    for (int keep = 0; keep < 2; keep++) {
        CHECK(fixture_plan(&f, "scalar", 1, keep));
        fixture_run(&f, 1, image);
        CHECK(fixture_equals(&f, 5, 0, halves, EXACT));
        if (keep) {
            CHECK(fixture_equals(&f, 1, 0, slice, EXACT));
            CHECK(fixture_equals(&f, 3, 0, both, EXACT));
            CHECK(fixture_equals(&f, 4, 0, three, EXACT));
        }
    }
    CHECK(fixture_shape_is(&f, 5, 1, 1, 7));
    fixture_close(&f);
}

/* A concatenation that is overwritten in place must not take its sources with it. */
static void test_in_place_over_concatenation(void)
{
    struct fixture f;
    const float image[2] = {-1, 2};
    CHECK(fixture_open(&f, 1, 1, 2,
                       "[upsample]\nstride=1\nscale=1\n"    /* 0: -1 2 */
                       "[upsample]\nstride=1\nscale=10\n"   /* 1: -10 20 */
                       "[route]\nlayers=-1,-2\n"            /* 2: -10 20 -1 2 */
                       "[activation]\nactivation=relu\n"    /* 3: 0 20 0 2 */
                       "[route]\nlayers=0\n"                /* 4: -1 2 */
                       "[upsample]\nstride=1\nscale=1\n")); /* 5: -1 2 */
    CHECK(fixture_check(&f, image, 5, image, EXACT));
    fixture_close(&f);
}

static void test_shortcut_plain(void)
{
    struct fixture f;
    const float image[3] = {1, -2, 3};
    CHECK(fixture_open(&f, 1, 1, 3,
                       "[upsample]\nstride=1\nscale=1\n"               /* 0: 1 -2 3 */
                       "[route]\nlayers=0\ngroups=3\ngroup_id=1\n"     /* 1: -2 */
                       "[upsample]\nstride=1\nscale=4\n"               /* 2: -8 */
                       "[shortcut]\nfrom=0\nactivation=leaky\n"        /* 3: -8 + 1 = -7 -> -0.7 */
                       "[upsample]\nstride=1\nscale=-10\n"             /* 4: 7 */
                       "[route]\nlayers=0\n"                           /* 5: 1 -2 3 */
                       "[shortcut]\nfrom=4,-2,0\nactivation=tanh\n")); /* 6 */
    /* 1 + 7 + 7 + 1; only the first channel has four terms, the others 2 * (-2), 2 * 3 */
    const float want[3] = {(float)tanh(16), (float)tanh(-4), (float)tanh(6)};
    CHECK(fixture_check(&f, image, 6, want, CLOSE));
    CHECK(f.net.layers[6].ops->flops(&f.net.layers[6]) == 9.0);
    fixture_close(&f);
}

static void check_weighted(const char *keys, size_t count, const float *weights, const float *want)
{
    struct fixture f;
    char text[256];
    const float image[2] = {1, 2};
    snprintf(text, sizeof text,
             "[upsample]\nstride=1\nscale=10\n[upsample]\nstride=1\nscale=10\n"
             "[shortcut]\nfrom=-2,0\nactivation=linear\n%s",
             keys);
    CHECK_MSG(fixture_open(&f, 1, 1, 2, text), "%s", f.err.text);
    CHECK(layer_param(&f.net.layers[2], "weights")->data[count - 1] == 1.0f);
    CHECK(fixture_set(&f, 2, "weights", count, weights));
    CHECK(fixture_check(&f, image, 2, want, 1e-3));
    fixture_close(&f);
}

/* prev = 100 200, both sources = 10 20 */
static void test_shortcut_weighted(void)
{
    const float w[3] = {0.5f, 2, -1}, plain[2] = {60, 120};
    check_weighted("weights_type=per_feature\n", 3, w, plain);
    const float sum = 2.5001f; /* relu: 0.5 2 0 over 1e-4 + 2.5 */
    const float relu[2] = {(50 + 20) / sum, (100 + 40) / sum};
    check_weighted("weights_type=per_layer\nweights_normalization=avg_relu\n", 3, w, relu);
    const double e[3] = {exp(-1.5), 1, exp(-3)};
    double total = 1e-4 + e[0] + e[1] + e[2];
    const float soft[2] = {(float)((100 * e[0] + 10 * e[1] + 10 * e[2]) / total),
                           (float)((200 * e[0] + 20 * e[1] + 20 * e[2]) / total)};
    check_weighted("weights_type=per_feature\nweights_normalization=softmax\n", 3, w, soft);
    const float by_channel[6] = {1, 2, 3, 4, 5, 6};
    const float channels[2] = {100 + 30 + 50, 400 + 80 + 120};
    check_weighted("weights_type=per_channel\n", 6, by_channel, channels);
    const float parts[2] = {180 / 9.0001f, 600 / 12.0001f};
    check_weighted("weights_type=per_channel\nweights_normalization=relu\n", 6, by_channel, parts);
}

/* Sources with fewer and with more channels than the previous layer; large enough that a source
 * taken too wide would leave the scratch memory. */
static void test_shortcut_weighted_channels(void)
{
    enum { SIDE = 8, PIXELS = SIDE * SIDE };
    struct fixture f;
    const float w[3] = {1, 10, 100};
    float image[3 * PIXELS], want[3 * PIXELS];
    fill_ramp(image, 3 * PIXELS);
    for (int i = 0; i < 3 * PIXELS; i++) {
        want[i] = image[i] * (i < PIXELS ? 111.0f : 101.0f);
    }
    CHECK(fixture_open(&f, SIDE, SIDE, 3,
                       "[activation]\n[route]\nlayers=0\ngroups=3\n[route]\nlayers=0,1\n"
                       "[route]\nlayers=0\n" /* 1: one channel, 2: four, 3: three */
                       "[shortcut]\nfrom=1,2\nweights_type=per_feature\n"));
    CHECK(fixture_set(&f, 4, "weights", 3, w));
    CHECK(fixture_check(&f, image, 4, want, 1e-2));
    fixture_close(&f);
}

static void test_gates(void)
{
    struct fixture f;
    const float image[4] = {1, 2, 3, 5}; /* channel 0: 1 2, channel 1: 3 5 */
    CHECK(fixture_open(&f, 2, 1, 2,
                       "[activation]\n[avgpool]\n"
                       "[scale_channels]\nfrom=0\nactivation=linear\n"));
    const float scaled[4] = {1.5f, 3, 12, 20};
    CHECK(fixture_check(&f, image, 2, scaled, CLOSE));
    fixture_close(&f);
    CHECK(fixture_open(&f, 2, 1, 2,
                       "[activation]\n[route]\nlayers=0\ngroups=2\n"
                       "[scale_channels]\nfrom=-2\nscale_wh=1\n"));
    const float pixels[4] = {1, 4, 3, 10};
    CHECK(fixture_check(&f, image, 2, pixels, CLOSE));
    fixture_close(&f);
    CHECK(fixture_open(&f, 2, 1, 2,
                       "[activation]\n[upsample]\nstride=1\nscale=-1\n"
                       "[sam]\nfrom=-2\nactivation=leaky\n"));
    const float squares[4] = {-0.1f, -0.4f, -0.9f, -2.5f};
    CHECK(fixture_check(&f, image, 2, squares, CLOSE));
    fixture_close(&f);
}

static void test_upsample(void)
{
    struct fixture f;
    const float image[2] = {1, 2}, want[8] = {3, 3, 6, 6, 3, 3, 6, 6};
    CHECK(fixture_open(&f, 2, 1, 1, "[upsample]\nscale=3\n"));
    CHECK(fixture_shape_is(&f, 0, 4, 2, 1));
    CHECK(fixture_check(&f, image, 0, want, EXACT));
    fixture_close(&f);
}

/* The 1x4x2x2 ramp: the two kinds must differ. */
static void test_reorgs_differ(void)
{
    struct fixture f;
    float ramp[16];
    for (int i = 0; i < 16; i++) {
        ramp[i] = (float)i;
    }
    CHECK(fixture_open(&f, 2, 2, 4, "[reorg3d]\nstride=2\n"));
    CHECK(fixture_shape_is(&f, 0, 1, 1, 16));
    const float blocks[16] = {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15};
    CHECK(fixture_check(&f, ramp, 0, blocks, EXACT));
    fixture_close(&f);
    CHECK(fixture_open(&f, 2, 2, 4, "[reorg]\nstride=2\n"));
    /* k = o here; out[i + 2j + 4k] = in[2i + o%2 + 4 (2j + o/2)] */
    const float mixed[16] = {0, 2, 8, 10, 1, 3, 9, 11, 4, 6, 12, 14, 5, 7, 13, 15};
    CHECK(fixture_check(&f, ramp, 0, mixed, EXACT));
    fixture_close(&f);
}

static void test_reorg_by_formula(void)
{
    enum { W = 6, H = 4, C = 8, S = 2, INNER = C / (S * S), COUNT = W * H * C };
    struct fixture f;
    float image[COUNT], want[COUNT];
    fill_ramp(image, COUNT);
    for (int to = 0; to < COUNT; to++) {
        int i = to % W, j = to / W % H, k = to / W / H, o = k / INNER;
        want[to] = image[i * S + o % S + W * S * (j * S + o / S + H * S * (k % INNER))];
    }
    CHECK(fixture_open(&f, W, H, C, "[reorg]\nstride=2\n"));
    CHECK(fixture_shape_is(&f, 0, 3, 2, 32));
    CHECK(fixture_check(&f, image, 0, want, EXACT));
    fixture_close(&f);
    CHECK(fixture_open(&f, W, H, C, "[reorg3d]\nstride=2\n[reorg3d]\nstride=2\nreverse=1\n"));
    CHECK(fixture_shape_is(&f, 1, W, H, C));
    CHECK(fixture_check(&f, image, 1, image, EXACT));
    fixture_close(&f);
}

static void test_crop_dropout_cost(void)
{
    struct fixture f;
    float image[20];
    fill_ramp(image, 20);
    CHECK(fixture_open(&f, 5, 4, 1, "[crop]\ncrop_width=2\ncrop_height=2\n[dropout]\n[cost]\n"));
    CHECK(fixture_shape_is(&f, 2, 2, 2, 1));
    const float want[4] = {13, 15, 23, 25}; /* 7 8 | 12 13, times 2 minus 1 */
    CHECK(fixture_check(&f, image, 2, want, EXACT));
    fixture_close(&f);
    CHECK(fixture_open(&f, 5, 4, 1, "[crop]\ncrop_width=5\ncrop_height=4\nnoadjust=1\n"));
    CHECK(fixture_check(&f, image, 0, image, EXACT));
    fixture_close(&f);
}

static void test_softmax(void)
{
    struct fixture f;
    const float l2 = logf(2), image[4] = {0, l2, 0, 3 * l2}, flat[4] = {0, 2 * l2, 0, 3 * l2};
    CHECK(fixture_open(&f, 1, 1, 4, "[softmax]\ngroups=2\n"));
    const float grouped[4] = {1 / 3.0f, 2 / 3.0f, 1 / 9.0f, 8 / 9.0f};
    CHECK(fixture_check(&f, image, 0, grouped, CLOSE));
    fixture_close(&f);
    CHECK(fixture_open(&f, 2, 1, 2, "[soft]\nspatial=1\n"));
    const float spatial[4] = {0.5f, 1 / 3.0f, 0.5f, 2 / 3.0f}; /* pixels 0 0 and 2 l2, 3 l2 */
    CHECK(fixture_check(&f, flat, 0, spatial, CLOSE));
    fixture_close(&f);
    CHECK(fixture_open(&f, 2, 1, 2, "[softmax]\ntemperature=.5\n"));
    const float whole[4] = {1 / 82.0f, 16 / 82.0f, 1 / 82.0f, 64 / 82.0f};
    CHECK(fixture_check(&f, flat, 0, whole, CLOSE));
    fixture_close(&f);
}

/* Images of a batch do not touch each other. */
static void test_batch(void)
{
    struct fixture f;
    CHECK(fixture_open(&f, 3, 2, 2,
                       "[maxpool]\nsize=2\nstride=1\n[upsample]\n[maxpool]\nsize=2\nstride=2\n"
                       "[reorg3d]\nstride=1\n[shortcut]\nfrom=-2,-4\nweights_type=per_feature\n"));
    float images[3][12], alone[3][12];
    unsigned seed = 3;
    for (int i = 0; i < 36; i++) {
        images[i / 12][i % 12] = test_noise(&seed);
    }
    CHECK(fixture_plan(&f, "scalar", 3, false));
    for (int n = 0; n < 3; n++) {
        fixture_run(&f, 1, images[n]);
        tensor_to_planar(plan_output(f.plan, 4), 0, alone[n]);
    }
    fixture_run(&f, 3, images[0]);
    for (int n = 0; n < 3; n++) {
        CHECK(fixture_equals(&f, 4, n, alone[n], EXACT));
    }
    CHECK(memcmp(alone[0], alone[1], sizeof alone[0]) != 0);
    fixture_close(&f);
}

static void test_refusals(void)
{
    static const struct {
        const char *sections;
        enum result code;
        const char *part;
    } rows[] = {
        {"[convolutional]\nfilters=0\n", ERR_CFG, "t.cfg:6: "},
        {"[convolutional]\nsize=0\n", ERR_CFG, "t.cfg:6: "},
        {"[convolutional]\nstride=0\n", ERR_CFG, "t.cfg:6: "},
        {"[convolutional]\nsize=9\n", ERR_CFG,
         "t.cfg:5: [convolutional] layer 0: a window of 9 x 9"},
        {"[convolutional]\nactivation=mishh\n", ERR_CFG, "t.cfg:6: [convolutional] activation: "},
        {"[convolutional]\nfilters=6\ngroups=4\n", ERR_CFG, "do not divide filters=6"},
        {"[convolutional]\nfilters=8\ngroups=4\n", ERR_CFG,
         "t.cfg:7: [convolutional] groups: 4 groups"},
        {"[convolutional]\nantialiasing=1\n", ERR_UNSUPPORTED, "t.cfg:6: "},
        {"[convolutional]\nxnor=1\n", ERR_UNSUPPORTED, "xnor=1 is not supported"},
        {"[convolutional]\nshare_index=0\n", ERR_UNSUPPORTED, "share_index"},
        {"[convolutional]\n[route]\nlayers=1\n", ERR_CFG, "t.cfg:7: [route] layers: 1 in layer 1"},
        {"[convolutional]\n[route]\nlayers=5\n", ERR_CFG, "later layer"},
        {"[convolutional]\n[route]\nlayers=-2\n", ERR_CFG, "before the first layer"},
        {"[convolutional]\n[route]\n", ERR_CFG, "t.cfg:6: [route] layer 1: needs layers="},
        {"[convolutional]\nstride=2\n[route]\nlayers=-1\n[upsample]\n[route]\nlayers=-1,0\n",
         ERR_CFG, "side by side"},
        {"[convolutional]\nfilters=3\n[route]\nlayers=-1\ngroups=2\n", ERR_CFG,
         "3 channels of layer 0"},
        {"[convolutional]\n[route]\nlayers=-1\ngroups=2\ngroup_id=2\n", ERR_CFG, "t.cfg:9: "},
        {"[convolutional]\n[maxpool]\nstride=2\n[shortcut]\nfrom=0\n", ERR_CFG,
         "t.cfg:9: [shortcut] from: layer 0 is 6 x 6 but the previous layer is 3 x 3"},
        {"[convolutional]\n[shortcut]\n", ERR_CFG, "needs from="},
        {"[convolutional]\n[shortcut]\nfrom=-1\nweights_type=both\n", ERR_CFG, "t.cfg:8: "},
        {"[convolutional]\n[shortcut]\nfrom=-1\nactivation=liner\n", ERR_CFG, "linear, leaky"},
        {"[maxpool]\nsize=0\n", ERR_CFG, "t.cfg:6: "},
        {"[maxpool]\nsize=9\npadding=0\n", ERR_CFG, "does not fit"},
        {"[maxpool]\nsize=2\npadding=6\n", ERR_CFG, "a window would lie outside"},
        {"[maxpool]\nmaxpool_depth=1\nout_channels=4\n", ERR_CFG, "4 is more than the 3"},
        {"[upsample]\nstride=-2\n", ERR_UNSUPPORTED, "t.cfg:6: "},
        {"[upsample]\nstride=0\n", ERR_CFG, "t.cfg:6: "},
        {"[convolutional]\n[scale_channels]\nfrom=0\n", ERR_CFG, "must be 1 x 1 x 1"},
        {"[convolutional]\n[scale_channels]\n", ERR_CFG, "needs from="},
        {"[convolutional]\n[scale_channels]\nfrom=3\n", ERR_CFG, "t.cfg:7: "},
        {"[convolutional]\n[convolutional]\nfilters=2\n[sam]\nfrom=0\n", ERR_CFG, "6 x 6 x 2"},
        {"[reorg]\nstride=2\n", ERR_CFG, "needs a multiple of 4 channels"},
        {"[reorg3d]\nstride=4\n", ERR_CFG, "does not divide the input of 6 x 6"},
        {"[reorg3d]\nstride=2\nreverse=1\n", ERR_CFG, "3 channels"},
        {"[crop]\ncrop_width=7\ncrop_height=2\n", ERR_CFG, "larger than the input"},
        {"[softmax]\ngroups=2\n", ERR_CFG, "t.cfg:6: "},
        {"[softmax]\ntree=9k.tree\n", ERR_UNSUPPORTED, "t.cfg:6: "},
        {"[cost]\ntype=l3\n", ERR_CFG, "sse, masked, smooth"},
        {"[dropout]\nprobability=2\n", ERR_CFG, "t.cfg:6: "},
        {"[deconv]\nsize=3\npadding=3\n", ERR_CFG, "less than size=3"},
        {"[gru]\n", ERR_UNSUPPORTED, "t.cfg:5: "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK_MSG(fixture_refuses(6, 6, 3, rows[i].sections, rows[i].code, rows[i].part), "row %zu",
                  i);
    }
}

static void test_registry(void)
{
    static const char *const names[] = {"convolutional",
                                        "conv",
                                        "deconvolutional",
                                        "deconv",
                                        "connected",
                                        "conn",
                                        "maxpool",
                                        "max",
                                        "local_avgpool",
                                        "local_avg",
                                        "avgpool",
                                        "avg",
                                        "route",
                                        "shortcut",
                                        "upsample",
                                        "dropout",
                                        "scale_channels",
                                        "sam",
                                        "reorg",
                                        "reorg3d",
                                        "region",
                                        "yolo",
                                        "Gaussian_yolo",
                                        "batchnorm",
                                        "activation",
                                        "softmax",
                                        "soft",
                                        "cost",
                                        "crop"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        CHECK_MSG(layer_find(names[i]), "%s", names[i]);
    }
    CHECK(layer_find("gaussian_yolo") == NULL);
    CHECK(layer_find("reorg") != layer_find("reorg3d"));
    for (size_t i = 0; layer_kinds[i]; i++) {
        CHECK_MSG(layer_kinds[i]->parse && layer_kinds[i]->shape && layer_kinds[i]->plan, "%s",
                  layer_kinds[i]->name);
    }
}

static const struct test_case cases[] = {
    {"registry", test_registry},
    {"conv_by_hand", test_conv_by_hand},
    {"conv_dilation_by_hand", test_conv_dilation_by_hand},
    {"conv_activation_and_groups", test_conv_activation_and_groups},
    {"conv_defaults", test_conv_defaults},
    {"conv_batchnorm", test_conv_batchnorm},
    {"conv_geometry", test_conv_geometry},
    {"params", test_params},
    {"connected_by_hand", test_connected_by_hand},
    {"deconv_by_definition", test_deconv_by_definition},
    {"batchnorm_and_activation", test_batchnorm_and_activation},
    {"pool_shapes", test_pool_shapes},
    {"pools_by_hand", test_pools_by_hand},
    {"route", test_route},
    {"in_place_over_concatenation", test_in_place_over_concatenation},
    {"shortcut_plain", test_shortcut_plain},
    {"shortcut_weighted", test_shortcut_weighted},
    {"shortcut_weighted_channels", test_shortcut_weighted_channels},
    {"gates", test_gates},
    {"upsample", test_upsample},
    {"reorgs_differ", test_reorgs_differ},
    {"reorg_by_formula", test_reorg_by_formula},
    {"crop_dropout_cost", test_crop_dropout_cost},
    {"softmax", test_softmax},
    {"batch", test_batch},
    {"refusals", test_refusals},
};

TEST_MAIN(cases)
