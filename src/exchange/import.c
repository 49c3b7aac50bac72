#include "exchange/import.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "layers/kinds.h"
#include "layers/settings.h"

static const double OWN_EPS = 1e-5; /* what this program adds to a variance */

/* The same, though it may have passed through a float. */
static bool is_own_eps(double eps)
{
    return (float)eps == (float)OWN_EPS;
}

enum { MAX_VECTORS = 16, NORM_VECTORS = 4, TEXT = 160 };

/* A tensor of weights and the vectors that go with it: those of its module, and those of the modules behind it that have
 * no weights (a batch norm). */
struct unit {
    const struct tensor_entry *weights;
    const struct tensor_entry *vectors[MAX_VECTORS];
    int count;
};

struct importer {
    const char *path;
    const struct tensor_list *list;
    const struct import_options *options;
    enum import_layout layout;
    size_t next; /* tensor not yet in a unit */
    import_say *say;
    void *ctx;
};

static const char *shape_text(const struct tensor_entry *t, char text[TEXT])
{
    size_t used = (size_t)snprintf(text, TEXT, "[");
    for (int i = 0; i < t->rank && used < TEXT - 16; i++) {
        used += (size_t)snprintf(text + used, TEXT - used, "%s%zu", i ? ", " : "", t->dims[i]);
    }
    snprintf(text + used, TEXT - used, "]");
    return text;
}

static bool is_same_module(const struct tensor_entry *a, const struct tensor_entry *b)
{
    return a->module[0] && strcmp(a->module, b->module) == 0;
}

/* Does the module that begins at tensor i have weights? *end: behind it. */
static bool module_has_weights(const struct tensor_list *list, size_t i, size_t *end)
{
    bool has = false;
    size_t k = i;
    do {
        has = has || list->items[k].role == ROLE_WEIGHTS || list->items[k].rank >= 2;
        k++;
    } while (k < list->count && is_same_module(&list->items[i], &list->items[k]));
    *end = k;
    return has;
}

/* False: there is none left. */
static enum result next_unit(struct importer *m, struct unit *u, bool *found, struct error *err)
{
    const struct tensor_list *list = m->list;
    size_t end;
    *u = (struct unit){0};
    *found = m->next < list->count;
    for (size_t i = m->next; i < list->count; i = end) {
        bool has_weights = module_has_weights(list, i, &end);
        if (has_weights && u->weights) {
            break;
        }
        for (; i < end; i++) {
            const struct tensor_entry *t = &list->items[i];
            bool is_weights = t->rank >= 2;
            if ((is_weights && u->weights) || (!is_weights && u->count == MAX_VECTORS)) {
                return error_at(err, ERR_FORMAT, m->path, 0,
                                "%.100s: more tensors than a layer has", t->name);
            }
            if (is_weights) {
                u->weights = t;
            } else if (t->rank == 1) {
                u->vectors[u->count++] = t;
            }
        }
        m->next = end;
    }
    return OK;
}

/* ---- weights ---- */

/* As this program has them: [outputs, inputs, height, width]; a deconvolution's with outputs and inputs exchanged. */
struct form {
    size_t outputs, inputs, h, w;
    bool is_turned_round; /* [deconvolutional] */
    bool is_dense;
};

static struct form form_of(const struct layer *l)
{
    const struct conv_unit *u = l->state;
    const struct conv_geometry *g = &u->geometry;
    return (struct form){.outputs = (size_t)g->filters,
                         .inputs = (size_t)(g->in_c / g->groups),
                         .h = (size_t)g->kernel_h,
                         .w = (size_t)g->kernel_w,
                         .is_turned_round = l->ops == &deconvolutional_ops,
                         .is_dense = l->ops == &connected_ops};
}

static bool has_dims(const struct tensor_entry *t, size_t a, size_t b, size_t c, size_t d)
{
    return t->rank == 4 && t->dims[0] == a && t->dims[1] == b && t->dims[2] == c && t->dims[3] == d;
}

static bool is_oihw(const struct form *f, const struct tensor_entry *t)
{
    if (t->rank == 2) {
        return !t->has_inputs_first && (f->is_dense || (f->h == 1 && f->w == 1)) &&
               t->dims[0] == f->outputs && t->dims[1] == f->inputs * f->h * f->w;
    }
    return f->is_turned_round ? has_dims(t, f->inputs, f->outputs, f->h, f->w)
                              : has_dims(t, f->outputs, f->inputs, f->h, f->w);
}

/* A Keras depthwise window is [h, w, channels, 1]: the same values in the same order. */
static bool is_hwio(const struct form *f, const struct tensor_entry *t)
{
    if (t->rank == 2) {
        return (f->is_dense || (f->h == 1 && f->w == 1)) && t->dims[1] == f->outputs &&
               t->dims[0] == f->inputs * f->h * f->w;
    }
    return f->is_turned_round ? has_dims(t, f->h, f->w, f->outputs, f->inputs)
                              : has_dims(t, f->h, f->w, f->inputs, f->outputs) ||
                                    (f->inputs == 1 && has_dims(t, f->h, f->w, f->outputs, 1));
}

/* The place in the file's tensor of (output, input, y, x). */
static size_t place(const struct form *f, const struct tensor_entry *t, bool channels_last,
                    size_t o, size_t i, size_t y, size_t x)
{
    size_t pixel = y * f->w + x, window = f->h * f->w;
    if (t->rank == 2 && t->has_inputs_first) { /* ONNX: dense layers see planar pictures there */
        return (i * window + pixel) * f->outputs + o;
    }
    if (!channels_last) {
        return f->is_turned_round ? (i * f->outputs + o) * window + pixel
                                  : (o * f->inputs + i) * window + pixel;
    }
    return f->is_turned_round ? (pixel * f->outputs + o) * f->inputs + i
                              : (pixel * f->inputs + i) * f->outputs + o;
}

static void copy_weights(const struct importer *m, const struct form *f,
                         const struct tensor_entry *t, bool channels_last, float *out)
{
    bool turns = m->options->is_turned && !f->is_dense;
    for (size_t o = 0; o < f->outputs; o++) {
        for (size_t i = 0; i < f->inputs; i++) {
            for (size_t y = 0; y < f->h; y++) {
                for (size_t x = 0; x < f->w; x++) {
                    size_t from_y = turns ? f->h - 1 - y : y, from_x = turns ? f->w - 1 - x : x;
                    size_t to = f->is_turned_round ? i * f->outputs + o : o * f->inputs + i;
                    size_t at = place(f, t, channels_last, o, i, from_y, from_x);
                    out[(to * f->h + y) * f->w + x] = (float)tensor_value(t, at);
                }
            }
        }
    }
}

static enum result take_weights(struct importer *m, const struct layer *l, const struct unit *u,
                                struct error *err)
{
    struct form f = form_of(l);
    const struct tensor_entry *t = u->weights;
    char shape[TEXT], from[2 * TEXT];
    bool fits_first = t && is_oihw(&f, t), fits_last = t && is_hwio(&f, t);
    bool channels_last = m->layout == IMPORT_LAYOUT_HWIO ? fits_last : !fits_first;
    if (!t) {
        return error_at(err, ERR_FORMAT, m->path, 0, "no weights for layer %d [%s]", l->index,
                        l->ops->name);
    }
    if (!fits_first && !fits_last) {
        return error_at(
            err, ERR_FORMAT, m->path, 0,
            "%.100s is %s, but layer %d [%s] has %zu outputs of %zu inputs in windows of "
            "%zu x %zu",
            t->name, shape_text(t, shape), l->index, l->ops->name, f.outputs, f.inputs, f.h, f.w);
    }
    copy_weights(m, &f, t, channels_last, layer_param(l, "weights")->data);
    snprintf(from, sizeof from, "%.100s %s%s", t->name, shape_text(t, shape),
             channels_last ? " (inputs before outputs)" : "");
    m->say(m->ctx, l, "weights", from);
    return OK;
}

/* Which layout fits all layers; OIHW where both do. */
static enum result settle_layout(struct importer *m, const struct network *net, struct error *err)
{
    struct importer walk = *m;
    m->layout = m->options->layout;
    for (int i = 0; i < net->layer_count && m->layout == IMPORT_LAYOUT_AUTO; i++) {
        const struct layer *l = &net->layers[i];
        struct unit u;
        bool found;
        if (!layer_param(l, "weights") || l->ops == &shortcut_ops) {
            continue;
        }
        TRY(next_unit(&walk, &u, &found, err));
        struct form f = form_of(l);
        if (u.weights && !is_oihw(&f, u.weights) && is_hwio(&f, u.weights) &&
            !u.weights->has_inputs_first) {
            m->layout = IMPORT_LAYOUT_HWIO;
        }
    }
    return OK;
}

/* ---- vectors ---- */

struct norm {
    const struct tensor_entry *gamma, *beta, *mean, *spread;
    bool is_inverse;
    double eps;
};

/* Four vectors by their roles, or where these are not known by their order. */
static struct norm norm_of(const struct importer *m, const struct tensor_entry *const *v)
{
    bool is_lasagne = m->options->norm == IMPORT_NORM_LASAGNE;
    struct norm n = {.eps = m->options->eps >= 0 ? m->options->eps : OWN_EPS};
    for (int i = 0; i < NORM_VECTORS; i++) {
        const struct tensor_entry **slot = v[i]->role == ROLE_GAMMA     ? &n.gamma
                                           : v[i]->role == ROLE_BIASES  ? &n.beta
                                           : v[i]->role == ROLE_MEAN    ? &n.mean
                                           : v[i]->role == ROLE_UNKNOWN ? NULL
                                                                        : &n.spread;
        if (slot) {
            *slot = v[i];
        }
        n.is_inverse |= v[i]->role == ROLE_INVERSE_DEVIATION;
        n.eps = v[i]->eps >= 0 && m->options->eps < 0 ? v[i]->eps : n.eps;
    }
    if (!n.gamma || !n.beta || !n.mean || !n.spread) {
        n.gamma = v[is_lasagne ? 1 : 0];
        n.beta = v[is_lasagne ? 0 : 1];
        n.mean = v[2];
        n.spread = v[3];
        n.is_inverse = is_lasagne;
    }
    return n;
}

/* The same normalisation with this program's eps; gamma takes what a variance of less than eps cannot. */
static void put_norm(const struct layer *l, const struct norm *n, const struct tensor_entry *bias)
{
    size_t count = layer_param(l, "scales")->count;
    float *scales = layer_param(l, "scales")->data, *betas = layer_param(l, "biases")->data;
    float *means = layer_param(l, "rolling_mean")->data;
    float *variances = layer_param(l, "rolling_variance")->data;
    for (size_t i = 0; i < count; i++) {
        double spread = tensor_value(n->spread, i), gamma = tensor_value(n->gamma, i);
        double sum = n->is_inverse ? 1 / (spread * spread) : spread + n->eps;
        float variance = (float)(n->is_inverse || !is_own_eps(n->eps) ? sum - OWN_EPS : spread);
        bool is_small = !(variance >= 0.0f) && sum > 0 && sum < OWN_EPS;
        variances[i] = is_small ? 0.0f : variance;
        scales[i] = (float)(is_small ? gamma * sqrt(OWN_EPS / sum) : gamma);
        betas[i] = (float)tensor_value(n->beta, i);
        means[i] = (float)(tensor_value(n->mean, i) - (bias ? tensor_value(bias, i) : 0));
    }
}

/* Normalisation that changes nothing, for a file into whose weights it went. */
static void put_plain_norm(const struct layer *l)
{
    size_t count = layer_param(l, "scales")->count;
    for (size_t i = 0; i < count; i++) {
        layer_param(l, "scales")->data[i] = 1.0f;
        layer_param(l, "rolling_mean")->data[i] = 0.0f;
        layer_param(l, "rolling_variance")->data[i] = (float)(1 - OWN_EPS);
    }
}

static void put_biases(const struct importer *m, const struct layer *l,
                       const struct tensor_entry *bias)
{
    const struct param *p = layer_param(l, "biases");
    for (size_t i = 0; i < p->count; i++) {
        p->data[i] = bias ? (float)tensor_value(bias, i) : 0.0f;
    }
    m->say(m->ctx, l, "biases", bias ? bias->name : "0 (the file has none)");
}

static void take_norm(const struct importer *m, const struct layer *l,
                      const struct tensor_entry *const *v, const struct tensor_entry *bias)
{
    struct norm n = norm_of(m, v);
    char from[TEXT];
    put_norm(l, &n, bias);
    m->say(m->ctx, l, "biases", n.beta->name);
    m->say(m->ctx, l, "scales", n.gamma->name);
    snprintf(from, sizeof from, "%.60s%s%.60s", n.mean->name, bias ? " - " : "",
             bias ? bias->name : "");
    m->say(m->ctx, l, "rolling_mean", from);
    snprintf(from, sizeof from, n.is_inverse ? "1 / %.100s^2 - 1e-05" : "%.100s%s", n.spread->name,
             is_own_eps(n.eps) ? "" : " + eps - 1e-05");
    m->say(m->ctx, l, "rolling_variance", from);
}

static enum result wrong_vectors(const struct importer *m, const struct layer *l,
                                 const struct unit *u, struct error *err)
{
    char shape[TEXT];
    for (int i = 0; i < u->count; i++) {
        if (u->vectors[i]->count != layer_param(l, "biases")->count) {
            return error_at(err, ERR_FORMAT, m->path, 0,
                            "%.100s is %s, but layer %d [%s] has %zu outputs", u->vectors[i]->name,
                            shape_text(u->vectors[i], shape), l->index, l->ops->name,
                            layer_param(l, "biases")->count);
        }
    }
    return OK;
}

/* The vectors of a unit, to the layer itself and the [batchnorm] layers behind it: biases first, if it has any, then four
 * for each normalisation. */
static enum result take_vectors(const struct importer *m, const struct network *net,
                                const struct layer *l, const struct unit *u, struct error *err)
{
    bool has_norm = layer_param(l, "scales") != NULL;
    int norms = has_norm;
    for (int i = l->index + 1; i < net->layer_count && !layer_param(&net->layers[i], "weights");
         i++) {
        norms += net->layers[i].ops == &batchnorm_ops;
    }
    TRY(wrong_vectors(m, l, u, err));
    /* The bias of the module of the weights, else the first. */
    const struct tensor_entry *v[MAX_VECTORS], *bias = NULL;
    int rest = u->count % NORM_VECTORS, count = 0, bias_at = 0;
    for (int i = u->count - 1; i >= 0; i--) {
        bias_at = is_same_module(u->vectors[i], u->weights) ? i : bias_at;
    }
    for (int i = 0; i < u->count; i++) {
        if (rest == 1 && i == bias_at) {
            bias = u->vectors[i];
        } else {
            v[count++] = u->vectors[i];
        }
    }
    bool is_folded = count == 0 && norms == 1 && has_norm;
    if (rest > 1 || (count != NORM_VECTORS * norms && !is_folded)) {
        return error_at(err, ERR_FORMAT, m->path, 0,
                        "%d vectors follow %.100s, but layer %d [%s] has %s%d batch "
                        "normalisation%s of four",
                        u->count, u->weights->name, l->index, l->ops->name,
                        norms > 0 ? "" : "biases and ", norms, norms == 1 ? "" : "s");
    }
    int used = 0;
    if (is_folded) {
        put_plain_norm(l);
        put_biases(m, l, bias);
        m->say(m->ctx, l, "scales", "1 (batch norm is in the file's weights)");
    } else if (has_norm) {
        take_norm(m, l, v, bias);
        used = NORM_VECTORS;
    } else {
        put_biases(m, l, bias);
    }
    for (int i = l->index + 1; used < count; i++) {
        if (net->layers[i].ops == &batchnorm_ops) {
            if (layer_param(&net->layers[i], "biases")->count != layer_param(l, "biases")->count) {
                return layer_error(&net->layers[i], ERR_UNSUPPORTED, err,
                                   "normalises other channels than layer %d has outputs", l->index);
            }
            take_norm(m, &net->layers[i], v + used, NULL);
            used += NORM_VECTORS;
        }
    }
    return OK;
}

enum result import_tensors(const char *path, const struct tensor_list *list,
                           const struct import_options *options, struct network *net,
                           import_say *say, void *ctx, struct error *err)
{
    struct importer m = {.path = path, .list = list, .options = options, .say = say, .ctx = ctx};
    TRY(settle_layout(&m, net, err));
    bool has_weights = false;
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        struct unit u;
        bool found;
        if (l->ops == &shortcut_ops && l->param_count > 0) {
            return layer_error(l, ERR_UNSUPPORTED, err,
                               "has weights, which other programs' files do not tell apart");
        }
        if (l->ops == &batchnorm_ops && !has_weights) {
            return layer_error(
                l, ERR_UNSUPPORTED, err,
                "stands before any layer with weights: its vectors are not found by order");
        }
        if (!layer_param(l, "weights")) {
            continue;
        }
        has_weights = true;
        TRY(next_unit(&m, &u, &found, err));
        TRY(take_weights(&m, l, &u, err));
        TRY(take_vectors(&m, net, l, &u, err));
    }
    if (m.next < list->count) {
        char shape[TEXT];
        return error_at(err, ERR_FORMAT, path, 0,
                        "%.100s %s and what follows it finds no layer: the network ends before",
                        list->items[m.next].name, shape_text(&list->items[m.next], shape));
    }
    return OK;
}
