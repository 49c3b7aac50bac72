/* [batchnorm]: the normalisation alone, shape preserved. */
#include "layers/batchnorm.h"

#include <math.h>

#include "layers/kinds.h"

static const double BN_EPS = 1e-5;

void batchnorm_fold(const struct layer *l, float *scale, float *shift)
{
    const struct param *biases = layer_param(l, "biases");
    const float *scales = layer_param(l, "scales")->data;
    const float *means = layer_param(l, "rolling_mean")->data;
    const float *variances = layer_param(l, "rolling_variance")->data;
    for (size_t i = 0; i < biases->count; i++) {
        double variance = variances[i] < 0.0f ? 0.0 : (double)variances[i];
        double factor = (double)scales[i] / sqrt(variance + BN_EPS);
        scale[i] = (float)factor;
        shift[i] = (float)((double)biases->data[i] - (double)means[i] * factor);
    }
}

static enum result parse(struct layer *l, struct error *err)
{
    return layer_set_inputs(l, NULL, NULL, 0, true, err);
}

static enum result shape(struct layer *l, struct error *err)
{
    (void)err;
    l->out = l->input_shapes[0];
    return OK;
}

static enum result params(struct layer *l, struct error *err)
{
    size_t c = (size_t)l->out.c;
    TRY(layer_add_param(l, "biases", c, err));
    TRY(layer_add_param(l, "scales", c, err));
    TRY(layer_add_param(l, "rolling_mean", c, err));
    return layer_add_param(l, "rolling_variance", c, err);
}

static void plan(const struct layer *l, const struct plan_limits *limits, struct layer_plan *p)
{
    (void)limits;
    p->place = PLACE_IN_PLACE;
    p->prepared_floats = 2 * (size_t)l->out.c;
}

static void prepare(const struct layer *l, const struct exec *e)
{
    batchnorm_fold(l, e->prepared, e->prepared + l->out.c);
}

static void forward(const struct layer *l, const struct exec *e)
{
    op_scale_shift(e->kernels, e->prepared, e->prepared + l->out.c, &e->inputs[0], &e->out);
}

const struct layer_ops batchnorm_ops = {
    .name = "batchnorm",
    .parse = parse,
    .shape = shape,
    .params = params,
    .plan = plan,
    .prepare = prepare,
    .forward = forward,
};
