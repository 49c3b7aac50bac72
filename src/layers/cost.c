/* [cost]: a training loss on the previous output; nothing at inference. */
#include "layers/kinds.h"
#include "cfg/cfg.h"

static enum result parse(struct layer *l, struct error *err)
{
    static const struct cfg_word words[] = {{"sse", 0}, {"masked", 1}, {"smooth", 2}};
    int ignored;
    TRY(cfg_choice(l->section, "type", words, 3, 0, &ignored, err));
    return layer_read_previous(l, err);
}

static void plan(const struct layer *l, const struct plan_limits *limits, struct layer_plan *p)
{
    (void)l;
    (void)limits;
    p->place = PLACE_VIEW;
    p->view_channel = 0;
}

const struct layer_ops cost_ops = {
    .name = "cost",
    .parse = parse,
    .shape = layer_keep_shape,
    .plan = plan,
};
