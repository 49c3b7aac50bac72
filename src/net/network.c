#include "net/network.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/suggest.h"
#include "layers/kinds.h"
#include "net/key_rules.h"
#include "net/losses.h"

enum {
    MAX_SIDE = 16384,
    MAX_CHANNELS = 4096,
    MAX_ITERATIONS = 1000000000,
    MAX_BURN_INS = 1000000,
    BLOCK_ALIGN = MEM_ALIGN / sizeof(float), /* parameters begin on cache lines */
};

/* Parameters of a network, or one layer's output: what is over it is a mistake in the cfg. */
static const double max_bytes = 16e9;

/* ---- [net] ---- */

/* Keys of [net] and where they go. */
struct net_key {
    const char *key;
    enum { KEY_INT, KEY_FLOAT, KEY_BOOL } type;
    size_t offset;
    double fallback, min, max;
};

#define AT(field) offsetof(struct net_options, field)
static const struct net_key net_keys[] = {
    {"batch", KEY_INT, AT(batch), 1, 1, 1 << 20},
    {"subdivisions", KEY_INT, AT(subdivisions), 1, 1, 1 << 20},
    {"width", KEY_INT, AT(width), 0, 1, MAX_SIDE},
    {"height", KEY_INT, AT(height), 0, 1, MAX_SIDE},
    {"channels", KEY_INT, AT(channels), 0, 1, MAX_CHANNELS},
    {"letter_box", KEY_BOOL, AT(letter_box), 0, 0, 0},
    {"momentum", KEY_FLOAT, AT(momentum), .9, 0, 1},
    {"decay", KEY_FLOAT, AT(decay), .0001, 0, 1},
    {"learning_rate", KEY_FLOAT, AT(learning_rate), .001, 0, 1000},
    {"learning_rate_min", KEY_FLOAT, AT(learning_rate_min), .00001, 0, 1000},
    {"burn_in", KEY_INT, AT(burn_in), 0, 0, MAX_ITERATIONS},
    {"max_batches", KEY_INT, AT(max_batches), 0, 0, MAX_ITERATIONS},
    {"power", KEY_FLOAT, AT(power), 4, 0, 100},
    {"step", KEY_INT, AT(step), 1, 1, MAX_ITERATIONS},
    {"scale", KEY_FLOAT, AT(scale), 1, 0, 1000},
    {"gamma", KEY_FLOAT, AT(gamma), 1, -1000, 1000},
    {"sgdr_mult", KEY_FLOAT, AT(sgdr_mult), 2, 0, 1000},
    {"saturation", KEY_FLOAT, AT(saturation), 1, .001, 1000},
    {"exposure", KEY_FLOAT, AT(exposure), 1, .001, 1000},
    {"hue", KEY_FLOAT, AT(hue), 0, -1, 1},
    {"flip", KEY_BOOL, AT(flip), 1, 0, 0},
    {"mosaic", KEY_BOOL, AT(mosaic), 0, 0, 0},
    {"mixup", KEY_BOOL, AT(mixup), 0, 0, 0},
    {"blur", KEY_FLOAT, AT(blur), 0, 0, 1000},
    {"gaussian_noise", KEY_FLOAT, AT(gaussian_noise), 0, 0, 1000},
    {"ema_alpha", KEY_FLOAT, AT(ema_alpha), 0, 0, 1},
    {"angle", KEY_FLOAT, AT(angle), 0, 0, 360},
    {"aspect", KEY_FLOAT, AT(aspect), 1, .001, 1000},
    {"label_smooth_eps", KEY_FLOAT, AT(label_smooth_eps), 0, 0, .999},
    {"min_crop", KEY_INT, AT(min_crop), 0, 1, MAX_SIDE},
    {"max_crop", KEY_INT, AT(max_crop), 0, 1, MAX_SIDE},
    {"resize_step", KEY_INT, AT(resize_step), 32, 1, MAX_SIDE},
    {"adam", KEY_BOOL, AT(adam), 0, 0, 0},
    {"B1", KEY_FLOAT, AT(adam_b1), .9, 0, 1},
    {"B2", KEY_FLOAT, AT(adam_b2), .999, 0, 1},
    {"eps", KEY_FLOAT, AT(adam_eps), .000001, 0, 1},
};
#undef AT

const struct cfg_word rate_policies[RATE_POLICY_COUNT] = {
    {"constant", RATE_CONSTANT}, {"step", RATE_STEP}, {"steps", RATE_STEPS},
    {"exp", RATE_EXP},           {"poly", RATE_POLY}, {"sigmoid", RATE_SIGMOID},
    {"random", RATE_RANDOM},     {"sgdr", RATE_SGDR}, {"cosine", RATE_COSINE},
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static enum result read_net_key(struct cfg_section *section, const struct net_key *key,
                                struct net_options *options, struct error *err)
{
    char *target = (char *)options + key->offset;
    switch (key->type) {
    case KEY_INT:
        return cfg_int(section, key->key, (int)key->fallback, (int)key->min, (int)key->max,
                       (int *)(void *)target, err);
    case KEY_FLOAT:
        return cfg_float(section, key->key, (float)key->fallback, (float)key->min, (float)key->max,
                         (float *)(void *)target, err);
    case KEY_BOOL:
        break;
    }
    return cfg_bool(section, key->key, key->fallback != 0, (bool *)(void *)target, err);
}

static enum result read_policy(struct cfg_section *section, struct net_options *options,
                               struct error *err)
{
    int word;
    TRY(cfg_choice(section, "policy", rate_policies, RATE_COSINE, RATE_CONSTANT, &word, err));
    options->policy = (enum rate_policy)word;
    return OK;
}

static enum result read_steps(struct cfg_section *section, struct net_options *options,
                              struct error *err)
{
    const struct cfg_option *steps = cfg_find(section, "steps");
    const struct cfg_option *scales = cfg_find(section, "scales");
    size_t scale_count;
    TRY(cfg_ints(section, "steps", &options->steps, &options->step_count, err));
    TRY(cfg_floats(section, "scales", &options->scales, &scale_count, err));
    bool is_needed = options->policy == RATE_STEPS;
    if (is_needed && (!steps || !scales)) {
        return cfg_error(section, cfg_find(section, "policy"), err,
                         "policy steps needs the lists steps and scales");
    }
    if (is_needed && options->step_count > scale_count) {
        return cfg_error(section, scales, err, "%zu steps (line %d) but only %zu scales",
                         options->step_count, steps->line, scale_count);
    }
    if (is_needed && options->step_count < scale_count) {
        log_warn("%s:%d: [%s] scales: %zu scales for %zu steps; the rest has no effect",
                 section->path, scales->line, section->name, scale_count, options->step_count);
    }
    if (options->step_count > scale_count) {
        options->step_count = scale_count;
    }
    for (size_t i = 1; i < options->step_count; i++) {
        if (options->steps[i] < options->steps[i - 1]) {
            return cfg_error(section, steps, err, "%d after %d: steps must ascend",
                             options->steps[i], options->steps[i - 1]);
        }
    }
    return OK;
}

/* A rate of 0 trains nothing, however long. */
static enum result check_rates(struct cfg_section *section, const struct net_options *options,
                               struct error *err)
{
    if (!(options->learning_rate > 0)) {
        return cfg_error(section, cfg_find(section, "learning_rate"), err,
                         "a rate of 0 trains nothing");
    }
    if (options->policy == RATE_STEP && !(options->scale > 0)) {
        return cfg_error(section, cfg_find(section, "scale"), err,
                         "would make the rate 0 at the first step");
    }
    if (options->policy == RATE_EXP && !(options->gamma > 0)) {
        return cfg_error(section, cfg_find(section, "gamma"), err,
                         "must be above 0: the rate is learning_rate times its powers");
    }
    for (size_t i = 0; i < options->step_count; i++) {
        if (!(options->scales[i] > 0)) {
            return cfg_error(section, cfg_find(section, "scales"), err,
                             "item %zu is %g: the rate would not stay above 0 (write 0.1, not 0,1)",
                             i + 1, (double)options->scales[i]);
        }
    }
    return OK;
}

static enum result read_shapes(struct cfg_section *section, const struct net_options *options,
                               struct error *err)
{
    int time_steps, inputs;
    TRY(cfg_int(section, "time_steps", 1, 1, INT_MAX, &time_steps, err));
    if (time_steps > 1) {
        log_warn("%s:%d: [%s] time_steps has no effect: recurrent layers are not built here",
                 section->path, cfg_find(section, "time_steps")->line, section->name);
    }
    TRY(cfg_int(section, "inputs", 0, 1, INT_MAX, &inputs, err));
    double image = (double)options->width * options->height * options->channels;
    if (inputs && (double)inputs != image) {
        return cfg_error(section, cfg_find(section, "inputs"), err,
                         "%d, but width x height x channels is %.0f", inputs, image);
    }
    return OK;
}

/* Defaults as in Darknet: from the network's width to twice that; as far as the one that is given allows. */
static enum result settle_crops(struct cfg_section *section, struct net_options *options,
                                struct error *err)
{
    int *min = &options->min_crop, *max = &options->max_crop;
    if (*min && *max && *min > *max) {
        return cfg_error(section, cfg_find(section, "min_crop"), err, "%d is above max_crop=%d",
                         *min, *max);
    }
    if (!*max) {
        *max = *min > 2 * options->width ? *min : 2 * options->width;
    }
    if (!*min) {
        *min = *max < options->width ? *max : options->width;
    }
    return OK;
}

static enum result read_net(struct network *net, struct error *err)
{
    struct cfg_section *section = &net->cfg.sections[0];
    struct net_options *options = &net->options;
    if (strcmp(section->name, "net") != 0 && strcmp(section->name, "network") != 0) {
        return cfg_error(section, NULL, err, "the first section must be [net]");
    }
    for (size_t i = 0; i < COUNT(net_keys); i++) {
        TRY(read_net_key(section, &net_keys[i], options, err));
    }
    TRY(cfg_int(section, "sgdr_cycle", options->max_batches, 0, MAX_ITERATIONS,
                &options->sgdr_cycle, err));
    static const char *const needed[] = {"width", "height", "channels"};
    for (size_t i = 0; i < COUNT(needed); i++) {
        if (!cfg_find(section, needed[i])) {
            return cfg_error(section, NULL, err, "%s is missing", needed[i]);
        }
    }
    TRY(read_policy(section, options, err));
    TRY(read_steps(section, options, err));
    TRY(check_rates(section, options, err));
    TRY(settle_crops(section, options, err));
    return read_shapes(section, options, err);
}

/* ---- layers ---- */

/* Darknet's kinds that have no file in layers/. */
static const char *const unbuilt_kinds[] = {
    "local", "detection", "normalization", "lrn",      "rnn",         "gru",   "lstm",
    "crnn",  "conv_lstm", "history",       "implicit", "contrastive", "empty", "silence",
};

static enum result unknown_section(const struct cfg_section *section, struct error *err)
{
    if (strcmp(section->name, "net") == 0 || strcmp(section->name, "network") == 0) {
        return cfg_error(section, NULL, err, "stands a second time");
    }
    for (size_t i = 0; i < COUNT(unbuilt_kinds); i++) {
        if (strcmp(section->name, unbuilt_kinds[i]) == 0) {
            return error_at(err, ERR_UNSUPPORTED, section->path, section->line,
                            "[%s] this kind of layer is not built here", section->name);
        }
    }
    const char *near = NULL;
    for (size_t i = 0; layer_kinds[i] && !near; i++) {
        near = suggest(section->name, &layer_kinds[i]->name, 1);
    }
    if (near) {
        return cfg_error(section, NULL, err, "unknown section (did you mean [%s]?)", near);
    }
    return cfg_error(section, NULL, err, "unknown section");
}

static enum result read_common_keys(struct layer *l, struct error *err)
{
    TRY(cfg_bool(l->section, "dontload", false, &l->dontload, err));
    TRY(cfg_bool(l->section, "dontloadscales", false, &l->dontloadscales, err));
    TRY(cfg_bool(l->section, "trainable", true, &l->is_trainable, err));
    TRY(cfg_int(l->section, "stopbackward", 0, 0, MAX_ITERATIONS, &l->stopbackward, err));
    TRY(cfg_bool(l->section, "onlyforward", false, &l->onlyforward, err));
    TRY(cfg_bool(l->section, "train_only_bn", false, &l->train_only_bn, err));
    TRY(cfg_int(l->section, "dont_update", 0, 0, MAX_ITERATIONS, &l->dont_update, err));
    TRY(cfg_int(l->section, "burnin_update", 0, 0, MAX_BURN_INS, &l->burnin_update, err));
    TRY(cfg_float(l->section, "learning_rate", 1, 0, 1000000, &l->learning_rate, err));
    if (!(l->learning_rate > 0)) {
        return cfg_error(l->section, cfg_find(l->section, "learning_rate"), err,
                         "a rate of 0 trains nothing (trainable=0 freezes a layer)");
    }
    return OK;
}

static enum result parse_layer(struct network *net, int index, struct error *err)
{
    struct layer *l = &net->layers[index];
    l->index = index;
    l->section = &net->cfg.sections[index + 1];
    l->net = &net->size;
    const struct layer_ops *ops = layer_find(l->section->name);
    if (!ops) {
        return unknown_section(l->section, err);
    }
    l->state = mem_alloc(1, ops->state_bytes);
    if (!l->state) {
        return mem_error(err, "reading the network");
    }
    l->ops = ops; /* from here on destroy may run */
    TRY(keys_refuse(l, err));
    TRY(read_common_keys(l, err));
    TRY(ops->parse(l, err));
    if (l->input_count == 0) {
        mem_free(l->inputs);
        l->inputs = mem_alloc(1, sizeof *l->inputs);
        if (!l->inputs) {
            return mem_error(err, "reading the network");
        }
        l->inputs[0] = index > 0 ? index - 1 : LAYER_IMAGE;
        l->input_count = 1;
    }
    l->input_shapes = mem_alloc((size_t)l->input_count, sizeof *l->input_shapes);
    return l->input_shapes ? OK : mem_error(err, "reading the network");
}

static enum result shape_layer(struct network *net, struct layer *l, struct error *err)
{
    for (int k = 0; k < l->input_count; k++) {
        int from = l->inputs[k];
        l->input_shapes[k] = from == LAYER_IMAGE
                                 ? (struct shape){net->size.h, net->size.w, net->size.c}
                                 : net->layers[from].out;
    }
    TRY(l->ops->shape(l, err));
    if (l->out.h < 1 || l->out.w < 1 || l->out.c < 1) {
        return layer_error(l, ERR_CFG, err, "nothing is left of its input: %d x %d x %d", l->out.w,
                           l->out.h, l->out.c);
    }
    double bytes = sizeof(float) * (double)l->out.h * l->out.w * l->out.c;
    if (bytes > max_bytes || bytes > (double)PTRDIFF_MAX) {
        return layer_error(l, ERR_CFG, err, "an output of %d x %d x %d takes %.1f GB", l->out.w,
                           l->out.h, l->out.c, bytes / 1e9);
    }
    return OK;
}

static double param_bytes(const struct layer *l)
{
    double bytes = 0;
    for (int k = 0; k < l->param_count; k++) {
        bytes += sizeof(float) * (double)l->params[k].count;
    }
    return bytes;
}

/* Declare the parameters anew; once they are in memory, they must come out the same. */
static enum result declare_params(struct layer *l, struct error *err)
{
    struct param old[LAYER_MAX_PARAMS];
    int old_count = l->param_count;
    memcpy(old, l->params, sizeof old);
    l->param_count = 0;
    if (l->ops->params) {
        TRY(l->ops->params(l, err));
    }
    bool is_allocated = old_count > 0 && old[0].data;
    for (int k = 0; is_allocated && k < old_count; k++) {
        if (l->param_count != old_count || l->params[k].count != old[k].count) {
            memcpy(l->params, old, sizeof old);
            l->param_count = old_count;
            return layer_error(l, ERR_CFG, err,
                               "its parameters depend on the input size, which cannot change now");
        }
        l->params[k].data = old[k].data;
    }
    return OK;
}

static enum result settle(struct network *net, struct error *err)
{
    double bytes = 0;
    for (int i = 0; i < net->layer_count; i++) {
        struct layer *l = &net->layers[i];
        TRY(shape_layer(net, l, err));
        TRY(declare_params(l, err));
        bytes += param_bytes(l);
        if (bytes > max_bytes || bytes > (double)PTRDIFF_MAX) {
            return layer_error(l, ERR_CFG, err, "the parameters up to here take %.1f GB",
                               bytes / 1e9);
        }
    }
    return OK;
}

/* Pixels of the network's input from one cell of the layer to the next: what the layers on the way
 * to it make of a side, in whole factors, whatever a border rounds. */
static int stride_of(const struct network *net, int layer)
{
    bool is_high = net->size.h > net->size.w; /* the longer side tells more */
    double stride = 1;
    for (int i = layer; i >= 0; i = net->layers[i].inputs[0]) {
        const struct layer *l = &net->layers[i];
        double in = is_high ? l->input_shapes[0].h : l->input_shapes[0].w;
        double out = is_high ? l->out.h : l->out.w;
        stride *= in > out ? round(in / out) : 1 / round(out / in);
    }
    return (int)fmin(fmax(stride, 1), MAX_SIDE);
}

/* Of the detection heads; 1 without any. */
static int largest_stride(const struct network *net)
{
    int largest = 1;
    const struct layer *head;
    for (int n = 0; (head = network_head_layer(net, n)) != NULL; n++) {
        int stride = stride_of(net, head->index);
        largest = stride > largest ? stride : largest;
    }
    return largest;
}

/* Names, labels and the weights of another number of classes are one list for all heads. */
static enum result check_classes(const struct network *net, struct error *err)
{
    const struct layer *first = network_head_layer(net, 0), *l;
    for (int n = 1; (l = network_head_layer(net, n)) != NULL; n++) {
        int classes = l->ops->head(l)->classes, others = first->ops->head(first)->classes;
        if (classes != others) {
            return cfg_error(
                l->section, cfg_find(l->section, "classes"), err,
                "layer %d has %d, but layer %d, [%s] at line %d, has %d: all heads need "
                "one number",
                l->index, classes, first->index, first->section->name, first->section->line,
                others);
        }
    }
    return OK;
}

static void warn_size(const struct network *net)
{
    int stride = largest_stride(net);
    if (net->size.w % stride != 0 || net->size.h % stride != 0) {
        log_warn("%s: an input of %d x %d is not a multiple of %d: the last row or column of cells "
                 "sees less than the others",
                 net->cfg.path, net->size.w, net->size.h, stride);
    }
}

static enum result check_size(const struct network *net, int width, int height, struct error *err)
{
    if (width < 1 || height < 1 || width > MAX_SIDE || height > MAX_SIDE) {
        return error_set(err, ERR_ARG, "%s: an input of %d x %d is out of range (1 to %d)",
                         net->cfg.path, width, height, MAX_SIDE);
    }
    return OK;
}

static enum result build(struct network *net, int width, int height, struct error *err)
{
    if (net->cfg.section_count == 0) {
        return error_at(err, ERR_CFG, net->cfg.path, 0, "no [net] section: the file is empty");
    }
    TRY(read_net(net, err));
    if (net->cfg.section_count == 1) {
        return cfg_error(&net->cfg.sections[0], NULL, err, "no layers follow");
    }
    width = width ? width : net->options.width;
    height = height ? height : net->options.height;
    TRY(check_size(net, width, height, err));
    net->size = (struct net_size){.w = width, .h = height, .c = net->options.channels};
    int count = (int)(net->cfg.section_count - 1);
    net->layers = mem_alloc((size_t)count, sizeof *net->layers);
    if (!net->layers) {
        return mem_error(err, "reading the network");
    }
    net->layer_count = count;
    for (int i = 0; i < count; i++) {
        TRY(parse_layer(net, i, err));
    }
    TRY(settle(net, err));
    TRY(check_classes(net, err));
    TRY(losses_settle(net->layers, net->layer_count, err));
    TRY(keys_name(&net->cfg, net->layers, net->layer_count, err));
    warn_size(net);
    return OK;
}

enum result network_read(const char *cfg_path, int width, int height, struct network *net,
                         struct error *err)
{
    TRY(cfg_read(cfg_path, &net->cfg, err));
    return build(net, width, height, err);
}

enum result network_parse(const char *path, const char *text, size_t size, int width, int height,
                          struct network *net, struct error *err)
{
    TRY(cfg_parse(path, text, size, &net->cfg, err));
    return build(net, width, height, err);
}

void network_free(struct network *net)
{
    for (int i = 0; i < net->layer_count; i++) {
        struct layer *l = &net->layers[i];
        network_release(net, i);
        if (l->ops && l->ops->destroy) {
            l->ops->destroy(l);
        }
        mem_free(l->state);
        mem_free(l->inputs);
        mem_free(l->input_shapes);
    }
    mem_free(net->layers);
    mem_free(net->options.steps);
    mem_free(net->options.scales);
    cfg_free(&net->cfg);
    *net = (struct network){0};
}

enum result network_resize(struct network *net, int width, int height, struct error *err)
{
    TRY(check_size(net, width, height, err));
    struct net_size old = net->size;
    net->size.w = width;
    net->size.h = height;
    enum result result = settle(net, err);
    if (result != OK) {
        net->size = old;
        if (settle(net, NULL) != OK) { /* it stood before */
            return ERR_CFG;
        }
    }
    return result;
}

/* ---- parameters ---- */

static size_t aligned_count(const struct param *p)
{
    return (p->count + BLOCK_ALIGN - 1) / BLOCK_ALIGN * BLOCK_ALIGN;
}

static size_t block_floats(const struct layer *l)
{
    size_t floats = 0;
    for (int k = 0; k < l->param_count; k++) {
        floats += aligned_count(&l->params[k]);
    }
    return floats;
}

static void lend(struct layer *l, float *block)
{
    for (int k = 0; k < l->param_count; k++) {
        struct param *p = &l->params[k];
        p->data = block;
        block = block ? block + aligned_count(p) : NULL;
    }
}

size_t network_largest_block(const struct network *net)
{
    size_t most = 0;
    for (int i = 0; i < net->layer_count; i++) {
        size_t floats = block_floats(&net->layers[i]);
        most = floats > most ? floats : most;
    }
    return most;
}

void network_lend(struct network *net, int layer, float *block)
{
    lend(&net->layers[layer], block);
}

void network_reset(const struct param *param)
{
    for (size_t i = 0; i < param->count; i++) {
        param->data[i] = param->initial;
    }
}

static enum result allocate_layer(struct layer *l, struct error *err)
{
    if (l->param_count == 0 || l->params[0].data) {
        return OK;
    }
    float *block = mem_map(block_floats(l), sizeof(float));
    if (!block) {
        mem_error(err, "the network's parameters");
        return error_hint(err, "layer %d [%s] needs %.0f MB", l->index, l->ops->name,
                          param_bytes(l) / 1e6);
    }
    lend(l, block);
    for (int k = 0; k < l->param_count; k++) {
        if (l->params[k].initial != 0) { /* the block is zeroed */
            network_reset(&l->params[k]);
        }
    }
    return OK;
}

enum result network_allocate(struct network *net, struct error *err)
{
    for (int i = 0; i < net->layer_count; i++) {
        enum result result = allocate_layer(&net->layers[i], err);
        if (result != OK) {
            for (int k = 0; k < i; k++) {
                network_release(net, k);
            }
            return result;
        }
    }
    return OK;
}

void network_release(struct network *net, int layer)
{
    struct layer *l = &net->layers[layer];
    if (l->param_count > 0) {
        mem_unmap(l->params[0].data, block_floats(l), sizeof(float));
    }
    lend(l, NULL);
}

size_t network_param_floats(const struct network *net, int layers, size_t *trainable)
{
    size_t floats = 0, moving = 0;
    for (int i = 0; i < layers && i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        for (int k = 0; k < l->param_count; k++) {
            floats += l->params[k].count;
            moving += l->params[k].is_statistic ? 0 : l->params[k].count;
        }
    }
    if (trainable) {
        *trainable = moving;
    }
    return floats;
}

double network_flops(const struct network *net)
{
    double flops = 0;
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        flops += l->ops->flops ? l->ops->flops(l) : 0;
    }
    return flops;
}

uint64_t update_images(int batch, int subdivisions)
{
    return (uint64_t)(batch / subdivisions) * (uint64_t)subdivisions;
}

enum result update_check(int batch, int subdivisions, struct error *err)
{
    if (subdivisions > batch) {
        return error_set(err, ERR_ARG,
                         "%d subdivisions of a batch of %d: a mini-batch would be empty "
                         "(--batch N --subdivisions N)",
                         subdivisions, batch);
    }
    return OK;
}

uint64_t epoch_updates(uint64_t images, uint64_t images_per_update)
{
    return (images + images_per_update - 1) / images_per_update;
}

int network_head_count(const struct network *net)
{
    int count = 0;
    for (int i = 0; i < net->layer_count; i++) {
        count += net->layers[i].ops->head != NULL;
    }
    return count;
}

const struct layer *network_head_layer(const struct network *net, int n)
{
    for (int i = 0; i < net->layer_count; i++) {
        if (net->layers[i].ops->head && n-- == 0) {
            return &net->layers[i];
        }
    }
    return NULL;
}

const struct head_info *network_head(const struct network *net)
{
    const struct layer *last = network_head_layer(net, network_head_count(net) - 1);
    return last ? last->ops->head(last) : NULL;
}
