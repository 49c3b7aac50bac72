/* Which layers of a plan for inference run as one, on floats: bottlenecks whose inner outputs nobody else wants, and convolutions with the
 * shortcut behind them, which add to the shortcut's other input where nobody wants that any more. */
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
    struct fused_layers layers = plan_fused_layers(p, f);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        if (members[i] >= 0 && !plan_takes_floats(p, members[i])) {
            return false;
        }
    }
    return fused_fits(&layers, p->kern);
}

/* The [shortcut] that adds something to the output of `narrow`, perhaps by way of views of all of it, as a [dropout] is; -1 if
 * none does. */
static int shortcut_of(const struct plan *p, const struct fusion *f)
{
    int last = f->narrow;
    while (reads_only(p, last + 1, last) && plan_takes_floats(p, last + 1) &&
           p->wants[last + 1].place == PLACE_VIEW &&
           p->net->layers[last + 1].out.c == p->net->layers[last].out.c) {
        last++;
    }
    struct fusion whole = *f;
    whole.shortcut = last + 1;
    bool follows = last + 1 < p->net->layer_count && p->net->layers[last + 1].inputs[0] == last &&
                   has_one_reader(p, last);
    return follows && fits(p, &whole) ? last + 1 : -1;
}

/* The bottleneck around this depthwise convolution, if it is one. */
static bool find_bottleneck(const struct plan *p, int depthwise, struct fusion *f)
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

static bool reads_root(const struct plan *p, int layer, int root)
{
    const struct layer *l = &p->net->layers[layer];
    for (int k = 0; k < l->input_count; k++) {
        if (plan_root(p, plan_slot(l->inputs[k]), NULL) == root) {
            return true;
        }
    }
    return false;
}

/* May the output of `from` become that of `shortcut`? Not if somebody reads it later, or anything else that lies there. */
static bool can_be_added_to(const struct plan *p, int from, int shortcut)
{
    int root = plan_slot(from), layers = p->net->layer_count;
    if (p->slots[root].parent != NO_PARENT) {
        return false;
    }
    for (int i = 0; i < layers; i++) {
        bool lies_there = plan_root(p, plan_slot(i), NULL) == root;
        if ((lies_there && plan_is_result(p, i)) || (i > shortcut && reads_root(p, i, root))) {
            return false;
        }
    }
    return true;
}

/* The convolution with the shortcut behind it. */
static bool find_sum(const struct plan *p, int conv, struct fusion *f)
{
    *f = (struct fusion){.widen = -1, .depthwise = -1, .narrow = conv, .shortcut = -1};
    f->shortcut = p->bytes ? -1 : shortcut_of(p, f);
    if (f->shortcut < 0) {
        return false;
    }
    int from = p->net->layers[f->shortcut].inputs[1];
    return can_be_added_to(p, from, f->shortcut) && !reads_root(p, conv, plan_slot(from));
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
        if (p->runs_in[i] != i || (!find_bottleneck(p, i, &f) && !find_sum(p, i, &f))) {
            continue;
        }
        int first = f.widen >= 0 ? f.widen : f.depthwise >= 0 ? f.depthwise : f.narrow;
        int last = f.shortcut >= 0 ? f.shortcut : f.narrow;
        for (int k = first; k <= last; k++) {
            p->runs_in[k] = last;
        }
        f.is_used = true;
        p->fusions[last] = f;
        if (f.depthwise < 0) {
            p->slots[plan_slot(p->net->layers[last].inputs[1])].parent = plan_slot(last);
        }
        struct fused_layers members = plan_fused_layers(p, &f);
        size_t scratch = fused_scratch(&members, p->kern);
        p->memory.scratch_bytes =
            scratch > p->memory.scratch_bytes ? scratch : p->memory.scratch_bytes;
        i = last;
    }
}

static const struct layer *layer_at(const struct plan *p, int layer)
{
    return layer >= 0 && layer < p->net->layer_count ? &p->net->layers[layer] : NULL;
}

struct fused_layers plan_fused_layers(const struct plan *p, const struct fusion *f)
{
    return (struct fused_layers){.widen = layer_at(p, f->widen),
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
    struct fused_layers layers = plan_fused_layers(p, f);
    struct fused_execs execs = {.widen = exec_at(p, f->widen),
                                .depthwise = exec_at(p, f->depthwise),
                                .narrow = exec_at(p, f->narrow),
                                .shortcut = exec_at(p, f->shortcut)};
    fused_run(&layers, &execs);
}
