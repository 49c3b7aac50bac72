/* A network on bytes: every kind of layer that takes them, its file, and what is refused. */
#include <stdlib.h>
#include <unistd.h>

#include "base/fileio.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "isa.h"
#include "kernels/int8_ops.h"
#include "layers/conv_unit.h"
#include "layers/int8_unit.h"
#include "net/plan.h"
#include "run/bench.h"
#include "run/histogram.h"
#include "test.h"

/* Joins, views, channel groups, sums of unequal width, a depthwise convolution, fp32 in the middle. */
static const char text[] =
    "[net]\nwidth=40\nheight=24\nchannels=3\n"
    "[convolutional]\nbatch_normalize=1\nfilters=16\nsize=3\npad=1\nactivation=mish\n"
    "[convolutional]\nbatch_normalize=1\nfilters=24\nsize=3\npad=1\nactivation=leaky\n"
    "[convolutional]\nbatch_normalize=1\nfilters=30\nsize=1\nactivation=swish\n"
    "[shortcut]\nfrom=-2\nactivation=leaky\n"
    "[route]\nlayers=1\ngroups=2\ngroup_id=1\n"
    "[convolutional]\nfilters=9\nsize=3\npad=1\nactivation=relu6\n"
    "[route]\nlayers=-1,-2,3\n"
    "[maxpool]\nsize=2\nstride=2\n"
    "[convolutional]\nbatch_normalize=1\nfilters=51\ngroups=51\nsize=3\npad=1\nactivation=hard_mish\n"
    "[dropout]\nprobability=.5\n"
    "[upsample]\nstride=2\n"
    "[route]\nlayers=-1,0\n"
    "[convolutional]\nbatch_normalize=1\nfilters=20\nsize=3\nstride=2\npad=1\nactivation=logistic\n"
    "[convolutional]\nfilters=7\nsize=1\nactivation=elu\n"
    "[convolutional]\nfilters=5\nsize=1\nactivation=linear\n";
enum { LAYERS = 15 };

struct rig {
    struct network net;
    struct quantization q;
    struct plan *fp32, *bytes;
};

static bool is_on_bytes(int layer)
{
    return layer == 1 || layer == 2 || layer == 5 || layer == 8 || layer == 12;
}

static enum result plan_for(struct rig *r, const struct quantization *q, int batch, bool keeps,
                            struct plan **plan)
{
    const struct plan_options options = {.batch = batch, .keep_outputs = keeps, .quant = q};
    const struct kernels *kern;
    struct error err;
    enum result result = kernels_select(NULL, &kern, &err);
    return result == OK ? plan_build(&r->net, kern, &options, plan, &err) : result;
}

/* Each channel's steps and zero from what it was in one picture of noise. */
static void calibrate(struct rig *r)
{
    for (int i = 0; i < r->net.layer_count; i++) {
        const struct tensor *t = plan_output(r->fp32, i);
        struct quant_layer *l = &r->q.layers[i];
        struct error err;
        l->is_int8 = is_on_bytes(i);
        CHECK_OK(quant_need_channels(l, t->c, &err));
        for (int c = 0; c < t->c; c++) {
            float low = 0, high = 1e-3f;
            for (size_t p = 0; p < tensor_pixels(t); p++) {
                float x = t->data[p * t->stride + (size_t)c];
                low = x < low ? x : low;
                high = x > high ? x : high;
            }
            l->steps[c] = (high - low) / 255;
            l->zeros[c] = (uint8_t)lrintf(-low / l->steps[c]);
        }
    }
}

static void rig_open_of(struct rig *r, const char *cfg)
{
    struct error err;
    *r = (struct rig){0};
    CHECK_OK(network_parse("net.cfg", cfg, strlen(cfg), 0, 0, &r->net, &err));
    CHECK_OK(network_allocate(&r->net, &err));
    network_initialise(&r->net, 3);
    CHECK_OK(plan_for(r, NULL, 1, true, &r->fp32));
    bench_fill_input(plan_input(r->fp32));
    plan_forward(r->fp32, 1);
    CHECK_OK(quant_allocate(&r->q, r->net.layer_count, &err));
    r->q.network = quant_network_hash(&r->net);
    r->q.weights = quant_weights_hash(&r->net);
    r->q.pictures = 1;
    r->q.width = 40;
    r->q.height = 24;
    calibrate(r);
    CHECK_OK(quant_check(&r->q, &r->net, "net.int8", &err));
}

static void rig_open(struct rig *r)
{
    rig_open_of(r, text);
    CHECK(r->net.layer_count == LAYERS);
}

static void rig_close(struct rig *r)
{
    plan_free(r->fp32);
    plan_free(r->bytes);
    quant_free(&r->q);
    network_free(&r->net);
}

static double distance(const struct tensor *a, const struct tensor *b)
{
    double error = 0, whole = 0;
    for (size_t p = 0; p < tensor_pixels(a); p++) {
        for (size_t c = 0; c < (size_t)a->c; c++) {
            double x = (double)a->data[p * a->stride + c], y = (double)b->data[p * b->stride + c];
            error += (x - y) * (x - y);
            whole += x * x;
        }
    }
    return error / whole;
}

static void every_kind_of_layer(void)
{
    struct rig r;
    rig_open(&r);
    CHECK_OK(plan_for(&r, &r.q, 1, true, &r.bytes));
    bench_fill_input(plan_input(r.bytes));
    plan_forward(r.bytes, 1);
    for (int i = 0; i < LAYERS; i++) {
        double d = distance(plan_output(r.fp32, i), plan_output(r.bytes, i));
        CHECK_MSG(d < 2e-3, "layer %d: %g", i, d);
        bool is_bytes = i >= 1 && i <= 12;
        CHECK_MSG((strncmp(plan_algorithm(r.bytes, i), "int8", 4) == 0) == is_bytes, "layer %d: %s",
                  i, plan_algorithm(r.bytes, i));
    }
    CHECK(plan_output_bytes(r.bytes, 0) && !plan_output_bytes(r.bytes, 14));
    rig_close(&r);
}

/* Where outputs share memory, and on any number of threads, as where each keeps its own. */
static void same_bits_in_shared_memory(void)
{
    struct rig r;
    struct plan *shared = NULL;
    rig_open(&r);
    CHECK_OK(plan_for(&r, &r.q, 1, true, &r.bytes));
    bench_fill_input(plan_input(r.bytes));
    plan_forward(r.bytes, 1);
    for (int threads = 1; threads <= 3; threads++) {
        parallel_set_threads(threads);
        CHECK_OK(plan_for(&r, &r.q, 2, false, &shared));
        struct tensor first = *plan_input(shared);
        first.n = 1;
        for (int n = 0; n < 2; n++) {
            first.data = tensor_at(plan_input(shared), n, 0, 0);
            bench_fill_input(&first);
        }
        plan_forward(shared, 2);
        const struct tensor *wanted = plan_output(r.bytes, LAYERS - 1);
        struct tensor found = *plan_output(shared, LAYERS - 1);
        found.n = 1;
        CHECK(distance(wanted, &found) <= 0);
        found.data = tensor_at(&found, 1, 0, 0);
        CHECK(distance(wanted, &found) <= 0);
        CHECK(plan_memory(shared).activation_bytes < plan_memory(r.bytes).activation_bytes);
        plan_free(shared);
    }
    parallel_set_threads(0);
    rig_close(&r);
}

static void weights_are_less_memory(void)
{
    struct rig r;
    struct plan *fp32 = NULL;
    rig_open(&r);
    CHECK_OK(plan_for(&r, NULL, 1, false, &fp32));
    CHECK_OK(plan_for(&r, &r.q, 1, false, &r.bytes));
    CHECK(plan_memory(r.bytes).activation_bytes < plan_memory(fp32).activation_bytes);
    plan_free(fp32);
    rig_close(&r);
}

/* Nor is the first layer's output ever there as floats, though it is computed in fp32; and Winograd's weights are bytes. */
static void first_output_is_never_floats(void)
{
    static const char cfg[] =
        "[net]\nwidth=64\nheight=48\nchannels=3\n"
        "[convolutional]\nfilters=64\nsize=3\npad=1\nactivation=leaky\n"
        "[convolutional]\nfilters=16\nsize=3\npad=1\nactivation=leaky\n"
        "[convolutional]\nfilters=5\nsize=3\nstride=2\npad=1\nactivation=linear\n";
    struct rig r;
    rig_open_of(&r, cfg);
    r.q.layers[2].is_int8 = false;
    CHECK_OK(plan_for(&r, &r.q, 1, false, &r.bytes));
    CHECK(strcmp(plan_algorithm(r.bytes, 1), "int8 wino") == 0);
    CHECK(plan_memory(r.bytes).activation_bytes < sizeof(float) * 64 * 48 * 64);
    CHECK(plan_memory(r.bytes).prepared_bytes < sizeof(int16_t) * 36 * 64 * 16);
    rig_close(&r);
}

/* ---- training as bytes compute ---- */

static enum result rounding_plan(struct network *net, const struct quantization *q,
                                 enum layer_mode mode, bool keeps, struct plan **plan)
{
    enum layer_mode modes[LAYERS];
    const struct kernels *kern;
    struct error err;
    for (int i = 0; i < LAYERS; i++) {
        modes[i] = mode;
    }
    const struct plan_options options = {
        .batch = 2, .keep_outputs = keeps, .modes = modes, .quant = q, .rounds_floats = true};
    enum result result = kernels_select(NULL, &kern, &err);
    return result == OK ? plan_build(net, kern, &options, plan, &err) : result;
}

/* Of image 0: the share of values that are another byte, and the largest distance in steps. */
static double other_bytes(const struct tensor *a, const struct tensor *b, const float *steps,
                          double *most)
{
    double others = 0;
    size_t pixels = (size_t)a->h * (size_t)a->w;
    *most = 0;
    for (size_t p = 0; p < pixels; p++) {
        for (size_t c = 0; c < (size_t)a->c; c++) {
            double distance =
                fabs((double)a->data[p * a->stride + c] - (double)b->data[p * b->stride + c]) /
                (double)steps[c];
            others += distance > 0.01;
            *most = distance > *most ? distance : *most;
        }
    }
    return others / (double)(pixels * (size_t)a->c);
}

/* All floats of the plan that rounds are what the bytes say: but for sums so near to the middle of two steps that the order of
 * additions decides, and what these change in layers behind. */
static void floats_say_what_bytes_say(void)
{
    static const enum layer_mode modes[] = {MODE_INFER, MODE_FROZEN};
    for (size_t m = 0; m < sizeof modes / sizeof modes[0]; m++) {
        struct rig r;
        struct plan *floats = NULL;
        rig_open(&r);
        for (int i = 0; i < LAYERS; i++) { /* biases count, in fp32, too */
            for (int c = 0; c < r.q.layers[i].channels; c++) {
                r.q.layers[i].bias[c] = 0.01f * (float)(c % 7 - 3);
            }
        }
        CHECK_OK(plan_for(&r, &r.q, 1, true, &r.bytes));
        CHECK_OK(rounding_plan(&r.net, &r.q, modes[m], modes[m] == MODE_FROZEN, &floats));
        struct tensor first = *plan_input(floats);
        first.n = 1;
        bench_fill_input(&first);
        bench_fill_input(plan_input(r.bytes));
        plan_forward(floats, 1);
        plan_forward(r.bytes, 1);
        for (int i = 0; modes[m] == MODE_FROZEN && i < LAYERS; i++) {
            bool is_bytes = i >= 1 && i <= 12;
            double most, share = other_bytes(plan_output(floats, i), plan_output(r.bytes, i),
                                             r.q.layers[i].steps, &most);
            CHECK_MSG(share < (is_bytes ? 0.005 : 1) && most < 2.01, "layer %d: %g, %g steps", i,
                      share, most);
        }
        double d = distance(plan_output(r.bytes, LAYERS - 1),
                            &(struct tensor){plan_output(floats, LAYERS - 1)->data, 1, 12, 20, 5,
                                             plan_output(floats, LAYERS - 1)->stride});
        CHECK_MSG(d < 1e-5, "%g", d);
        plan_free(floats);
        rig_close(&r);
    }
}

/* Every layer is linear, so that where nothing is clipped rounding that counts as the identity leaves the gradient of the
 * network with rounded weights. */
static const char linear[] =
    "[net]\nwidth=16\nheight=12\nchannels=3\n"
    "[convolutional]\nfilters=8\nsize=3\npad=1\nactivation=linear\n"
    "[convolutional]\nbatch_normalize=1\nfilters=10\nsize=3\npad=1\nactivation=linear\n"
    "[convolutional]\nfilters=10\nsize=1\nactivation=linear\n"
    "[shortcut]\nfrom=-2\nactivation=linear\n"
    "[convolutional]\nfilters=4\nsize=1\nactivation=linear\n";
enum { FIRST, NORMED, PLAIN, SUM, LAST };

static void run_backward(struct plan *plan, int last)
{
    unsigned seed = 9;
    for (int n = 0; n < 2; n++) {
        struct tensor image = *plan_input(plan);
        image.data = tensor_at(&image, n, 0, 0);
        image.n = 1;
        bench_fill_input(&image);
    }
    plan_forward(plan, 2);
    const struct tensor *g = plan_output_gradient(plan, last);
    for (size_t p = 0; p < tensor_pixels(g); p++) {
        for (size_t c = 0; c < (size_t)g->c; c++) {
            seed = seed * 1664525u + 1013904223u;
            g->data[p * g->stride + c] = (float)(seed >> 8) / (float)(1 << 24) - 0.5f;
        }
    }
    plan_backward(plan);
}

static double gradient_distance(const struct plan *a, const struct plan *b, int layer, int param,
                                size_t count)
{
    double error = 0, whole = 0;
    for (size_t i = 0; i < count; i++) {
        double x = (double)plan_gradient(a, layer, param)[i],
               y = (double)plan_gradient(b, layer, param)[i];
        error += (x - y) * (x - y);
        whole += x * x;
    }
    return sqrt(error / whole);
}

static void linear_rig(struct rig *r)
{
    rig_open_of(r, linear);
    for (int i = 0; i <= LAST; i++) {
        struct quant_layer *l = &r->q.layers[i];
        l->is_int8 = i == NORMED || i == PLAIN;
        for (int c = 0; c < l->channels; c++) { /* nothing is clipped */
            l->steps[c] *= 2;
            l->zeros[c] = 128;
        }
    }
    r->q.weights = quant_weights_hash(&r->net);
    struct error err;
    CHECK_OK(quant_check(&r->q, &r->net, "net.int8", &err));
}

/* The network with rounded weights, of which filter `without` (if any) of NORMED is not read. */
static void round_twin(struct rig *twin, const struct rig *r, int without)
{
    struct error err;
    *twin = (struct rig){0};
    CHECK_OK(network_parse("net.cfg", linear, strlen(linear), 0, 0, &twin->net, &err));
    CHECK_OK(network_allocate(&twin->net, &err));
    network_initialise(&twin->net, 3);
    for (int i = NORMED; i <= PLAIN; i++) {
        const struct layer *from = &r->net.layers[i];
        float *to = layer_param(&twin->net.layers[i], "weights")->data;
        int8_unit_round_floats(from, r->q.layers[from->inputs[0]].steps, to);
        for (int k = 0; i == PLAIN && without >= 0 && k < 10; k++) {
            to[k * 10 + without] = 0;
        }
    }
}

static void gradient_passes_straight_through(void)
{
    struct rig r, twin;
    struct plan *rounds = NULL, *plain = NULL;
    linear_rig(&r);
    round_twin(&twin, &r, -1);
    CHECK_OK(rounding_plan(&r.net, &r.q, MODE_TUNE, false, &rounds));
    CHECK_OK(rounding_plan(&twin.net, NULL, MODE_TUNE, false, &plain));
    run_backward(rounds, LAST);
    run_backward(plain, LAST);
    for (int i = 0; i <= LAST; i++) {
        const struct layer *l = &r.net.layers[i];
        for (int k = 0; k < l->param_count; k++) {
            if (!plan_gradient(plain, i, k)) {
                continue;
            }
            /* Of weights, and of gamma, inputs are a factor, which are rounded. */
            bool is_exact = strcmp(l->params[k].role, "biases") == 0 || i == FIRST;
            double d = gradient_distance(plain, rounds, i, k, l->params[k].count);
            CHECK_MSG(d < (is_exact ? 1e-5 : 0.02), "layer %d %s: %g", i, l->params[k].role, d);
        }
    }
    plan_free(rounds);
    plan_free(plain);
    rig_close(&twin);
    rig_close(&r);
}

/* An output that is forgotten and made again is rounded again. */
static void forgotten_outputs_are_rounded_again(void)
{
    struct rig r;
    struct plan *kept = NULL, *forgotten = NULL;
    rig_open(&r);
    CHECK_OK(rounding_plan(&r.net, &r.q, MODE_TUNE, true, &kept));
    CHECK_OK(rounding_plan(&r.net, &r.q, MODE_TUNE, false, &forgotten));
    run_backward(kept, LAYERS - 1);
    run_backward(forgotten, LAYERS - 1);
    for (int i = 0; i < LAYERS; i++) {
        const struct layer *l = &r.net.layers[i];
        for (int k = 0; k < l->param_count; k++) {
            const float *a = plan_gradient(kept, i, k), *b = plan_gradient(forgotten, i, k);
            CHECK_MSG(!a || memcmp(a, b, l->params[k].count * sizeof *a) == 0, "layer %d %s", i,
                      l->params[k].role);
        }
    }
    plan_free(kept);
    plan_free(forgotten);
    rig_close(&r);
}

/* A channel that is beyond its range in every pixel learns nothing, and nothing before it learns by it. */
static void clipped_values_pass_nothing(void)
{
    struct rig r, twin;
    struct plan *rounds = NULL, *plain = NULL;
    enum { CLIPPED = 3 };
    linear_rig(&r);
    layer_param(&r.net.layers[NORMED], "biases")->data[CLIPPED] = 1e6f;
    round_twin(&twin, &r, CLIPPED);
    float *sum = layer_param(&twin.net.layers[LAST], "weights")->data;
    for (int k = 0; k < 4;
         k++) { /* it is read by the sum, too, which it takes out of its range with it */
        sum[k * 10 + CLIPPED] = 0;
    }
    r.q.layers[SUM].steps[CLIPPED] = 1e-3f;
    r.q.weights = quant_weights_hash(&r.net);
    CHECK_OK(rounding_plan(&r.net, &r.q, MODE_TUNE, false, &rounds));
    CHECK_OK(rounding_plan(&twin.net, NULL, MODE_TUNE, false, &plain));
    run_backward(rounds, LAST);
    run_backward(plain, LAST);
    const struct param *betas = layer_param(&r.net.layers[NORMED], "biases");
    const float *gradient =
        plan_gradient(rounds, NORMED, (int)(betas - r.net.layers[NORMED].params));
    for (int c = 0; c < 10; c++) {
        CHECK_MSG((fabsf(gradient[c]) <= 0) == (c == CLIPPED), "%d: %g", c, (double)gradient[c]);
    }
    CHECK(gradient_distance(plain, rounds, FIRST, 0, 8) < 1e-5);
    CHECK(gradient_distance(plain, rounds, PLAIN, 0, 10) < 1e-5);
    plan_free(rounds);
    plan_free(plain);
    rig_close(&twin);
    rig_close(&r);
}

/* By whole steps the difference quotient is 1 within the range and 0 beyond it, on every instruction set. */
static void rounding_has_slope_one(void)
{
    enum { COUNT = 700, CHANNELS = 3 };
    static const float steps[CHANNELS] = {0.5f, 0.031f, 7.0f};
    static const uint8_t zeros[CHANNELS] = {0, 128, 255};
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const struct kernels *kern = isa_kernels(ISA_NAMES[isa]);
        float x[COUNT * CHANNELS], y[COUNT * CHANNELS];
        uint8_t in_range[COUNT * CHANNELS];
        for (int i = 0; i < COUNT * CHANNELS; i++) { /* a whole step from one to the next */
            x[i] = steps[i % CHANNELS] * ((float)(i / CHANNELS - COUNT / 2) + 0.3f);
        }
        struct tensor in = {x, 1, 1, COUNT, CHANNELS, CHANNELS}, out = in;
        out.data = y;
        if (!kern) {
            continue;
        }
        int8_round(kern, steps, zeros, &in, &out, in_range);
        for (int i = 0; i + CHANNELS < COUNT * CHANNELS; i++) {
            float slope = (y[i + CHANNELS] - y[i]) / (x[i + CHANNELS] - x[i]);
            bool both = in_range[i] && in_range[i + CHANNELS];
            bool none = !in_range[i] && !in_range[i + CHANNELS];
            CHECK_MSG(!both || fabsf(slope - 1) < 1e-3f, "%s %d: %g", ISA_NAMES[isa], i,
                      (double)slope);
            CHECK_MSG(!none || fabsf(slope) <= 0, "%s %d: %g", ISA_NAMES[isa], i, (double)slope);
        }
        struct tensor gradient = {x, 1, 1, COUNT, CHANNELS, CHANNELS};
        int8_pass_in_range(in_range, &gradient);
        int8_round(kern, steps, zeros, &out, &out, NULL); /* in place, and once more is the same */
        for (int i = 0; i < COUNT * CHANNELS; i++) {
            CHECK(in_range[i] || fabsf(x[i]) <= 0);
            float q = y[i] / steps[i % CHANNELS] + zeros[i % CHANNELS];
            CHECK(q > -0.01f && q < 255.01f && fabsf(q - rintf(q)) < 1e-3f);
        }
    }
}

/* ---- the file ---- */

static void file_comes_back(void)
{
    char path[] = "/tmp/test_int8_XXXXXX";
    int fd = mkstemp(path);
    struct rig r;
    struct quantization read = {0};
    struct error err;
    rig_open(&r);
    CHECK(fd >= 0);
    close(fd);
    r.q.layers[1].bias[3] = -0.3f;
    CHECK_OK(quant_write(path, &r.q, &err));
    CHECK_OK(quant_read(path, &read, &err));
    CHECK_OK(quant_check(&read, &r.net, path, &err));
    for (int i = 0; i < LAYERS; i++) {
        const struct quant_layer *a = &r.q.layers[i], *b = &read.layers[i];
        size_t count = (size_t)a->channels;
        CHECK(a->is_int8 == b->is_int8 && a->channels == b->channels);
        CHECK(memcmp(a->steps, b->steps, count * sizeof(float)) == 0);
        CHECK(memcmp(a->bias, b->bias, count * sizeof(float)) == 0);
        CHECK(memcmp(a->zeros, b->zeros, count) == 0);
    }
    quant_free(&read);
    unlink(path);
    rig_close(&r);
}

static enum result read_back(const struct quantization *q, const struct network *net,
                             struct error *err)
{
    char path[] = "/tmp/test_int8_XXXXXX";
    int fd = mkstemp(path);
    struct quantization read = {0};
    enum result result = fd >= 0 ? quant_write(path, q, err) : ERR_IO;
    result = result == OK ? quant_read(path, &read, err) : result;
    result = result == OK ? quant_check(&read, net, path, err) : result;
    quant_free(&read);
    close(fd);
    unlink(path);
    return result;
}

/* Whole files, with a hash that is right, of what does not fit the network. */
static void unfit_quantisations(void)
{
    struct rig r;
    struct error err;
    rig_open(&r);
    CHECK_OK(read_back(&r.q, &r.net, &err));
    CHECK_OK(quant_need_channels(&r.q.layers[2], 17, &err));
    CHECK(read_back(&r.q, &r.net, &err) == ERR_FORMAT &&
          strstr(err.text, "layer 2 has 30 channels"));
    CHECK_OK(quant_need_channels(&r.q.layers[2], 30, &err));
    r.q.layers[0].channels = 0;
    CHECK(read_back(&r.q, &r.net, &err) == ERR_FORMAT && strstr(err.text, "layer 0"));
    r.q.layers[0].channels = 16;
    r.q.layers[13].is_int8 = true; /* elu */
    CHECK(read_back(&r.q, &r.net, &err) == ERR_FORMAT && strstr(err.text, "cannot be int8"));
    r.q.layers[13].is_int8 = false;
    r.q.layers[1].steps[4] = 0.0f;
    CHECK(read_back(&r.q, &r.net, &err) == ERR_FORMAT && strstr(err.text, "channel 4 of layer 1"));
    r.q.layers[1].steps[4] = 0.1f;
    r.q.weights++;
    CHECK(read_back(&r.q, &r.net, &err) == ERR_FORMAT && strstr(err.text, "other weights"));
    r.q.weights--;
    r.q.network++;
    CHECK(read_back(&r.q, &r.net, &err) == ERR_FORMAT && strstr(err.text, "another network"));
    r.q.network--;
    CHECK_OK(read_back(&r.q, &r.net, &err));
    rig_close(&r);
}

/* ---- ranges ---- */

static void histogram_finds_the_range(void)
{
    struct histogram *h = mem_alloc(3, sizeof *h);
    static float values[8000];
    struct tensor t = {.data = values, .n = 1, .h = 4, .w = 500, .c = 3, .stride = 4};
    double low, high;
    CHECK(h != NULL);
    for (size_t i = 0; i < 2000;
         i++) { /* the gap is not read, the third channel is ten times as wide */
        float x = (float)(i % 100) / 100.0f - 0.25f;
        float of[] = {x, x, 10.0f * x, 1e9f};
        memcpy(values + 4 * i, of, sizeof of);
    }
    values[4] = INFINITY; /* nor is this */
    histogram_add(h, &t);
    histogram_range(&h[0], &low, &high);
    CHECK_NEAR(low, -0.25, 0.01);
    CHECK_NEAR(high, 0.74, 0.02);
    histogram_range(&h[2], &low, &high);
    CHECK_NEAR(low, -2.5, 0.1);
    CHECK_NEAR(high, 7.4, 0.2);
    for (int i = 0; i < HISTOGRAM_BINS; i++) {
        h[0].bins[i] *= 1000;
    }
    values[0] = 8.0f; /* beside a million one value far out is clipped, in its channel alone */
    histogram_add(h, &t);
    histogram_range(&h[0], &low, &high);
    CHECK(h[0].most > 7.9f && h[0].reach > 8.0f);
    CHECK(high < 4.0 && high > 0.7);
    histogram_range(&h[1], &low, &high);
    CHECK_NEAR(high, 0.74, 0.02);
    h[1].bins[300] = UINT32_MAX; /* full bins stay full */
    values[1] = 300.0f;
    histogram_add(h, &t);
    uint32_t fullest = 0;
    for (int i = 0; i < HISTOGRAM_BINS; i++) {
        fullest = h[1].bins[i] > fullest ? h[1].bins[i] : fullest;
    }
    CHECK(fullest == UINT32_MAX);
    mem_free(h);
}

/* ---- weights ---- */

/* Each channel's window keeps its sum to half a step, and no tap moves by a whole one; what cannot be rounded is zero. */
static void rounding_keeps_sums(void)
{
    struct rig r;
    rig_open(&r);
    static const int convolutions[] = {1, 2, 5, 8, 12};
    for (size_t n = 0; n < sizeof convolutions / sizeof *convolutions; n++) {
        const struct layer *l = &r.net.layers[convolutions[n]];
        const struct conv_unit *u = l->state;
        const struct param *w = layer_param(l, "weights");
        const struct conv_geometry *g = &u->geometry;
        size_t filters = (size_t)g->filters, taps = (size_t)g->kernel_h * (size_t)g->kernel_w;
        size_t channels = (size_t)(g->in_c / g->groups), windows = filters * channels;
        int8_t *rounded = mem_alloc(w->count, 1);
        float *scale = mem_alloc(filters, sizeof *scale);
        const float *steps = r.q.layers[l->inputs[0]].steps;
        CHECK(rounded && scale);
        int8_unit_round(l, steps, rounded, scale);
        size_t moved = 0;
        for (size_t i = 0; i < windows; i++) {
            size_t k = i / channels, c = g->groups > 1 ? k : i % channels;
            double sum = 0;
            for (size_t t = 0; t < taps; t++) {
                double exact = (double)w->data[i * taps + t] * (double)steps[c] / (double)scale[k];
                double left = exact - rounded[i * taps + t];
                CHECK(fabs(left) < 1.0 + 1e-4);
                moved += fabs(left) > 0.5 + 1e-4;
                sum += left;
            }
            CHECK_MSG(fabs(sum) < 0.5 + 1e-3, "layer %d, window %zu: %g", convolutions[n], i, sum);
        }
        CHECK((moved > 0) == (taps > 1));
        w->data[0] = NAN;
        int8_unit_round(l, steps, rounded, scale);
        CHECK(rounded[0] == 0);
        mem_free(rounded);
        mem_free(scale);
    }
    rig_close(&r);
}

static const struct test_case cases[] = {
    {"rounding_keeps_sums", rounding_keeps_sums},
    {"every_kind_of_layer", every_kind_of_layer},
    {"same_bits_in_shared_memory", same_bits_in_shared_memory},
    {"weights_are_less_memory", weights_are_less_memory},
    {"first_output_is_never_floats", first_output_is_never_floats},
    {"floats_say_what_bytes_say", floats_say_what_bytes_say},
    {"gradient_passes_straight_through", gradient_passes_straight_through},
    {"forgotten_outputs_are_rounded_again", forgotten_outputs_are_rounded_again},
    {"clipped_values_pass_nothing", clipped_values_pass_nothing},
    {"rounding_has_slope_one", rounding_has_slope_one},
    {"file_comes_back", file_comes_back},
    {"unfit_quantisations", unfit_quantisations},
    {"histogram_finds_the_range", histogram_finds_the_range},
};

TEST_MAIN(cases)
