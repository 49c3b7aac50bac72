#include "exchange/onnx_ops.h"

#include <string.h>

const char *onnx_slice_step(struct onnx_graph *g, const char *x, int axis, int64_t first,
                            int64_t end, int64_t step)
{
    const char *inputs[] = {x, onnx_ints(g, &first, 1), onnx_ints(g, &end, 1),
                            onnx_ints(g, (int64_t[]){axis}, 1), NULL};
    size_t count = 4;
    if (step != 1) {
        inputs[count++] = onnx_ints(g, &step, 1);
    }
    return onnx_node(g, "Slice", inputs, count);
}

const char *onnx_slice(struct onnx_graph *g, const char *x, int axis, int64_t first, int64_t end)
{
    return onnx_slice_step(g, x, axis, first, end, 1);
}

const char *onnx_concat(struct onnx_graph *g, const char *const *parts, size_t count, int axis)
{
    if (count == 1) {
        return parts[0];
    }
    const char *out = onnx_node(g, "Concat", parts, count);
    onnx_set_int(g, "axis", axis);
    return out;
}

const char *onnx_reshape(struct onnx_graph *g, const char *x, const int64_t *dims, size_t rank)
{
    return onnx_node2(g, "Reshape", x, onnx_ints(g, dims, rank));
}

const char *onnx_transpose(struct onnx_graph *g, const char *x, const int64_t *order, size_t rank)
{
    const char *out = onnx_node1(g, "Transpose", x);
    onnx_set_ints(g, "perm", order, rank);
    return out;
}

const char *onnx_times(struct onnx_graph *g, const char *x, float factor)
{
    return factor == 1.0f ? x : onnx_node2(g, "Mul", x, onnx_scalar(g, factor));
}

const char *onnx_plus(struct onnx_graph *g, const char *x, float term)
{
    return term == 0.0f ? x : onnx_node2(g, "Add", x, onnx_scalar(g, term));
}

const char *onnx_clip(struct onnx_graph *g, const char *x, float low, float high)
{
    const char *inputs[] = {x, onnx_scalar(g, low), onnx_scalar(g, high)};
    return onnx_node(g, "Clip", inputs, 3);
}

const char *onnx_cast(struct onnx_graph *g, const char *x, enum onnx_type type)
{
    const char *out = onnx_node1(g, "Cast", x);
    onnx_set_int(g, "to", type);
    return out;
}

const char *onnx_softmax(struct onnx_graph *g, const char *x, int rank)
{
    const char *out = onnx_node1(g, "Softmax", x);
    onnx_set_int(g, "axis", rank - 1);
    return out;
}

/* The axes became an input: of ReduceSum first, then of the others. */
const char *onnx_reduce(struct onnx_graph *g, const char *op, const char *x, int axis)
{
    int since = strcmp(op, "ReduceSum") == 0 ? 13 : 18;
    const int64_t axes[] = {axis};
    if (onnx_opset(g) >= since) {
        return onnx_node2(g, op, x, onnx_ints(g, axes, 1));
    }
    const char *out = onnx_node1(g, op, x);
    onnx_set_ints(g, "axes", axes, 1);
    return out;
}

/* y = t / sum over the channels: t = relu(x), or e^(x - largest); kernels/activate.c has the sums. */
static const char *normalize(struct onnx_graph *g, enum activation act, const char *x)
{
    if (act == ACT_NORM_CHAN) {
        const char *t = onnx_node1(g, "Relu", x);
        return onnx_node2(g, "Div", t, onnx_plus(g, onnx_reduce(g, "ReduceSum", t, 1), 1e-4f));
    }
    const char *largest = onnx_reduce(g, "ReduceMax", x, 1);
    const char *t = onnx_node1(g, "Exp", onnx_node2(g, "Sub", x, largest));
    const char *sum = onnx_reduce(g, "ReduceSum", t, 1);
    if (act == ACT_NORM_CHAN_SOFTMAX_MAXVAL) {
        return onnx_node2(g, "Div", t, onnx_plus(g, sum, 1e-4f));
    }
    const char *shrunk = onnx_node1(g, "Exp", onnx_node1(g, "Neg", largest));
    return onnx_node2(g, "Div", t, onnx_node2(g, "Add", sum, onnx_times(g, shrunk, 1e-4f)));
}

static const char *leaky(struct onnx_graph *g, const char *x, float slope)
{
    const char *out = onnx_node1(g, "LeakyRelu", x);
    onnx_set_float(g, "alpha", slope);
    return out;
}

static const char *mish(struct onnx_graph *g, const char *x)
{
    if (onnx_opset(g) >= 18) {
        return onnx_node1(g, "Mish", x);
    }
    return onnx_node2(g, "Mul", x, onnx_node1(g, "Tanh", onnx_node1(g, "Softplus", x)));
}

/* x max(0, min(1, x / 2 + 1)) */
static const char *hard_mish(struct onnx_graph *g, const char *x)
{
    const char *gate = onnx_node1(g, "HardSigmoid", x);
    onnx_set_float(g, "alpha", 0.5f);
    onnx_set_float(g, "beta", 1.0f);
    return onnx_node2(g, "Mul", x, gate);
}

/* 0.5 x (1 + tanh(0.797885 x + 0.035677 x^3)) */
static const char *gelu(struct onnx_graph *g, const char *x)
{
    const char *square = onnx_node2(g, "Mul", x, x);
    const char *slope = onnx_plus(g, onnx_times(g, square, 0.035677f), 0.797885f);
    const char *t = onnx_node1(g, "Tanh", onnx_node2(g, "Mul", x, slope));
    return onnx_node2(g, "Mul", onnx_times(g, x, 0.5f), onnx_plus(g, t, 1.0f));
}

/* Linear with another slope outside [low, high]: inner slope * c + at_0 + outer slope * (x - c), c = x clipped. */
static const char *bent(struct onnx_graph *g, const char *x, float bound[2], float inner,
                        float at_0, float outer)
{
    const char *c = onnx_clip(g, x, bound[0], bound[1]);
    const char *inside = onnx_plus(g, onnx_times(g, c, inner), at_0);
    return onnx_node2(g, "Add", inside, onnx_times(g, onnx_node2(g, "Sub", x, c), outer));
}

/* floor(x / 2), plus x - n where n = floor(x) is odd; n - 2 floor(x / 2) is 1 then, else 0. */
static const char *stair(struct onnx_graph *g, const char *x)
{
    const char *whole = onnx_node1(g, "Floor", x);
    const char *half = onnx_node1(g, "Floor", onnx_times(g, x, 0.5f));
    const char *is_odd = onnx_node2(g, "Sub", whole, onnx_times(g, half, 2.0f));
    const char *rise = onnx_node2(g, "Mul", is_odd, onnx_node2(g, "Sub", x, whole));
    return onnx_node2(g, "Add", half, rise);
}

static const char *selu(struct onnx_graph *g, const char *x)
{
    const char *out = onnx_node1(g, "Selu", x);
    onnx_set_float(g, "alpha", 1.6732f);
    onnx_set_float(g, "gamma", 1.0507f);
    return out;
}

const char *onnx_activate(struct onnx_graph *g, enum activation act, const char *x)
{
    switch (act) {
    case ACT_LINEAR:
        return x;
    case ACT_LEAKY:
    case ACT_REVLEAKY:
        return leaky(g, x, 0.1f);
    case ACT_RELU:
        return onnx_node1(g, "Relu", x);
    case ACT_RELU6:
        return onnx_clip(g, x, 0.0f, 6.0f);
    case ACT_LOGISTIC:
        return onnx_node1(g, "Sigmoid", x);
    case ACT_MISH:
        return mish(g, x);
    case ACT_SWISH:
        return onnx_node2(g, "Mul", x, onnx_node1(g, "Sigmoid", x));
    case ACT_HARD_MISH:
        return hard_mish(g, x);
    case ACT_LOGGY:
        return onnx_node1(g, "Tanh", onnx_times(g, x, 0.5f));
    case ACT_RAMP:
        return onnx_node2(g, "Add", onnx_node1(g, "Relu", x), onnx_times(g, x, 0.1f));
    case ACT_RELIE:
        return leaky(g, x, 0.01f);
    case ACT_ELU:
        return onnx_node1(g, "Elu", x);
    case ACT_SELU:
        return selu(g, x);
    case ACT_GELU:
        return gelu(g, x);
    case ACT_TANH:
        return onnx_node1(g, "Tanh", x);
    case ACT_HARDTAN:
        return onnx_clip(g, x, -1.0f, 1.0f);
    case ACT_LHTAN:
        return bent(g, x, (float[]){0.0f, 1.0f}, 1.0f, 0.0f, 0.001f);
    case ACT_PLSE:
        return bent(g, x, (float[]){-4.0f, 4.0f}, 0.125f, 0.5f, 0.01f);
    case ACT_STAIR:
        return stair(g, x);
    case ACT_NORM_CHAN:
    case ACT_NORM_CHAN_SOFTMAX:
    case ACT_NORM_CHAN_SOFTMAX_MAXVAL:
        return normalize(g, act, x);
    case ACT_COUNT:
        break;
    }
    return x;
}
