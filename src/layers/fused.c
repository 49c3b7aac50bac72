#include "layers/fused.h"

#include "kernels/bottleneck.h"
#include "layers/conv_unit.h"
#include "layers/kinds.h"
#include "layers/settings.h"

static const struct conv_unit *unit_of(const struct layer *l)
{
    const struct conv_unit *u = l && l->ops == &convolutional_ops ? l->state : NULL;
    return u && u->act < ACT_FUSED_COUNT ? u : NULL;
}

static bool is_plain_sum(const struct layer *l)
{
    const struct shortcut_state *s = l->state;
    return l->ops == &shortcut_ops && l->input_count == 2 && s->act == ACT_LINEAR &&
           s->weighting == WEIGHT_NONE && l->input_shapes[0].c == l->input_shapes[1].c;
}

bool fused_fits(const struct fused_layers *layers, const struct kernels *kern)
{
    const struct conv_unit *widen = unit_of(layers->widen);
    const struct conv_unit *depthwise = unit_of(layers->depthwise);
    const struct conv_unit *narrow = unit_of(layers->narrow);
    if (!narrow || (layers->shortcut && !is_plain_sum(layers->shortcut))) {
        return false;
    }
    if (!layers->depthwise) {
        return layers->shortcut && !layers->widen;
    }
    return (widen || !layers->widen) && depthwise &&
           bottleneck_possible(kern, widen ? &widen->geometry : NULL, &depthwise->geometry,
                               &narrow->geometry);
}

size_t fused_scratch(const struct fused_layers *layers, const struct kernels *kern)
{
    if (!layers->depthwise) {
        return 0;
    }
    return bottleneck_scratch_bytes(kern, &unit_of(layers->depthwise)->geometry,
                                    &unit_of(layers->narrow)->geometry);
}

static struct bottleneck_part part_of(const struct layer *l, const struct exec *e)
{
    const struct conv_unit *u = unit_of(l);
    return (struct bottleneck_part){
        .g = &u->geometry, .packed = e->prepared, .epilogue = conv_unit_epilogue(u, e)};
}

void fused_run(const struct fused_layers *layers, const struct fused_execs *execs)
{
    const struct exec *last = layers->shortcut ? execs->shortcut : execs->narrow;
    if (!layers->depthwise) {
        conv_unit_infer(layers->narrow->state, execs->narrow, &execs->narrow->inputs[0], &last->out,
                        true, execs->narrow->scratch);
        return;
    }
    struct bottleneck b = {.depthwise = part_of(layers->depthwise, execs->depthwise),
                           .narrow = part_of(layers->narrow, execs->narrow)};
    if (layers->widen) {
        b.widen = part_of(layers->widen, execs->widen);
    }
    const struct exec *first = layers->widen ? execs->widen : execs->depthwise;
    const struct tensor *addend = layers->shortcut ? &execs->shortcut->inputs[1] : NULL;
    bottleneck_forward(last->kernels, &b, &first->inputs[0], addend, &last->out, last->scratch);
}
