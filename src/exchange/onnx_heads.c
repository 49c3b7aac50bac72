#include "exchange/onnx_heads.h"

#include "exchange/onnx_int8.h"
#include "exchange/onnx_ops.h"
#include "layers/kinds.h"
#include "layers/region_loss.h"
#include "layers/yolo_head.h"

/* What [yolo], [Gaussian_yolo] and [region] differ in. The box lies at channels first, first + step ... of a predictor
 * box, uncertainties one behind. */
struct head_form {
    int entries, slots, objectness, step;
    bool has_sigma, is_ready, has_softmax, has_raw_classes, in_cells;
    float scale, side;
};

static bool is_region(const struct layer *l)
{
    return l->ops == &region_ops;
}

static struct head_form form_of(const struct layer *l)
{
    const struct head_info *info = l->ops->head(l);
    struct head_form form = {.entries = info->entries,
                             .slots = info->slots,
                             .objectness = info->objectness,
                             .step = 1,
                             .scale = 1.0f};
    if (is_region(l)) {
        const struct region_state *s = l->state;
        form.has_softmax = s->has_softmax;
        form.has_raw_classes = !s->has_softmax;
        form.in_cells = true;
        return form;
    }
    const struct yolo_head *o = l->state;
    form.step = o->sigma ? 2 : 1;
    form.has_sigma = o->sigma != 0;
    form.is_ready = o->new_coords;
    form.scale = o->scale_x_y;
    form.side = (float)o->side;
    return form;
}

float onnx_head_scale(const struct layer *l)
{
    return form_of(l).scale;
}

bool onnx_head_has_new_coords(const struct layer *l)
{
    return form_of(l).is_ready;
}

/* In the cfg's own units. */
static const float *anchor_of(const struct layer *l, int slot)
{
    if (is_region(l)) {
        return ((const struct region_state *)l->state)->anchors + 2 * slot;
    }
    const struct yolo_head *o = l->state;
    return o->anchors + 2 * o->mask[slot];
}

/* Of a cell, along x or y. */
static float cell_pixels(const struct layer *l, int axis)
{
    return axis == 0 ? (float)l->net->w / (float)l->out.w : (float)l->net->h / (float)l->out.h;
}

void onnx_head_anchors(const struct layer *l, float *out)
{
    struct head_form form = form_of(l);
    for (int slot = 0; slot < form.slots; slot++) {
        for (int axis = 0; axis < 2; axis++) {
            float unit = form.in_cells ? cell_pixels(l, axis) : 1.0f;
            out[2 * slot + axis] = anchor_of(l, slot)[axis] * unit;
        }
    }
}

const char *onnx_head_input(const struct onnx_lowering *x, const struct layer *l)
{
    int from = l->inputs[0];
    const char *in = from == LAYER_IMAGE ? x->image : onnx_output_of(x, from);
    return x->is_half ? onnx_cast(x->graph, in, ONNX_FLOAT) : in;
}

/* Both lead to values of the shapes [cells, 2] and [2]: the corner of each cell, in cells, and a cell's size in pixels. */
struct grid {
    const char *corners, *cell;
};

static struct grid fixed_grid(const struct onnx_lowering *x, const struct layer *l)
{
    int w = l->out.w, cells = l->out.h * w;
    float *corners = onnx_memory(x->graph, 2 * (size_t)cells), *cell = onnx_memory(x->graph, 2);
    for (int i = 0; corners && i < cells; i++) {
        corners[2 * i] = (float)(i % w);
        corners[2 * i + 1] = (float)(i / w);
    }
    for (int axis = 0; cell && axis < 2; axis++) {
        cell[axis] = cell_pixels(l, axis);
    }
    return (struct grid){onnx_floats(x->graph, "corners", corners, (int64_t[]){cells, 2}, 2),
                         onnx_floats(x->graph, "cell", cell, (int64_t[]){2}, 1)};
}

static const char *width_height(struct onnx_graph *g, const char *shape)
{
    const char *both = onnx_node2(g, "Gather", shape, onnx_ints(g, (int64_t[]){3, 2}, 2));
    return onnx_cast(g, both, ONNX_FLOAT);
}

static struct grid running_grid(const struct onnx_lowering *x, const char *in)
{
    struct onnx_graph *g = x->graph;
    const char *shape = onnx_node1(g, "Shape", in), *image = onnx_node1(g, "Shape", x->image);
    const char *h = onnx_node2(g, "Gather", shape, onnx_int(g, 2));
    const char *w = onnx_node2(g, "Gather", shape, onnx_int(g, 3));
    const char *range[] = {onnx_int(g, 0), onnx_node2(g, "Mul", h, w), onnx_int(g, 1)};
    const char *number = onnx_node(g, "Range", range, 3);
    const char *row = onnx_node2(g, "Div", number, w);
    const char *column = onnx_node2(g, "Sub", number, onnx_node2(g, "Mul", row, w));
    const int64_t upright[] = {-1, 1};
    const char *parts[] = {onnx_reshape(g, column, upright, 2), onnx_reshape(g, row, upright, 2)};
    const char *corners = onnx_cast(g, onnx_concat(g, parts, 2, 1), ONNX_FLOAT);
    return (struct grid){corners,
                         onnx_node2(g, "Div", width_height(g, image), width_height(g, shape))};
}

/* In the units of sizes before the last step: pixels, or cells. */
static const char *anchor_constant(const struct onnx_lowering *x, const struct layer *l,
                                   const struct head_form *form)
{
    float *anchors = onnx_memory(x->graph, 2 * (size_t)form->slots);
    for (int i = 0; anchors && i < 2 * form->slots; i++) {
        anchors[i] = anchor_of(l, i / 2)[i % 2];
    }
    return onnx_floats(x->graph, "anchors", anchors, (int64_t[]){form->slots, 1, 2}, 3);
}

/* 1 for the classes that the head is for, 0 for others; NULL: it is for all. */
static const char *class_mask(const struct onnx_lowering *x, const struct head_info *info)
{
    if (info->first_class == 0 && info->class_end == info->classes) {
        return NULL;
    }
    float *mask = onnx_memory(x->graph, (size_t)info->classes);
    for (int c = info->first_class; mask && c < info->class_end; c++) {
        mask[c] = 1.0f;
    }
    return onnx_floats(x->graph, "classes", mask, (int64_t[]){info->classes}, 1);
}

static const char *lower_scores(struct onnx_lowering *x, const struct layer *l,
                                const struct head_form *form, const char *values)
{
    struct onnx_graph *g = x->graph;
    const struct head_info *info = l->ops->head(l);
    int at = form->objectness;
    const char *objectness = onnx_slice(g, values, 3, at, at + 1);
    const char *classes = onnx_slice(g, values, 3, at + 1, form->entries);
    if (!form->is_ready) {
        objectness = onnx_node1(g, "Sigmoid", objectness);
        classes = form->has_softmax       ? onnx_softmax(g, classes, 4)
                  : form->has_raw_classes ? classes
                                          : onnx_node1(g, "Sigmoid", classes);
    }
    if (form->has_sigma) {
        const char *sigma = onnx_slice_step(g, values, 3, 1, 8, 2);
        sigma = form->is_ready ? sigma : onnx_node1(g, "Sigmoid", sigma);
        const char *doubt = onnx_reduce(g, "ReduceMean", sigma, 3);
        const char *sure = onnx_node2(g, "Sub", onnx_scalar(g, 1.0f), doubt);
        objectness = onnx_node2(g, "Mul", objectness, sure);
    }
    const char *mask = class_mask(x, info);
    classes = mask ? onnx_node2(g, "Mul", classes, mask) : classes;
    return onnx_node2(g, "Mul", objectness, classes);
}

/* layers/yolo.c and layers/region.c have the formulas. */
void onnx_lower_head(struct onnx_lowering *x, const struct layer *l, struct onnx_boxes *boxes)
{
    struct onnx_graph *g = x->graph;
    struct head_form form = form_of(l);
    onnx_set_type(g, ONNX_FLOAT);
    const char *in = onnx_head_input(x, l);
    const char *values = onnx_reshape(g, in, (int64_t[]){0, form.slots, form.entries, -1}, 4);
    values = onnx_transpose(g, values, (int64_t[]){0, 1, 3, 2}, 4);
    struct grid grid = x->has_free_size ? running_grid(x, in) : fixed_grid(x, l);

    int split = 2 * form.step;
    const char *size = onnx_slice_step(g, values, 3, split, 2 * split, form.step);
    size = form.is_ready ? onnx_times(g, onnx_node2(g, "Mul", size, size), 4.0f)
                         : onnx_node1(g, "Exp", size);
    size = onnx_node2(g, "Mul", size, anchor_constant(x, l, &form));
    size = form.in_cells ? onnx_node2(g, "Mul", size, grid.cell) : size;

    const char *centre = onnx_slice_step(g, values, 3, 0, split, form.step);
    centre = form.is_ready ? centre : onnx_node1(g, "Sigmoid", centre);
    centre = onnx_plus(g, onnx_times(g, centre, form.scale), -0.5f * (form.scale - 1.0f));
    centre = onnx_node2(g, "Mul", onnx_node2(g, "Add", centre, grid.corners), grid.cell);
    if (form.side != 0.0f) {
        centre = onnx_node2(g, "Add", centre, onnx_times(g, size, form.side));
    }
    const int64_t pairs[] = {0, -1, 2};
    const int64_t per_class[] = {0, -1, l->ops->head(l)->classes};
    boxes->centres = onnx_reshape(g, centre, pairs, 3);
    boxes->sizes = onnx_reshape(g, size, pairs, 3);
    boxes->scores = onnx_reshape(g, lower_scores(x, l, &form, values), per_class, 3);
    onnx_set_type(g, x->is_half ? ONNX_HALF : ONNX_FLOAT);
}
