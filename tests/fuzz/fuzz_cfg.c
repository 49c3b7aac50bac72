/* A .cfg: from text to a network that has run forward and backward, if it is small. */
#include "fuzz.h"

#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "kernels/kernels.h"
#include "net/cfg_edit.h"
#include "net/features.h"
#include "net/backbone.h"
#include "net/task.h"

enum { MAX_LAYERS = 24, BATCH = 2 };
static const double MAX_FLOPS = 3e6, MAX_FLOATS = 3e5;

static bool is_small(const struct network *net)
{
    double floats = (double)network_param_floats(net, net->layer_count, NULL) +
                    (double)net->size.w * net->size.h * net->size.c;
    for (int i = 0; i < net->layer_count; i++) {
        struct shape out = net->layers[i].out;
        floats += (double)out.w * out.h * out.c;
    }
    return net->layer_count <= MAX_LAYERS && floats < MAX_FLOATS && network_flops(net) < MAX_FLOPS;
}

/* On every path: the last layer need not be a head. */
static void run(struct network *net, const enum layer_mode *modes)
{
    static const struct truth truths[] = {{.box = {0.4f, 0.6f, 0.3f, 0.2f}},
                                          {.box = {0.9f, 0.1f, 0.2f, 0.1f}, .class_id = 1}};
    struct truth_set sets[BATCH] = {{.items = truths, .count = 2}, {.items = truths}};
    size_t values = task_values(net);
    float *targets = mem_alloc(values + 1, sizeof *targets); /* the second image has none */
    for (size_t i = 0; targets && i < values; i++) {
        targets[i] = (float)(i % 5) / 4;
    }
    sets[0].values = values > 0 ? targets : NULL;
    sets[0].value_count = values;
    struct loss_parts sum = {0}, heads[MAX_LAYERS] = {0};
    struct detection_list list = {0};
    const struct kernels *kern;
    struct plan *plan = NULL;
    struct error err;
    struct plan_options options = {.batch = BATCH, .modes = modes, .bn_momentum = 0.1f};
    if (!fuzz_read(kernels_select(NULL, &kern, &err), &err) ||
        !fuzz_read(plan_build(net, kern, &options, &plan, &err), &err)) {
        mem_free(targets);
        return;
    }
    fuzz_fill(plan_input(plan));
    plan_forward(plan, BATCH);
    if (modes) {
        plan_loss(plan, sets, &sum, heads);
        plan_backward(plan);
    } else if (network_head(net)) {
        (void)!fuzz_read(plan_detect(plan, 0, 0.01f, &list, &err), &err);
    }
    detection_list_free(&list);
    plan_free(plan);
    mem_free(targets);
}

static void use(struct network *net)
{
    enum net_part parts[MAX_LAYERS];
    enum layer_mode modes[MAX_LAYERS];
    struct error err;
    if (!is_small(net) || !fuzz_read(network_allocate(net, &err), &err)) {
        return;
    }
    network_initialise(net, 1);
    run(net, NULL);
    if (task_values(net) > 0) {
        for (int i = 0; i < net->layer_count; i++) {
            modes[i] = MODE_TRAIN;
        }
        run(net, modes);
    }
    if (fuzz_read(parts_find(net, parts, &err), &err)) {
        for (int i = 0; i < net->layer_count; i++) {
            modes[i] = parts[i] == PART_BACKBONE ? MODE_INFER : MODE_TRAIN;
        }
        struct features features;
        if (fuzz_read(features_find(net, modes, &features, &err), &err)) {
            features_free(&features);
        }
        run(net, modes);
        for (int i = 0; i < net->layer_count; i++) {
            modes[i] = MODE_TRAIN;
        }
        run(net, modes);
    }
    if (fuzz_read(network_resize(net, net->size.w + 32, net->size.h, &err), &err) &&
        is_small(net)) {
        run(net, NULL);
    }
}

static void edit(const uint8_t *data, size_t size)
{
    struct cfg cfg = {0};
    struct cfg_edits edits = {0};
    struct cfg_text out = {0};
    struct error err;
    char *text = mem_alloc(size + 1, 1);
    if (size > 0) {
        memcpy(text, data, size);
    }
    struct cfg_text in = {text, size};
    if (fuzz_read(cfg_parse("fuzz.cfg", text, size, &cfg, &err), &err) && cfg.section_count > 0) {
        struct cfg_section *last = &cfg.sections[cfg.section_count - 1];
        if (fuzz_read(cfg_edits_set(&edits, &cfg.sections[0], "width", "64", &err), &err) &&
            fuzz_read(cfg_edits_set(&edits, last, "classes", "3", &err), &err) &&
            fuzz_read(cfg_edits_apply(&edits, "fuzz.cfg", &in, &out, &err), &err)) {
            mem_free(out.bytes);
        }
    }
    cfg_edits_free(&edits);
    cfg_free(&cfg);
    mem_free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct network net = {0};
    struct error err;
    log_set_level(LOG_QUIET);
    parallel_set_threads(1);
    if (fuzz_read(network_parse("fuzz.cfg", (const char *)data, size, 0, 0, &net, &err), &err)) {
        use(&net);
    }
    network_free(&net);
    edit(data, size);
    return 0;
}
