/* Which layers of a plan for inference run as one: bottlenecks on floats whose inner outputs nobody else wants. */
#include "net/plan_internal.h"

/* Its output has one reader, and is read no more once that has run. */
static bool has_one_reader(const struct plan *p, int layer)
{
    return p->slots[plan_slot(layer)].readers == 1 && !plan_is_result(p, layer);
}

static bool reads_only(const struct plan *p, int layer, int from)
{
    return layer < p->net->layer_count && p->net->layers[layer].inputs[0] == from &&
           p->net->layers[layer].input_count == 1 && has_one_reader(p, from);
}

static bool fits(const struct plan *p, const struct fusion *f)
{
    const int members[] = {f->widen, f->depthwise, f->narrow, f->shortcut};
    struct bottleneck_layers layers = plan_fused_layers(p, f);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        if (members[i] >= 0 && !plan_takes_floats(p, members[i])) {
            return false;
        }
    }
    return bottleneck_fits(&layers, p->kern);
}

/* The [shortcut] that adds something to the output of `narrow`, perhaps by way of a [dropout] that does nothing; -1 if none
 * does. */
static int shortcut_of(const struct plan *p, const struct fusion *f)
{
    int last = f->narrow;
    while (reads_only(p, last + 1, last) && plan_takes_floats(p, last + 1) &&
           p->wants[last + 1].place == PLACE_VIEW && p->wants[last + 1].view_channel == 0) {
        last++;
    }
    struct fusion whole = *f;
    whole.shortcut = last + 1;
    bool follows = last + 1 < p->net->layer_count && p->net->layers[last + 1].inputs[0] == last &&
                   has_one_reader(p, last);
    return follows && fits(p, &whole) ? last + 1 : -1;
}

/* The bottleneck around this depthwise convolution, if it is one. */
static bool find(const struct plan *p, int depthwise, struct fusion *f)
{
    int before = depthwise - 1;
    *f = (struct fusion){
        .widen = -1, .depthwise = depthwise, .narrow = depthwise + 1, .shortcut = -1};
    if (!reads_only(p, depthwise + 1, depthwise) || !fits(p, f)) {
        return false;
    }
    if (before >= 0 && !p->fusions[before].is_used && reads_only(p, depthwise, before)) {
        f->widen = before;
        f->widen = fits(p, f) ? before : -1;
    }
    f->shortcut = shortcut_of(p, f);
    return true;
}

void plan_fuse(struct plan *p)
{
    int layers = p->net->layer_count;
    for (int i = 0; i < layers; i++) {
        p->runs_in[i] = i;
    }
    for (int i = 0; i < layers && !plan_is_training(p) && !p->rounding && !p->options.keep_outputs;
         i++) {
        struct fusion f;
        if (p->runs_in[i] != i || !find(p, i, &f)) {
            continue;
        }
        int first = f.widen >= 0 ? f.widen : f.depthwise;
        int last = f.shortcut >= 0 ? f.shortcut : f.narrow;
        for (int k = first; k <= last; k++) {
            p->runs_in[k] = last;
        }
        f.is_used = true;
        p->fusions[last] = f;
        struct bottleneck_layers members = plan_fused_layers(p, &f);
        size_t scratch = bottleneck_scratch(&members, p->kern);
        p->memory.scratch_bytes =
            scratch > p->memory.scratch_bytes ? scratch : p->memory.scratch_bytes;
        i = last;
    }
}

static const struct layer *layer_at(const struct plan *p, int layer)
{
    return layer >= 0 && layer < p->net->layer_count ? &p->net->layers[layer] : NULL;
}

struct bottleneck_layers plan_fused_layers(const struct plan *p, const struct fusion *f)
{
    return (struct bottleneck_layers){.widen = layer_at(p, f->widen),
                                      .depthwise = layer_at(p, f->depthwise),
                                      .narrow = layer_at(p, f->narrow),
                                      .shortcut = layer_at(p, f->shortcut)};
}

static const struct exec *exec_at(const struct plan *p, int layer)
{
    return layer >= 0 ? &p->execs[layer] : NULL;
}

void plan_run_fused(const struct plan *p, const struct fusion *f)
{
    struct bottleneck_layers layers = plan_fused_layers(p, f);
    struct bottleneck_execs execs = {.widen = exec_at(p, f->widen),
                                     .depthwise = exec_at(p, f->depthwise),
                                     .narrow = exec_at(p, f->narrow),
                                     .shortcut = exec_at(p, f->shortcut)};
    bottleneck_run(&layers, &execs);
}
