/* [cost]: a training loss on the previous output; nothing at inference. */
#include <string.h>

#include "layers/kinds.h"
#include "cfg/cfg.h"

static enum result parse(struct layer *l, struct error *err)
{
    const char *type = cfg_string(l->section, "type", "sse");
    if (strcmp(type, "sse") != 0 && strcmp(type, "masked") != 0 && strcmp(type, "smooth") != 0) {
        return cfg_error(l->section, cfg_find(l->section, "type"), err,
                         "unknown value '%s' (one of sse, masked, smooth)", type);
    }
    return layer_set_inputs(l, NULL, NULL, 0, true, err);
}

static enum result shape(struct layer *l, struct error *err)
{
    (void)err;
    l->out = l->input_shapes[0];
    return OK;
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
    .shape = shape,
    .plan = plan,
};
