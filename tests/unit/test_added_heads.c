/* Classes added beside old ones (net/added_heads.h): the old network's bytes and outputs stay, in any training; rows of
 * classes that a head is not for have no gradient and keep still; the new ones learn. */
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "isa.h"
#include "net/added_heads.h"
#include "net/class_rows.h"
#include "net/plan.h"
#include "test.h"
#include "train/freeze.h"
#include "train/frozen_bytes.h"
#include "train/step.h"

enum { SIDE = 32, BATCH = 2, OLD = 2, ADDED = 3, OLD_LAYERS = 9, LAYERS = 16, STEPS = 5 };

/* Two grids; the first head has a hidden convolution of its own, the second reads what a route reads, too. */
static const char sections[] =
    "[net]\nwidth=32\nheight=32\nchannels=3\n"
    "[convolutional]\nbatch_normalize=1\nfilters=6\nsize=3\nstride=2\npad=1\nactivation=mish\n" /* 0 */
    "[convolutional]\nbatch_normalize=1\nfilters=8\nsize=3\nstride=2\npad=1\nactivation=leaky\n"
    "[convolutional]\nfilters=14\nsize=1\nactivation=linear\n" /* 2 */
    "[yolo]\nmask=0,1\nnum=3\nclasses=2\nanchors=4,4, 9,9, 20,20\nlabel_smooth_eps=.1\n"
    "iou_loss=ciou\niou_thresh=.2\n"
    "[route]\nlayers=0\n"
    "[convolutional]\nbatch_normalize=1\nfilters=8\nsize=3\nstride=4\npad=1\nactivation=leaky\n" /* 5 */
    "[convolutional]\nbatch_normalize=1\nfilters=11\nsize=1\nactivation=linear\n"
    "[Gaussian_yolo]\nmask=2\nnum=3\nclasses=2\nanchors=4,4, 9,9, 20,20\n" /* 7 */
    "[route]\nlayers=5\n";

static char path[64];
static struct error err;

static void fill(struct network *net, unsigned noise)
{
    for (int i = 0; i < net->layer_count; i++) {
        for (int k = 0; k < net->layers[i].param_count; k++) {
            const struct param *p = &net->layers[i].params[k];
            float scale = p->fan_in > 0 ? 1.5f / sqrtf((float)p->fan_in) : 0.3f;
            for (size_t j = 0; j < p->count; j++) {
                p->data[j] = p->initial + scale * test_noise(&noise);
            }
        }
    }
}

static bool open_both(const char *text, struct network *old, struct network *net, size_t *loaded)
{
    struct cfg_text made = {0};
    log_set_level(LOG_QUIET);
    snprintf(path, sizeof path, "/tmp/test_added.%ld.cfg", (long)getpid());
    FILE *file = fopen(path, "w");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0) {
        return false;
    }
    bool is_good = network_read(path, 0, 0, old, &err) == OK && network_allocate(old, &err) == OK;
    if (is_good) {
        fill(old, 3);
        is_good = added_heads_cfg(old, ADDED, "new.cfg", &made, &err) == OK &&
                  network_parse("new.cfg", made.bytes, made.size, 0, 0, net, &err) == OK &&
                  network_allocate(net, &err) == OK;
    }
    if (is_good) {
        network_initialise(net, 1);
        is_good = added_heads_fill(old, net, loaded, &err) == OK;
    }
    mem_free(made.bytes);
    unlink(path);
    return is_good;
}

static void close_both(struct network *old, struct network *net)
{
    network_free(old);
    network_free(net);
    *old = *net = (struct network){0};
}

static const struct head_info *info_at(const struct network *net, int layer)
{
    return net->layers[layer].ops->head(&net->layers[layer]);
}

static void test_cfg(void)
{
    static struct network old, net;
    size_t loaded[LAYERS + 1] = {0}, values, changed;
    CHECK_MSG(open_both(sections, &old, &net, loaded), "%s", err.text);
    CHECK_MSG(net.layer_count == LAYERS, "%d layers", net.layer_count);
    CHECK(added_heads_first(&net) == OLD_LAYERS && added_heads_first(&old) == 0);
    /* 9 route, 10 hidden (a copy of 1), 11 convolution, 12 [yolo]; layer 5 feeds a route, too: 13 route, 14, 15 */
    CHECK(net.layers[9].inputs[0] == 0 && net.layers[13].inputs[0] == 5);
    const int heads[] = {3, 7, 12, 15};
    for (int n = 0; n < 4; n++) {
        const struct head_info *head = info_at(&net, heads[n]);
        CHECK(head->classes == OLD + ADDED);
        CHECK(head->first_class == (n < 2 ? 0 : OLD));
        CHECK(head->class_end == (n < 2 ? OLD : OLD + ADDED));
    }
    CHECK_OK(added_heads_compare(&old, &net, &values, &changed, &err));
    CHECK(values == network_param_floats(&old, old.layer_count, NULL) && changed == 0);
    CHECK(memcmp(net.layers[10].params[4].data, old.layers[1].params[4].data,
                 old.layers[1].params[4].count * sizeof(float)) == 0);
    /* a bit that changes is seen */
    net.layers[6].params[0].data[10] += 1e-4f;
    CHECK_OK(added_heads_compare(&old, &net, &values, &changed, &err));
    CHECK_MSG(changed == 1, "%zu", changed);
    CHECK(loaded[1] == layer_values(&old.layers[1]) && loaded[10] == layer_values(&old.layers[1]));
    close_both(&old, &net);
}

/* What the old heads give for old entries is the same to the last bit, and for new classes nothing. */
static void test_outputs(void)
{
    static struct network old, net;
    static const char *const isas[] = {"scalar", "avx2", "avx512"};
    size_t loaded[LAYERS + 1] = {0};
    CHECK_MSG(open_both(sections, &old, &net, loaded), "%s", err.text);
    for (size_t s = 0; s < 3; s++) {
        const struct kernels *kern = isa_kernels(isas[s]);
        struct plan *plans[2] = {NULL, NULL};
        struct plan_options options = {.batch = 1};
        if (!kern) {
            continue;
        }
        CHECK_OK(plan_build(&old, kern, &options, &plans[0], &err));
        CHECK_OK(plan_build(&net, kern, &options, &plans[1], &err));
        for (int p = 0; p < 2; p++) {
            float image[SIDE * SIDE * 3];
            unsigned noise = 9;
            struct tensor input = *plan_input(plans[p]);
            for (int i = 0; i < SIDE * SIDE * 3; i++) {
                image[i] = test_noise(&noise);
            }
            tensor_from_planar(&input, 0, image);
            plan_forward(plans[p], 1);
        }
        for (int layer = 3; layer < OLD_LAYERS; layer += 4) {
            const struct tensor *a = plan_output(plans[0], layer),
                                *b = plan_output(plans[1], layer);
            int entries = info_at(&old, layer)->entries, more = info_at(&net, layer)->entries;
            for (int cell = 0; cell < a->h * a->w; cell++) {
                const float *x = tensor_at(a, 0, cell / a->w, cell % a->w);
                const float *y = tensor_at(b, 0, cell / a->w, cell % a->w);
                for (int slot = 0; slot < info_at(&old, layer)->slots; slot++) {
                    CHECK_MSG(memcmp(x + slot * entries, y + slot * more,
                                     (size_t)entries * sizeof *x) == 0,
                              "%s, layer %d, cell %d", isas[s], layer, cell);
                    for (int e = entries; e < more; e++) {
                        CHECK(y[slot * more + e] < 1e-30f);
                    }
                }
            }
        }
        plan_free(plans[0]);
        plan_free(plans[1]);
    }
    close_both(&old, &net);
}

static bool row_is_off(const struct network *net, int layer, size_t row)
{
    const struct layer *above = class_rows_head(net, layer);
    const struct head_info *head = above->ops->head(above);
    int c = (int)row % head->entries - head->objectness - 1;
    return c >= 0 && c < OLD;
}

static const struct optimizer_options optimizers[] = {
    {.kind = OPTIMIZER_SGD, .momentum = 0.9f, .decay = 0.1f, .ema_decay = 0.9f},
    {.kind = OPTIMIZER_ADAM,
     .decay = 0.1f,
     .beta1 = 0.9f,
     .beta2 = 0.99f,
     .eps = 1e-6f,
     .ema_decay = 0.9f},
    {.kind = OPTIMIZER_ADAMW,
     .decay = 0.1f,
     .beta1 = 0.9f,
     .beta2 = 0.99f,
     .eps = 1e-6f,
     .clip_norm = 0.5f},
};

static void test_training(void)
{
    static struct network old, net;
    /* new classes, and old ones that somebody has labelled: no head but the old ones knows them */
    const struct truth truths[] = {
        {{.3f, .4f, .2f, .2f}, OLD}, {{.7f, .6f, .5f, .4f}, OLD + 2}, {{.5f, .5f, .3f, .3f}, 0}};
    const struct truth_set sets[BATCH] = {{.items = truths, .count = 3},
                                          {.items = truths + 1, .count = 2}};
    for (size_t n = 0; n < 3; n++) {
        size_t loaded[LAYERS + 1] = {0}, values, changed, moved = 0;
        const struct frozen_tensor *first;
        struct freeze_set freeze = {0};
        struct frozen_bytes proof = {0};
        struct step step = {0};
        CHECK_MSG(open_both(sections, &old, &net, loaded), "%s", err.text);
        CHECK_OK(freeze_set_make(&net, NULL, BN_AUTO, NULL, &freeze, &err));
        CHECK(freeze.totals.frozen_layers == 5 && freeze.totals.layers == 8);
        struct step_options options = {.net = &net,
                                       .kernels = isa_kernels("scalar"),
                                       .modes = freeze.modes,
                                       .batch = BATCH,
                                       .optimizer = optimizers[n]};
        CHECK_OK(step_open(&options, &step, &err));
        CHECK_OK(frozen_bytes_take(&proof, &net, freeze.frozen, BN_AUTO, &err));
        /* off: two classes in the three slots of layers 11 (8 weights, a bias) and 14 (the same) */
        size_t off = 3 * OLD * (8 + 1);
        CHECK_MSG(optimizer_values(step.optimizer) == freeze.totals.moving, "%zu, not %zu",
                  optimizer_values(step.optimizer), freeze.totals.moving);
        size_t all = layer_values(&net.layers[10]) - 2 * 8 + layer_values(&net.layers[11]) +
                     layer_values(&net.layers[14]);
        CHECK_MSG(freeze.totals.moving == all - off, "%zu, not %zu", freeze.totals.moving,
                  all - off);
        for (unsigned s = 0; s < STEPS; s++) {
            const struct step_input input = {
                .truths = sets, .images = BATCH, .seed = s, .bn_momentum = .1f};
            unsigned noise = s + 1;
            float image[SIDE * SIDE * 3];
            struct tensor tensor = *plan_input(step.plan);
            for (int b = 0; b < BATCH; b++) {
                for (int i = 0; i < SIDE * SIDE * 3; i++) {
                    image[i] = test_noise(&noise);
                }
                tensor_from_planar(&tensor, b, image);
            }
            step_begin(&step);
            struct loss_parts parts = step_loss(step.plan, &input);
            CHECK(
                parts.truths ==
                2 * 3); /* two heads; the old class is none of theirs, nor do the old heads count */
            step_backward(&step, BATCH, &parts);
            for (int layer = 11; layer <= 14; layer += 3) {
                for (int k = 0; k < net.layers[layer].param_count; k++) {
                    const float *gradient = plan_gradient(step.plan, layer, k);
                    size_t rows = (size_t)net.layers[layer].out.c;
                    size_t row = net.layers[layer].params[k].count / rows;
                    for (size_t r = 0; r < rows; r++) {
                        for (size_t i = 0; i < row; i++) {
                            CHECK(!row_is_off(&net, layer, r) || gradient[r * row + i] == 0.0f);
                            moved += gradient[r * row + i] != 0.0f;
                        }
                    }
                }
            }
            CHECK(isfinite(step_update(&step, .01f)));
        }
        CHECK(moved > 0);
        CHECK_MSG(frozen_bytes_changed(&proof, &first) == 0, "layer %d", first ? first->layer : -1);
        CHECK_OK(added_heads_compare(&old, &net, &values, &changed, &err));
        CHECK_MSG(changed == 0, "%zu of %zu", changed, values);
        optimizer_swap_ema(step.optimizer); /* the averages, too */
        CHECK(frozen_bytes_changed(&proof, &first) == 0);
        /* a row that is off is part of the proof */
        net.layers[11].params[0].data[5] = 0.0f;
        CHECK(frozen_bytes_changed(&proof, &first) > 0 && first->layer == 11);
        frozen_bytes_free(&proof);
        freeze_set_free(&freeze);
        step_close(&step);
        close_both(&old, &net);
    }
}

static void test_refusals(void)
{
    static struct network old, net;
    size_t loaded[LAYERS + 1] = {0};
    CHECK(!open_both("[net]\nwidth=8\nheight=8\nchannels=3\n"
                     "[convolutional]\nfilters=4\nsize=1\nactivation=linear\n"
                     "[convolutional]\nfilters=7\nsize=1\nactivation=linear\n"
                     "[region]\nnum=1\nclasses=2\nanchors=1,1\nsoftmax=1\n",
                     &old, &net, loaded));
    CHECK_MSG(err.code == ERR_UNSUPPORTED &&
                  strstr(err.text, ".cfg:13: [region] layer 2: no classes can"),
              "%s", err.text);
    close_both(&old, &net);
    CHECK(!open_both("[net]\nwidth=8\nheight=8\nchannels=3\n"
                     "[convolutional]\nfilters=7\nsize=1\nactivation=linear\n"
                     "[yolo]\nnum=1\nclasses=2\nanchors=1,1\n",
                     &old, &net, loaded));
    CHECK_MSG(strstr(err.text, "convolution above it"), "%s", err.text);
    close_both(&old, &net);
    CHECK(!open_both("[net]\nwidth=8\nheight=8\nchannels=3\n"
                     "[convolutional]\nfilters=4\nsize=1\nactivation=linear\n"
                     "[convolutional]\nfilters=7\nsize=1\nactivation=linear\n"
                     "[yolo]\nnum=1\nclasses=2\nanchors=1,1\ncounters_per_class=3,4\n",
                     &old, &net, loaded));
    CHECK_MSG(strstr(err.text, "counters_per_class: it counts the old classes"), "%s", err.text);
    close_both(&old, &net);
    static const char *const ranges[] = {"2,1", "0", "-1,1", "0,2", "0,1,1"};
    for (size_t i = 0; i < 5; i++) {
        char text[256];
        int n = snprintf(text, sizeof text,
                         "[net]\nwidth=8\nheight=8\nchannels=7\n"
                         "[yolo]\nnum=1\nclasses=2\nanchors=1,1\nclass_range=%s\n",
                         ranges[i]);
        CHECK(network_parse("r.cfg", text, (size_t)n, 0, 0, &net, &err) == ERR_CFG);
        CHECK_MSG(strstr(err.text, "r.cfg:9: [yolo] class_range"), "%s", err.text);
        network_free(&net);
        net = (struct network){0};
    }
}

static const struct test_case cases[] = {
    {"cfg", test_cfg},
    {"outputs", test_outputs},
    {"training", test_training},
    {"refusals", test_refusals},
};

TEST_MAIN(cases)
