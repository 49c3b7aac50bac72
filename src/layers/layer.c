#include "layers/layer.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "kernels/activation.h"
#include "cfg/cfg.h"

enum result layer_set_inputs(struct layer *l, const char *key, const int *references, size_t count,
                             bool with_previous, struct error *err)
{
    size_t first = with_previous ? 1 : 0;
    if (count > INT_MAX - 1) {
        return layer_error(l, ERR_CFG, err, "too many inputs");
    }
    mem_free(l->inputs);
    l->input_count = 0;
    l->inputs = mem_alloc(count + first, sizeof *l->inputs);
    if (!l->inputs) {
        return mem_error(err, "reading the network");
    }
    if (with_previous) {
        l->inputs[0] = l->index > 0 ? l->index - 1 : LAYER_IMAGE;
    }
    for (size_t i = 0; i < count; i++) {
        int r = references[i];
        if (r < -l->index || r >= l->index) {
            return cfg_error(l->section, cfg_find(l->section, key), err, "%d in layer %d points %s",
                             r, l->index,
                             r < 0 ? "before the first layer"
                                   : "to this or a later layer (only earlier ones can be read)");
        }
        l->inputs[first + i] = r < 0 ? l->index + r : r;
    }
    l->input_count = (int)(count + first);
    return OK;
}

float nms_exponent(enum nms_kind kind, float beta_nms)
{
    return kind == NMS_GREEDY ? 0.6f : kind == NMS_DIOU ? beta_nms : -1.0f;
}

enum result layer_read_previous(struct layer *l, struct error *err)
{
    return layer_set_inputs(l, NULL, NULL, 0, true, err);
}

enum result layer_keep_shape(struct layer *l, struct error *err)
{
    (void)err;
    l->out = l->input_shapes[0];
    return OK;
}

void layer_plan_own(const struct layer *l, const struct plan_limits *limits, struct layer_plan *p)
{
    (void)l;
    (void)limits;
    p->place = PLACE_OWN;
}

enum result layer_add_param(struct layer *l, const char *role, size_t count, struct error *err)
{
    size_t bytes;
    if (count == 0 || !size_mul(count, sizeof(float), &bytes) || bytes > PTRDIFF_MAX) {
        return layer_error(l, ERR_CFG, err, "the number of its %s overflows", role);
    }
    if (l->param_count >= LAYER_MAX_PARAMS) {
        return layer_error(l, ERR_UNSUPPORTED, err, "more than %d parameter arrays",
                           LAYER_MAX_PARAMS);
    }
    bool is_variance = strcmp(role, "rolling_variance") == 0;
    bool is_scale = strcmp(role, "scales") == 0;
    for (int i = 0; is_scale && i < l->param_count; i++) { /* biases next to scales are a beta */
        l->params[i].is_affine = strcmp(l->params[i].role, "biases") == 0;
    }
    l->params[l->param_count++] = (struct param){
        .role = role,
        .count = count,
        .is_statistic = is_variance || strcmp(role, "rolling_mean") == 0,
        .is_affine = is_scale,
        .decays = strcmp(role, "weights") == 0,
        .initial = is_variance || is_scale ? 1.0f : 0.0f,
    };
    return OK;
}

const struct param *layer_param(const struct layer *l, const char *role)
{
    for (int i = 0; i < l->param_count; i++) {
        if (strcmp(l->params[i].role, role) == 0) {
            return &l->params[i];
        }
    }
    return NULL;
}

size_t layer_values(const struct layer *l)
{
    size_t values = 0;
    for (int k = 0; k < l->param_count; k++) {
        values += l->params[k].count;
    }
    return values;
}

float *layer_param_grad(const struct layer *l, const struct exec *e, const char *role)
{
    return e->param_grads[layer_param(l, role) - l->params];
}

enum result layer_activation(struct layer *l, enum activation fallback, enum activation *act,
                             struct error *err)
{
    struct cfg_word words[ACT_COUNT + 1];
    int word;
    for (int i = 0; i < (int)ACT_COUNT; i++) {
        words[i] = (struct cfg_word){activation_name((enum activation)i), i};
    }
    words[ACT_COUNT] = (struct cfg_word){"silu", ACT_SWISH}; /* PyTorch's name: yolor, yolov7 */
    TRY(cfg_choice(l->section, "activation", words, ACT_COUNT + 1, (int)fallback, &word, err));
    *act = (enum activation)word;
    l->act = *act;
    return OK;
}

enum activation layer_backward_activation(const struct layer *l)
{
    return l->by_logit ? ACT_LINEAR : l->act;
}

enum result layer_error(const struct layer *l, enum result code, struct error *err, const char *fmt,
                        ...)
{
    char text[768];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return error_at(err, code, l->section->path, l->section->line, "[%s] layer %d: %s",
                    l->section->name, l->index, text);
}
