#include "kernels/activation.h"

#include <math.h>

static const char *const NAMES[ACT_COUNT] = {
    [ACT_LINEAR] = "linear",
    [ACT_LEAKY] = "leaky",
    [ACT_RELU] = "relu",
    [ACT_RELU6] = "relu6",
    [ACT_LOGISTIC] = "logistic",
    [ACT_MISH] = "mish",
    [ACT_SWISH] = "swish",
    [ACT_HARD_MISH] = "hard_mish",
    [ACT_LOGGY] = "loggy",
    [ACT_REVLEAKY] = "revleaky",
    [ACT_RAMP] = "ramp",
    [ACT_RELIE] = "relie",
    [ACT_ELU] = "elu",
    [ACT_SELU] = "selu",
    [ACT_GELU] = "gelu",
    [ACT_TANH] = "tanh",
    [ACT_HARDTAN] = "hardtan",
    [ACT_LHTAN] = "lhtan",
    [ACT_PLSE] = "plse",
    [ACT_STAIR] = "stair",
    [ACT_NORM_CHAN] = "normalize_channels",
    [ACT_NORM_CHAN_SOFTMAX] = "normalize_channels_softmax",
    [ACT_NORM_CHAN_SOFTMAX_MAXVAL] = "normalize_channels_softmax_maxval",
};

const char *activation_name(enum activation act)
{
    return NAMES[act];
}

static double clamp(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

/* Written so that nothing overflows or cancels for any x. */
static double logistic(double x)
{
    double t = exp(-fabs(x));
    return (x < 0 ? t : 1) / (1 + t);
}

/* For products with a factor that has long become 0 at the bound: -inf * 0 would be NaN. */
static double above_minus_infinity(double x)
{
    return x < -1000 ? -1000 : x;
}

/* tanh(ln(1 + e^x)) = n / (n + 2) with n = e^x (e^x + 2), which is 1 in double from 20 on. */
static double mish(double x)
{
    double e = exp(x > 20 ? 20 : x);
    double n = e * (e + 2);
    return above_minus_infinity(x) * (n / (n + 2));
}

static double lhtan(double x)
{
    if (x < 0) {
        return 0.001 * x;
    }
    return x > 1 ? 0.001 * (x - 1) + 1 : x;
}

static double plse(double x)
{
    if (x < -4) {
        return 0.01 * (x + 4);
    }
    return x > 4 ? 0.01 * (x - 4) + 1 : 0.125 * x + 0.5;
}

static double stair(double x)
{
    double whole = floor(x);
    return floor(x / 2) + (fmod(whole, 2) == 0 ? 0 : x - whole);
}

static double hard_mish(double x)
{
    if (x > 0) {
        return x;
    }
    return x <= -2 ? 0 : x * (x / 2 + 1);
}

double activation_value(enum activation act, double x)
{
    switch (act) {
    case ACT_LINEAR:
        return x;
    case ACT_LEAKY:
    case ACT_REVLEAKY:
        return x > 0 ? x : 0.1 * x;
    case ACT_RELU:
        return x < 0 ? 0 : x;
    case ACT_RELU6:
        return clamp(x, 0, 6);
    case ACT_LOGISTIC:
        return logistic(x);
    case ACT_MISH:
        return mish(x);
    case ACT_SWISH:
        return above_minus_infinity(x) * logistic(x);
    case ACT_HARD_MISH:
        return hard_mish(x);
    case ACT_LOGGY:
        return tanh(x / 2);
    case ACT_RAMP:
        return x > 0 ? 1.1 * x : 0.1 * x;
    case ACT_RELIE:
        return x > 0 ? x : 0.01 * x;
    case ACT_ELU:
        return x >= 0 ? x : expm1(x);
    case ACT_SELU:
        return 1.0507 * (x >= 0 ? x : 1.6732 * expm1(x));
    case ACT_GELU:
        return 0.5 * x * (1 + tanh(0.797885 * x + 0.035677 * x * x * x));
    case ACT_TANH:
        return tanh(x);
    case ACT_HARDTAN:
        return clamp(x, -1, 1);
    case ACT_LHTAN:
        return lhtan(x);
    case ACT_PLSE:
        return plse(x);
    case ACT_STAIR:
        return stair(x);
    default:
        return (double)NAN; /* the per-pixel kinds are no function of one value */
    }
}

/* logistic(x) (1 - logistic(x)) without cancellation. */
static double logistic_slope(double x)
{
    double t = exp(-fabs(x));
    return t / ((1 + t) * (1 + t));
}

/* With n = e^x (e^x + 2): the derivative of x n / (n + 2), which is 1 in double from 40 on. */
static double mish_slope(double x)
{
    double bounded = above_minus_infinity(x > 40 ? 40 : x);
    double e = exp(bounded);
    double n = e * (e + 2);
    return n / (n + 2) + bounded * (4 * e * (e + 1) / ((n + 2) * (n + 2)));
}

static double swish_slope(double x)
{
    double bounded = above_minus_infinity(x > 1000 ? 1000 : x);
    return logistic(bounded) + bounded * logistic_slope(bounded);
}

/* The inner function a(x) is of third degree: beyond 100 its tanh is +-1 for good. */
static double gelu_slope(double x)
{
    if (fabs(x) > 100) {
        return x > 0 ? 1 : 0;
    }
    double inner = 0.797885 * x + 0.035677 * x * x * x;
    double slope = 0.797885 + 3 * 0.035677 * x * x;
    return 0.5 * (1 + tanh(inner)) + 0.5 * x * 4 * logistic_slope(2 * inner) * slope;
}

static double stair_slope(double x)
{
    double whole = floor(x);
    return fmod(whole, 2) == 0 || x == whole ? 0 : 1;
}

double activation_derivative(enum activation act, double x)
{
    switch (act) {
    case ACT_LINEAR:
        return 1;
    case ACT_LEAKY:
    case ACT_REVLEAKY:
        return x > 0 ? 1 : 0.1;
    case ACT_RELU:
        return x > 0 ? 1 : 0;
    case ACT_RELU6:
        return x > 0 && x < 6 ? 1 : 0;
    case ACT_LOGISTIC:
        return logistic_slope(x);
    case ACT_MISH:
        return mish_slope(x);
    case ACT_SWISH:
        return swish_slope(x);
    case ACT_HARD_MISH:
        return x > 0 ? 1 : x > -2 ? x + 1 : 0;
    case ACT_LOGGY:
        return 2 * logistic_slope(x);
    case ACT_RAMP:
        return x > 0 ? 1.1 : 0.1;
    case ACT_RELIE:
        return x > 0 ? 1 : 0.01;
    case ACT_ELU:
        return x >= 0 ? 1 : exp(x);
    case ACT_SELU:
        return 1.0507 * (x >= 0 ? 1 : 1.6732 * exp(x));
    case ACT_GELU:
        return gelu_slope(x);
    case ACT_TANH:
        return 4 * logistic_slope(2 * x);
    case ACT_HARDTAN:
        return x > -1 && x < 1 ? 1 : 0;
    case ACT_LHTAN:
        return x > 0 && x < 1 ? 1 : 0.001;
    case ACT_PLSE:
        return x < -4 || x > 4 ? 0.01 : 0.125;
    case ACT_STAIR:
        return stair_slope(x);
    default:
        return (double)NAN; /* the per-pixel kinds are no function of one value */
    }
}
