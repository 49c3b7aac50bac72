#include "layers/conv_unit.h"

#include <string.h>

#include "base/memory.h"
#include "layers/batchnorm.h"
#include "net/cfg.h"

const char *const conv_unit_choices[] = {
    [CONV_INDIRECT] = "indirect",
    [CONV_WINOGRAD] = "winograd",
    [CONV_DEPTHWISE] = "depthwise",
};

enum { PART_ALIGN = 16 /* floats */ };

static size_t part_floats(size_t floats)
{
    return (floats + PART_ALIGN - 1) / PART_ALIGN * PART_ALIGN;
}

enum result conv_unit_parse(struct layer *l, struct conv_unit *u, struct error *err)
{
    TRY(layer_activation(l, ACT_LOGISTIC, &u->act, err));
    return cfg_bool(l->section, "batch_normalize", false, &u->has_bn, err);
}

enum result conv_unit_add_weights(const struct conv_unit *u, struct layer *l, struct error *err)
{
    const struct conv_geometry *g = &u->geometry;
    size_t fan_in = (size_t)(g->in_c / g->groups), count;
    if (!size_mul(fan_in, (size_t)g->kernel_h, &fan_in) ||
        !size_mul(fan_in, (size_t)g->kernel_w, &fan_in) ||
        !size_mul(fan_in, (size_t)g->filters, &count)) {
        return layer_error(l, ERR_CFG, err, "the number of its weights overflows");
    }
    TRY(layer_add_param(l, "weights", count, err));
    l->params[l->param_count - 1].fan_in = fan_in;
    return OK;
}

enum result conv_unit_add_bn(const struct conv_unit *u, struct layer *l, struct error *err)
{
    size_t filters = (size_t)u->geometry.filters;
    if (!u->has_bn) {
        return OK;
    }
    TRY(layer_add_param(l, "scales", filters, err));
    TRY(layer_add_param(l, "rolling_mean", filters, err));
    return layer_add_param(l, "rolling_variance", filters, err);
}

/* Where the scales lie in prepared memory; the shifts follow. */
static size_t scale_offset(const struct conv_unit *u, const struct kernels *kern, int choice)
{
    return part_floats(conv_packed_floats(kern, &u->geometry, (enum conv_algorithm)choice));
}

size_t conv_unit_prepared_floats(const struct conv_unit *u, const struct kernels *kern, int choice)
{
    return scale_offset(u, kern, choice) + 2 * part_floats((size_t)u->geometry.filters);
}

void conv_unit_plan(const struct conv_unit *u, const struct plan_limits *limits,
                    struct layer_plan *p)
{
    const struct conv_geometry *g = &u->geometry;
    enum conv_algorithm algorithm = conv_choose(limits->kernels, g, limits->allow_winograd);
    p->place = PLACE_OWN;
    p->choice = (int)algorithm;
    p->prepared_floats = conv_unit_prepared_floats(u, limits->kernels, p->choice);
    p->scratch_bytes = conv_scratch_bytes(limits->kernels, g, algorithm);
}

void conv_unit_prepare(const struct conv_unit *u, const struct layer *l, const struct exec *e,
                       const float *weights)
{
    size_t filters = (size_t)u->geometry.filters;
    float *scale = e->prepared + scale_offset(u, e->kernels, e->choice);
    float *shift = scale + part_floats(filters);
    conv_pack(e->kernels, &u->geometry, (enum conv_algorithm)e->choice, weights, e->prepared);
    if (u->has_bn) {
        batchnorm_fold(l, scale, shift);
    } else {
        memcpy(shift, layer_param(l, "biases")->data, filters * sizeof *shift);
    }
}

void conv_unit_forward(const struct conv_unit *u, const struct exec *e, const struct tensor *in,
                       const struct tensor *out, void *scratch)
{
    bool is_fused = u->act < ACT_FUSED_COUNT;
    const float *scale = e->prepared + scale_offset(u, e->kernels, e->choice);
    struct conv_epilogue epilogue = {
        .scale = u->has_bn ? scale : NULL,
        .shift = scale + part_floats((size_t)u->geometry.filters),
        .act = is_fused ? u->act : ACT_LINEAR,
    };
    conv_forward(e->kernels, &u->geometry, (enum conv_algorithm)e->choice, e->prepared, &epilogue,
                 in, out, scratch);
    if (!is_fused) {
        op_activate(e->kernels, u->act, out, out);
    }
}
