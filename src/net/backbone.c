#include "net/backbone.h"

#include "base/memory.h"
#include "layers/kinds.h"

const char *const part_names[PART_COUNT] = {"backbone", "neck", "head"};

/* What is known of a layer on the way. */
struct trait {
    bool is_head;
    bool feeds_head,
        feeds_other; /* its readers: heads still without parameters above them; others */
    bool is_raised;  /* itself or an ancestor: a finer grid than any of its inputs */
    bool is_pooled;  /* sees nothing but global averages: a gate's branch, not a grid */
};

static size_t cells(struct shape shape)
{
    return (size_t)shape.h * (size_t)shape.w;
}

static bool is_raising(const struct layer *l)
{
    size_t finest = 0;
    for (int k = 0; k < l->input_count; k++) {
        finest = cells(l->input_shapes[k]) > finest ? cells(l->input_shapes[k]) : finest;
    }
    return cells(l->out) > finest;
}

static bool reads_previous(const struct layer *l)
{
    for (int k = 0; k < l->input_count; k++) {
        if (l->inputs[k] == l->index - 1) {
            return true;
        }
    }
    return false;
}

/* From the last layer up, so that all readers of a layer are settled before it is. */
static bool find_heads(const struct network *net, struct trait *traits)
{
    bool has_head = false;
    for (int i = net->layer_count - 1; i >= 0; i--) {
        const struct layer *l = &net->layers[i];
        struct trait *t = &traits[i];
        t->is_head = l->ops->head || (t->feeds_head && !t->feeds_other);
        has_head = has_head || l->ops->head;
        for (int k = 0; k < l->input_count; k++) {
            if (l->inputs[k] == LAYER_IMAGE) {
                continue;
            }
            struct trait *input = &traits[l->inputs[k]];
            if (t->is_head && l->param_count == 0) {
                input->feeds_head = true;
            } else {
                input->feeds_other = true;
            }
        }
    }
    return has_head;
}

/* First layer of the coarsest grid that the image reaches without upsampling. */
static int find_coarsest(const struct network *net, struct trait *traits)
{
    int coarsest = -1;
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        struct trait *t = &traits[i];
        t->is_raised = is_raising(l);
        t->is_pooled = true;
        for (int k = 0; k < l->input_count; k++) {
            bool is_image = l->inputs[k] == LAYER_IMAGE;
            t->is_raised = t->is_raised || (!is_image && traits[l->inputs[k]].is_raised);
            t->is_pooled = t->is_pooled && !is_image && traits[l->inputs[k]].is_pooled;
        }
        t->is_pooled = t->is_pooled || l->ops == &avgpool_ops;
        if (!t->is_raised && !t->is_pooled && !t->is_head &&
            (coarsest < 0 || cells(l->out) < cells(net->layers[coarsest].out))) {
            coarsest = i;
        }
    }
    return coarsest;
}

/* Where the branch that ends in this [reorg] jumped back to an earlier layer; `layer_count` if it
 * reads the stem without a jump. */
static int passthrough_begin(const struct network *net, int reorg)
{
    for (int i = reorg; i > 0; i--) {
        if (!reads_previous(&net->layers[i])) {
            return i;
        }
    }
    return net->layer_count;
}

/* One behind the last layer that can be backbone. */
static int find_trunk_end(const struct network *net, const struct trait *traits, int coarsest)
{
    int end = net->layer_count;
    for (int i = coarsest + 1; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        int begin = net->layer_count;
        if (traits[i].is_head || is_raising(l)) {
            begin = i;
        } else if (l->ops == &reorg_ops || l->ops == &reorg3d_ops) {
            begin = passthrough_begin(net, i);
        }
        end = begin > coarsest && begin < end ? begin : end;
    }
    return end;
}

static bool is_stride_1_pool(const struct layer *l)
{
    return (l->ops == &maxpool_ops || l->ops == &local_avgpool_ops) &&
           cells(l->out) == cells(l->input_shapes[0]);
}

/* A layer is a waist if everything behind it in the trunk sees what lies before it only through it.
 * What lies between two waists is a block if it has more than one path, that is, if it holds
 * layers. */
static void mark_waists(const struct network *net, int trunk_end, bool *is_waist)
{
    int oldest = trunk_end; /* read from behind layer i */
    for (int i = trunk_end - 1; i >= 0; i--) {
        const struct layer *l = &net->layers[i];
        is_waist[i] = oldest >= i;
        for (int k = 0; k < l->input_count; k++) {
            oldest = l->inputs[k] < oldest ? l->inputs[k] : oldest;
        }
    }
}

static bool is_transition(const struct network *net, int concat, int trunk_end)
{
    const struct layer *join = &net->layers[concat];
    const struct layer *next = &net->layers[concat + 1];
    return join->ops == &route_ops && join->input_count > 1 && concat + 1 < trunk_end &&
           next->ops == &convolutional_ops && cells(next->out) == cells(join->out);
}

/* Last layer of the backbone. */
static int find_backbone_end(const struct network *net, const bool *is_waist, int trunk_end,
                             int coarsest)
{
    size_t grid = cells(net->layers[coarsest].out);
    int last = -1, waist = -1;
    bool has_pool = false;
    for (int i = 0; i < trunk_end; i++) {
        const struct layer *l = &net->layers[i];
        has_pool = has_pool || is_stride_1_pool(l);
        if (!is_waist[i]) {
            continue;
        }
        bool is_block = i > waist + 1;
        if (is_block && cells(l->out) == grid) {
            if (has_pool) {
                return last >= 0 ? last : waist;
            }
            last = is_transition(net, i, trunk_end) ? i + 1 : i;
        }
        has_pool = false;
        waist = i;
    }
    return last >= 0 ? last : trunk_end - 1;
}

static void settle(const struct network *net, struct trait *traits, bool *is_waist,
                   enum net_part *parts)
{
    int coarsest = find_coarsest(net, traits);
    int end = -1;
    if (coarsest >= 0) {
        int trunk_end = find_trunk_end(net, traits, coarsest);
        mark_waists(net, trunk_end, is_waist);
        end = find_backbone_end(net, is_waist, trunk_end, coarsest);
    }
    for (int i = 0; i < net->layer_count; i++) {
        parts[i] = traits[i].is_head ? PART_HEAD : i <= end ? PART_BACKBONE : PART_NECK;
    }
}

enum result parts_find(const struct network *net, enum net_part *parts, struct error *err)
{
    size_t count = (size_t)net->layer_count;
    struct trait *traits = mem_alloc(count, sizeof *traits);
    bool *is_waist = mem_alloc(count, sizeof *is_waist);
    enum result result = OK;
    if (!traits || !is_waist) {
        result = mem_error(err, "the parts of a network");
    } else if (!find_heads(net, traits)) {
        result = error_at(
            err, ERR_CFG, net->cfg.path, 0,
            "no [yolo], [Gaussian_yolo] or [region] section: a network without detection heads "
            "has no backbone, neck and heads to tell apart");
    } else {
        settle(net, traits, is_waist, parts);
    }
    mem_free(traits);
    mem_free(is_waist);
    return result;
}
