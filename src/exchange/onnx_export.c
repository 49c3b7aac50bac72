#include "exchange/onnx_export.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "exchange/onnx_heads.h"
#include "exchange/onnx_int8.h"
#include "exchange/onnx_ops.h"
#include "layers/kinds.h"
#include "net/task.h"

struct exporter {
    const struct onnx_options *options;
    struct onnx_lowering lowering;
    bool *is_needed;    /* [layer_count] something that leaves the model depends on it */
    bool *follows_size; /* [layer_count] its output's shape follows the input's */
};

/* The layer whose output is the network's; a detector has its heads instead. */
static int last_layer(const struct network *net)
{
    return net->layer_count - 1;
}

static void find_needed(struct exporter *e)
{
    const struct network *net = e->lowering.net;
    for (int i = 0; i < network_head_count(net); i++) {
        e->is_needed[network_head_layer(net, i)->index] = true;
    }
    if (network_head_count(net) == 0) {
        e->is_needed[last_layer(net)] = true;
    }
    for (int i = last_layer(net); i >= 0; i--) {
        const struct layer *l = &net->layers[i];
        for (int k = 0; e->is_needed[i] && k < l->input_count; k++) {
            if (l->inputs[k] != LAYER_IMAGE) {
                e->is_needed[l->inputs[k]] = true;
            }
        }
    }
}

/* The first layer whose nodes hold for this size of its input only, and that would see others; NULL: none. */
static const struct layer *find_fixed(struct exporter *e)
{
    const struct network *net = e->lowering.net;
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        for (int k = 0; k < l->input_count; k++) {
            int from = l->inputs[k];
            e->follows_size[i] |= from == LAYER_IMAGE || e->follows_size[from];
        }
        if (e->is_needed[i] && e->follows_size[i] && onnx_layer_fixes_size(l)) {
            return l;
        }
        e->follows_size[i] &= l->ops != &avgpool_ops;
    }
    return NULL;
}

static void set_scope(const struct onnx_lowering *x, const struct layer *l)
{
    char scope[64];
    snprintf(scope, sizeof scope, "layer_%d_%s", l->index, l->ops->name);
    onnx_scope(x->graph, scope);
}

/* ---- metadata ---- */

static double short_number(float value)
{
    char text[32];
    snprintf(text, sizeof text, "%.7g", (double)value);
    return strtod(text, NULL);
}

static void add_text(struct exporter *e, const char *key, cJSON *root, bool *ok)
{
    char *text = json_text(root);
    if (text) {
        onnx_meta(e->lowering.graph, key, text);
    }
    *ok = *ok && text;
    mem_free(text);
}

static cJSON *anchors_json(const struct layer *l)
{
    cJSON *list = cJSON_CreateArray();
    int slots = l->ops->head(l)->slots;
    float *anchors = mem_alloc(2 * (size_t)slots, sizeof *anchors);
    if (!anchors) {
        cJSON_Delete(list);
        return NULL;
    }
    onnx_head_anchors(l, anchors);
    for (int i = 0; i < slots; i++) {
        cJSON *pair = cJSON_CreateArray();
        cJSON_AddItemToArray(pair, cJSON_CreateNumber(short_number(anchors[2 * i])));
        cJSON_AddItemToArray(pair, cJSON_CreateNumber(short_number(anchors[2 * i + 1])));
        cJSON_AddItemToArray(list, pair);
    }
    mem_free(anchors);
    return list;
}

static cJSON *heads_json(const struct network *net)
{
    cJSON *heads = cJSON_CreateArray();
    for (int i = 0; i < network_head_count(net); i++) {
        const struct layer *l = network_head_layer(net, i);
        cJSON *head = cJSON_CreateObject();
        cJSON_AddStringToObject(head, "type", l->ops->name);
        cJSON_AddNumberToObject(head, "layer", l->index);
        cJSON_AddNumberToObject(head, "width", l->out.w);
        cJSON_AddNumberToObject(head, "height", l->out.h);
        cJSON_AddNumberToObject(head, "classes", l->ops->head(l)->classes);
        cJSON_AddItemToObject(head, "anchors", anchors_json(l));
        cJSON_AddNumberToObject(head, "scale_x_y", short_number(onnx_head_scale(l)));
        cJSON_AddBoolToObject(head, "new_coords", onnx_head_has_new_coords(l));
        cJSON_AddItemToArray(heads, head);
    }
    return heads;
}

static cJSON *names_json(const struct onnx_options *o)
{
    cJSON *names = cJSON_CreateObject();
    char key[24];
    for (size_t i = 0; i < o->name_count; i++) {
        snprintf(key, sizeof key, "%zu", i);
        cJSON_AddStringToObject(names, key, o->names[i]);
    }
    return names;
}

/* What the cfg suppresses by, for those who do it outside: run/detect.c has the rule. */
static cJSON *nms_json(const struct network *net)
{
    const struct head_info *head = network_head(net);
    float exponent = nms_exponent(head->nms_kind, head->beta_nms);
    cJSON *nms = cJSON_CreateObject();
    cJSON_AddStringToObject(nms, "overlap", exponent < 0.0f ? "iou" : "diou");
    if (exponent >= 0.0f) {
        cJSON_AddNumberToObject(nms, "exponent", short_number(exponent));
    }
    return nms;
}

/* Pixels a cell of the coarsest head. */
static int stride_of(const struct network *net)
{
    int stride = 1;
    for (int i = 0; i < network_head_count(net); i++) {
        int own = net->size.w / network_head_layer(net, i)->out.w;
        stride = own > stride ? own : stride;
    }
    return stride;
}

/* The keys names, task, stride, imgsz, batch and channels are those that Ultralytics' exports have. */
static enum result describe(struct exporter *e, const char *task, struct error *err)
{
    struct onnx_graph *g = e->lowering.graph;
    const struct network *net = e->lowering.net;
    const struct onnx_options *o = e->options;
    char text[64];
    bool ok = true;
    onnx_meta(g, "task", task);
    if (o->name_count > 0) {
        add_text(e, "names", names_json(o), &ok);
    }
    snprintf(text, sizeof text, "[%d, %d]", net->size.h, net->size.w);
    onnx_meta(g, "imgsz", text);
    snprintf(text, sizeof text, "%d", net->size.c);
    onnx_meta(g, "channels", text);
    onnx_meta(g, "batch", "1");
    onnx_meta(g, "input", "float32 [n, c, h, w], RGB, 0 to 255 divided by 255");
    onnx_meta(g, "fit", o->fit);
    if (o->quant) {
        onnx_meta(g, "precision", "int8");
    }
    if (network_head_count(net) > 0) {
        static const char *const forms[] = {"raw", "decoded", "nms"};
        snprintf(text, sizeof text, "%d", stride_of(net));
        onnx_meta(g, "stride", text);
        onnx_meta(g, "boxes", forms[o->boxes]);
        add_text(e, "heads", heads_json(net), &ok);
        if (o->boxes != ONNX_BOXES_NMS) {
            add_text(e, "nms", nms_json(net), &ok);
        }
    }
    return ok ? OK : mem_error(err, "the ONNX metadata");
}

/* ---- outputs ---- */

static struct onnx_dim batch_dim(const struct exporter *e)
{
    return (struct onnx_dim){1, e->options->is_dynamic ? "batch" : NULL};
}

/* A length that follows the size of the input. */
static struct onnx_dim free_dim(const struct exporter *e, int length, const char *symbol)
{
    return (struct onnx_dim){length, e->lowering.has_free_size ? symbol : NULL};
}

/* [n, c, h, w], or [n, c] of a picture of one pixel. */
static void put_picture(struct exporter *e, const char *value, const struct layer *l,
                        const char *name)
{
    struct onnx_graph *g = e->lowering.graph;
    struct shape out = l->out;
    bool is_free = e->lowering.has_free_size && e->follows_size[l->index];
    const struct onnx_dim dims[] = {batch_dim(e),
                                    {out.c, NULL},
                                    {out.h, is_free ? "out_height" : NULL},
                                    {out.w, is_free ? "out_width" : NULL}};
    bool is_vector = out.h == 1 && out.w == 1 && !is_free;
    value = e->lowering.is_half ? onnx_cast(g, value, ONNX_FLOAT) : value;
    value = is_vector ? onnx_reshape(g, value, (int64_t[]){0, out.c}, 2) : value;
    onnx_output(g, value, name, dims, is_vector ? 2 : 4);
}

static void put_raw(struct exporter *e)
{
    const struct onnx_lowering *x = &e->lowering;
    for (int i = 0; i < network_head_count(x->net); i++) {
        const struct layer *l = network_head_layer(x->net, i);
        char name[32], height[48], width[48];
        snprintf(name, sizeof name, "head%d", i);
        snprintf(height, sizeof height, "head%d_height", i);
        snprintf(width, sizeof width, "head%d_width", i);
        const struct onnx_dim dims[] = {batch_dim(e),
                                        {l->out.c, NULL},
                                        free_dim(e, l->out.h, height),
                                        free_dim(e, l->out.w, width)};
        onnx_scope(x->graph, name);
        onnx_output(x->graph, onnx_head_input(x, l), name, dims, 4);
    }
}

/* All heads' candidates one behind the other. */
static enum result all_boxes(struct exporter *e, struct onnx_boxes *all, int *candidates,
                             struct error *err)
{
    struct onnx_lowering *x = &e->lowering;
    size_t count = (size_t)network_head_count(x->net);
    const char **values = mem_alloc(3 * count, sizeof *values);
    *candidates = 0;
    if (!values) {
        return mem_error(err, "the ONNX graph");
    }
    const char **centres = values, **sizes = values + count, **scores = values + 2 * count;
    for (size_t i = 0; i < count; i++) {
        const struct layer *l = network_head_layer(x->net, (int)i);
        struct onnx_boxes boxes;
        set_scope(x, l);
        onnx_lower_head(x, l, &boxes);
        centres[i] = boxes.centres;
        sizes[i] = boxes.sizes;
        scores[i] = boxes.scores;
        *candidates += l->ops->head(l)->slots * l->out.h * l->out.w;
    }
    onnx_scope(x->graph, "boxes");
    onnx_set_type(x->graph, ONNX_FLOAT);
    *all = (struct onnx_boxes){onnx_concat(x->graph, centres, count, 1),
                               onnx_concat(x->graph, sizes, count, 1),
                               onnx_concat(x->graph, scores, count, 1)};
    mem_free(values);
    return OK;
}

/* [n, 4 + classes, m], as Ultralytics' exports have it: x, y, w, h, a score a class. */
static void put_decoded(struct exporter *e, const struct onnx_boxes *all, int candidates)
{
    struct onnx_graph *g = e->lowering.graph;
    int classes = network_head(e->lowering.net)->classes;
    const char *parts[] = {all->centres, all->sizes, all->scores};
    const char *rows = onnx_concat(g, parts, 3, 2);
    const struct onnx_dim dims[] = {
        batch_dim(e), {4 + classes, NULL}, free_dim(e, candidates, "candidates")};
    onnx_output(g, onnx_transpose(g, rows, (int64_t[]){0, 2, 1}, 3), "output0", dims, 3);
}

/* Some columns of [k, 3] as floats. */
static const char *float_column(struct onnx_graph *g, const char *picked, int column)
{
    return onnx_cast(g, onnx_slice(g, picked, 1, column, column + 1), ONNX_FLOAT);
}

/* [k, 7]: image, x1, y1, x2, y2, class, score. */
static void put_suppressed(struct exporter *e, const struct onnx_boxes *all)
{
    struct onnx_graph *g = e->lowering.graph;
    const struct onnx_options *o = e->options;
    const char *half = onnx_times(g, all->sizes, 0.5f);
    const char *parts[] = {onnx_node2(g, "Sub", all->centres, half),
                           onnx_node2(g, "Add", all->centres, half)};
    const char *corners = onnx_concat(g, parts, 2, 2);
    float *limits = onnx_memory(g, 2);
    if (limits) {
        limits[0] = o->iou;
        limits[1] = o->confidence;
    }
    const int64_t one[] = {1};
    const char *inputs[] = {corners, onnx_transpose(g, all->scores, (int64_t[]){0, 2, 1}, 3),
                            onnx_ints(g, (int64_t[]){o->max_detections}, 1),
                            onnx_floats(g, "iou", limits, one, 1),
                            onnx_floats(g, "confidence", limits ? limits + 1 : NULL, one, 1)};
    const char *picked =
        onnx_node(g, "NonMaxSuppression", inputs, 5); /* [k, 3]: image, class, box */
    const char *at_box = onnx_node2(g, "Gather", picked, onnx_ints(g, (int64_t[]){0, 2}, 2));
    onnx_set_int(g, "axis", 1);
    const char *at_score = onnx_node2(g, "Gather", picked, onnx_ints(g, (int64_t[]){0, 2, 1}, 3));
    onnx_set_int(g, "axis", 1);
    const char *score = onnx_node2(g, "GatherND", all->scores, at_score);
    const char *columns[] = {float_column(g, picked, 0), onnx_node2(g, "GatherND", corners, at_box),
                             float_column(g, picked, 1),
                             onnx_reshape(g, score, (int64_t[]){-1, 1}, 2)};
    const struct onnx_dim dims[] = {{0, "detections"}, {7, NULL}};
    onnx_output(g, onnx_concat(g, columns, 4, 1), "detections", dims, 2);
}

static enum result put_outputs(struct exporter *e, struct error *err)
{
    const struct network *net = e->lowering.net;
    if (network_head_count(net) == 0) {
        int last = last_layer(net);
        onnx_scope(e->lowering.graph, "output");
        put_picture(e, onnx_output_of(&e->lowering, last), &net->layers[last], "output0");
        return OK;
    }
    if (e->options->boxes == ONNX_BOXES_RAW) {
        put_raw(e);
        return OK;
    }
    struct onnx_boxes all = {0};
    int candidates;
    TRY(all_boxes(e, &all, &candidates, err));
    if (e->options->boxes == ONNX_BOXES_NMS) {
        put_suppressed(e, &all);
    } else {
        put_decoded(e, &all, candidates);
    }
    return OK;
}

/* ---- the whole ---- */

static void put_input(struct exporter *e)
{
    struct onnx_lowering *x = &e->lowering;
    const struct onnx_dim dims[] = {batch_dim(e),
                                    {x->net->size.c, NULL},
                                    free_dim(e, x->net->size.h, "height"),
                                    free_dim(e, x->net->size.w, "width")};
    x->image = onnx_input(x->graph, "images", dims, 4);
    if (x->is_half) {
        onnx_scope(x->graph, "input");
        x->image = onnx_cast(x->graph, x->image, ONNX_HALF);
        onnx_set_type(x->graph, ONNX_HALF);
    }
}

static enum result put_layers(struct exporter *e, struct error *err)
{
    struct onnx_lowering *x = &e->lowering;
    for (int i = 0; i < x->net->layer_count; i++) {
        const struct layer *l = &x->net->layers[i];
        if (e->is_needed[i] && !l->ops->head) {
            set_scope(x, l);
            TRY(onnx_lower_layer(x, l, err));
        }
    }
    return OK;
}

/* Ultralytics' word where it has one. */
static const char *task_word(const struct network *net)
{
    enum net_task task = task_of(net);
    return task == TASK_DETECT ? "detect" : task == TASK_CLASSIFY ? "classify" : task_name(task);
}

static enum result export_into(struct exporter *e, const char *path, struct onnx_summary *summary,
                               struct error *err)
{
    find_needed(e);
    summary->fixes_size = find_fixed(e);
    e->lowering.has_free_size = e->options->is_dynamic && !summary->fixes_size;
    summary->has_free_size = e->lowering.has_free_size;
    put_input(e);
    TRY(put_layers(e, err));
    TRY(put_outputs(e, err));
    TRY(describe(e, task_word(e->lowering.net), err));
    summary->opset = onnx_opset(e->lowering.graph);
    summary->nodes = onnx_node_count(e->lowering.graph);
    return onnx_write(e->lowering.graph, path, e->options->version, err);
}

enum result onnx_export(const struct network *net, const struct onnx_options *options,
                        const char *path, struct onnx_summary *summary, struct error *err)
{
    size_t layers = (size_t)net->layer_count;
    int least = options->quant ? ONNX_OPSET_INT8 : ONNX_OPSET_LEAST;
    int opset = options->opset ? options->opset : least;
    struct exporter e = {.options = options,
                         .lowering = {.graph = onnx_make(opset),
                                      .net = net,
                                      .quant = options->quant,
                                      .outputs = mem_alloc(layers, sizeof(char *)),
                                      .is_half = options->is_half},
                         .is_needed = mem_alloc(layers, sizeof(bool)),
                         .follows_size = mem_alloc(layers, sizeof(bool))};
    *summary = (struct onnx_summary){0};
    enum result result = OK;
    bool has_bytes = !options->quant || onnx_int8_open(&e.lowering);
    if (!has_bytes || !e.lowering.graph || !e.lowering.outputs || !e.is_needed || !e.follows_size) {
        result = mem_error(err, "the ONNX graph");
    } else {
        result = export_into(&e, path, summary, err);
    }
    onnx_int8_close(&e.lowering);
    onnx_free(e.lowering.graph);
    mem_free(e.lowering.outputs);
    mem_free(e.is_needed);
    mem_free(e.follows_size);
    return result;
}
