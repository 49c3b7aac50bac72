#include "net/features.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"

static size_t shape_floats(const struct shape *shape)
{
    return (size_t)shape->h * (size_t)shape->w * (size_t)shape->c;
}

/* A layer without parameters whose missing inputs take no more room than its output. Also at equal
 * size: layers further down may be in common (a route over poolings of one layer). */
static bool is_cheaper_to_run(const struct features *f, const struct layer *l)
{
    size_t missing = 0, own = shape_floats(&l->out);
    for (int k = 0; k < l->input_count; k++) {
        if (l->inputs[k] == LAYER_IMAGE) {
            return false;
        }
        if (f->layers[l->inputs[k]].role == FEATURE_SKIP) {
            missing += shape_floats(&l->input_shapes[k]);
        }
    }
    return l->param_count == 0 && missing <= own;
}

static void want_inputs(struct features *f, const struct layer *l, bool *reads_image)
{
    for (int k = 0; k < l->input_count; k++) {
        if (l->inputs[k] == LAYER_IMAGE) {
            *reads_image = true;
        } else if (f->layers[l->inputs[k]].role == FEATURE_SKIP) {
            f->layers[l->inputs[k]].role = FEATURE_KEEP;
        }
    }
}

/* From the last layer to the first: all readers of a layer are settled before it. */
static void settle_roles(const struct network *net, const enum layer_mode *modes,
                         struct features *f)
{
    bool has_frozen = false, reads_image = false;
    for (int i = net->layer_count - 1; i >= 0; i--) {
        const struct layer *l = &net->layers[i];
        enum feature_role *role = &f->layers[i].role;
        bool is_fixed = modes[i] == MODE_INFER;
        has_frozen = has_frozen || (is_fixed && l->param_count > 0);
        if (!is_fixed || (*role == FEATURE_KEEP && is_cheaper_to_run(f, l))) {
            *role = FEATURE_RUN;
            want_inputs(f, l, &reads_image);
        }
    }
    for (int i = 0; i < net->layer_count && has_frozen && !reads_image; i++) {
        if (f->layers[i].role == FEATURE_KEEP) {
            f->layers[i].offset = f->floats;
            f->floats += shape_floats(&net->layers[i].out);
            f->kept++;
        }
    }
}

enum result features_find(const struct network *net, const enum layer_mode *modes,
                          struct features *features, struct error *err)
{
    *features = (struct features){.layer_count = net->layer_count};
    features->layers = mem_alloc((size_t)net->layer_count, sizeof *features->layers);
    if (!features->layers) {
        return mem_error(err, "features");
    }
    settle_roles(net, modes, features);
    return OK;
}

void features_free(struct features *features)
{
    mem_free(features->layers);
    *features = (struct features){0};
}

void features_describe(const struct features *features, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, features->kept == 1 ? "layer" : "layers");
    int named = 0;
    for (int i = 0; i < features->layer_count && used < size; i++) {
        if (features->layers[i].role == FEATURE_KEEP) {
            used += (size_t)snprintf(text + used, size - used, named++ ? ", %d" : " %d", i);
        }
    }
}

/* ---- copying ---- */

static void store(const struct tensor *from, int image, float *row)
{
    size_t pixels = (size_t)from->h * (size_t)from->w, c = (size_t)from->c;
    const float *data = tensor_at(from, image, 0, 0);
    for (size_t p = 0; p < pixels; p++) {
        memcpy(row + p * c, data + p * from->stride, c * sizeof(float));
    }
}

static void fill(const float *row, const struct tensor *to, int image)
{
    size_t pixels = (size_t)to->h * (size_t)to->w, c = (size_t)to->c;
    float *data = tensor_at(to, image, 0, 0);
    for (size_t p = 0; p < pixels; p++) {
        memcpy(data + p * to->stride, row + p * c, c * sizeof(float));
    }
}

void features_record(const struct features *features, struct plan *plan, int images,
                     float *const *rows)
{
    plan_begin(plan, images);
    for (int i = 0; i < features->layer_count; i++) {
        plan_forward_layer(plan, i);
        for (int n = 0; features->layers[i].role == FEATURE_KEEP && n < images; n++) {
            if (rows[n]) { /* now: a later layer may take the buffer */
                store(plan_output(plan, i), n, rows[n] + features->layers[i].offset);
            }
        }
    }
}

void features_forward_layer(const struct features *features, struct plan *plan, int layer,
                            const float *const *rows)
{
    const struct feature_layer *f = &features->layers[layer];
    if (f->role == FEATURE_RUN) {
        plan_forward_layer(plan, layer);
    } else if (f->role == FEATURE_KEEP) {
        const struct tensor *out = plan_output(plan, layer);
        for (int n = 0; n < out->n; n++) {
            fill(rows[n] + f->offset, out, n);
        }
    }
}

void features_forward(const struct features *features, struct plan *plan, int images,
                      const float *const *rows)
{
    plan_begin(plan, images);
    for (int i = 0; i < features->layer_count; i++) {
        features_forward_layer(features, plan, i, rows);
    }
}
