#include "train/step.h"

#include <math.h>

#include "base/memory.h"
#include "base/ranks.h"
#include "kernels/vectors.h"
#include "train/rank_sum.h"

/* What the others must know of a mini-batch beside its gradients and statistics. */
struct note {
    struct loss_parts parts;
    size_t images;
};

struct step_exchange {
    struct rank_sum *sum;
    bool is_begun;      /* this update's gradients are on their way */
    int sums;           /* that follow the latest mini-batch */
    size_t complete;    /* they are done from this float on */
    struct note *notes; /* [mini_batches] */
    float *records;     /* [mini_batches][record_floats] of plan_record_statistics */
    size_t record_floats;
    size_t *bytes; /* [ranks] */
};

static int mini_batches_of(const struct step_options *o)
{
    return o->mini_batches > 0 ? o->mini_batches : 1;
}

static bool has_others(const struct step_options *o)
{
    return o->is_shared && ranks_count() > 1;
}

static struct sum_share share_of(const struct step_options *o)
{
    int mini_batches = mini_batches_of(o);
    return has_others(o) ? sum_tree_share(mini_batches, ranks_count(), ranks_own())
                         : (struct sum_share){0, mini_batches};
}

static struct plan_options plan_options_of(const struct step_options *o)
{
    struct sum_share share = share_of(o);
    int sets = sum_tree_room(mini_batches_of(o), share.first, share.end);
    return (struct plan_options){.batch = o->batch,
                                 .modes = o->modes,
                                 .gradient_sets = sets,
                                 .quant = o->quant,
                                 .rounds_floats = true};
}

/* ---- opening and closing ---- */

static void close_exchange(struct step *step)
{
    struct step_exchange *x = step->exchange;
    if (x) {
        rank_sum_free(x->sum);
        mem_free(x->notes);
        mem_free(x->records);
        mem_free(x->bytes);
        mem_free(x);
    }
    step->exchange = NULL;
}

static enum result open_exchange(struct step *step, struct error *err)
{
    size_t mini_batches = (size_t)mini_batches_of(&step->o), floats;
    close_exchange(step);
    if (!has_others(&step->o)) {
        return OK;
    }
    struct step_exchange *x = step->exchange = mem_alloc(1, sizeof *x);
    if (!x) {
        return mem_error(err, "training with other processes");
    }
    x->record_floats = plan_record_floats(step->plan);
    x->notes = mem_alloc(mini_batches, sizeof *x->notes);
    x->records = size_mul(mini_batches, x->record_floats, &floats)
                     ? mem_alloc(floats, sizeof *x->records)
                     : NULL;
    x->bytes = mem_alloc((size_t)ranks_count(), sizeof *x->bytes);
    if (!x->notes || !x->records || !x->bytes) {
        return mem_error(err, "training with other processes");
    }
    return rank_sum_new((int)mini_batches, &x->sum, err);
}

/* The next mini-batch's statistics are kept for all processes. */
static void record_next(struct step *step)
{
    const struct step_exchange *x = step->exchange;
    if (x && step->mini_batch < step->share.end) {
        plan_record_statistics(step->plan,
                               x->records + (size_t)step->mini_batch * x->record_floats);
    }
}

static enum result build_plan(struct step *step, struct error *err)
{
    const struct step_options *o = &step->o;
    struct plan_options plan = plan_options_of(o);
    return plan_build(o->net, o->kernels, &plan, &step->plan, err);
}

static void drop_plan(struct step *step)
{
    plan_free(step->plan);
    step->plan = NULL;
}

enum result step_open(const struct step_options *options, struct step *step, struct error *err)
{
    struct optimizer *previous = step->optimizer, *fresh;
    struct optimizer_options how = options->optimizer;
    how.kernels = options->kernels;
    step->o = *options;
    drop_plan(step);
    TRY(build_plan(step, err));
    TRY(optimizer_new(&how, options->net, step->plan, previous, &fresh, err));
    optimizer_free(previous);
    step->optimizer = fresh;
    step->share = share_of(options);
    return open_exchange(step, err);
}

void step_close(struct step *step)
{
    close_exchange(step);
    optimizer_free(step->optimizer);
    plan_free(step->plan);
    *step = (struct step){0};
}

enum result step_resize(struct step *step, int w, int h, struct error *err)
{
    const struct net_size *size = &step->o.net->size;
    if (size->w == w && size->h == h) {
        return OK;
    }
    drop_plan(step);
    TRY(network_resize(step->o.net, w, h, err));
    TRY(build_plan(step, err));
    record_next(step);
    return OK;
}

/* Of what waits for the others, and for one. */
static size_t exchange_bytes(const struct step_options *o, const struct plan *plan)
{
    size_t records = (size_t)mini_batches_of(o) * plan_record_floats(plan) * sizeof(float);
    return has_others(o) ? records + rank_sum_bytes(mini_batches_of(o)) : 0;
}

static double sum_bytes(const struct step_options *o, const struct plan *plan, double growth,
                        size_t optimizer)
{
    struct plan_memory m = plan_memory(plan);
    return (double)(m.prepared_bytes + m.gradient_bytes + optimizer + exchange_bytes(o, plan)) +
           growth * (double)(m.activation_bytes + m.scratch_bytes);
}

size_t step_bytes(const struct step *step)
{
    return (size_t)sum_bytes(&step->o, step->plan, 1.0, optimizer_bytes(step->optimizer));
}

enum result step_measure(const struct step_options *o, double growth, double *bytes,
                         struct error *err)
{
    struct plan_options options = plan_options_of(o);
    struct plan *draft = NULL;
    enum result result = plan_draft(o->net, o->kernels, &options, &draft, err);
    if (result == OK) {
        size_t parameters = network_param_floats(o->net, o->net->layer_count, NULL) * sizeof(float);
        *bytes = (double)parameters +
                 sum_bytes(o, draft, growth, optimizer_measure(&o->optimizer, o->net, draft));
    }
    plan_free(draft);
    return result;
}

void step_begin(struct step *step)
{
    step->sum = (struct loss_parts){0};
    step->images = 0;
    step->mini_batch = step->share.first;
    step->tree = (struct sum_tree){.mini_batches = mini_batches_of(&step->o)};
    if (step->exchange) {
        step->exchange->is_begun = false;
        record_next(step);
    }
}

struct loss_parts step_loss(struct plan *plan, const struct step_input *input)
{
    struct loss_parts parts = {0};
    plan_set_seed(plan, input->seed);
    plan_set_bn_momentum(plan, input->bn_momentum);
    if (input->forward) {
        input->forward(input->ctx, plan, input->images);
    } else {
        plan_forward(plan, input->images);
    }
    plan_loss(plan, input->truths, &parts, NULL);
    return parts;
}

/* The two last sets of gradients become one, from float `first` to `end`. */
static void add_last(struct step *step, int last, size_t first, size_t end)
{
    vec_accumulate(end - first, plan_gradient_set(step->plan, last) + first,
                   plan_gradient_set(step->plan, last - 1) + first);
}

/* ---- with others ---- */

static void begin_exchange(struct step *step)
{
    float *nodes[SUM_TREE_NODES];
    struct step_exchange *x = step->exchange;
    int sets = plan_options_of(&step->o).gradient_sets; /* also where a share was given up */
    for (int i = 0; i < sets || i == 0; i++) {
        nodes[i] = plan_gradient_set(step->plan, i);
    }
    x->is_begun = true;
    x->complete = plan_gradient_floats(step->plan);
    rank_sum_begin(x->sum, nodes, x->complete);
}

/* The latest mini-batch's gradients are complete from `first` on: so are the sums, which go on their way. */
static void pass_on(void *ctx, size_t first)
{
    struct step *step = ctx;
    struct step_exchange *x = step->exchange;
    for (int i = x->sums; i > 0 && first < x->complete; i--) {
        add_last(step, step->tree.held + i - 1, first, x->complete);
    }
    x->complete = first;
    rank_sum_ready(x->sum, first);
}

/* The share's last mini-batch. */
static void backward_exchanging(struct step *step, int sums)
{
    step->exchange->sums = sums;
    begin_exchange(step);
    plan_backward_watched(step->plan, pass_on, step);
    pass_on(step, 0);
}

/* Everybody's part of [mini_batches][bytes]. */
static void gather(const struct step *step, void *all, size_t bytes)
{
    for (int r = 0; r < ranks_count(); r++) {
        struct sum_share share = sum_tree_share(mini_batches_of(&step->o), ranks_count(), r);
        step->exchange->bytes[r] = (size_t)(share.end - share.first) * bytes;
    }
    ranks_gather(all, step->exchange->bytes);
}

void step_exchange(struct step *step)
{
    struct step_exchange *x = step->exchange;
    if (!x) {
        return;
    }
    if (!x->is_begun) {
        begin_exchange(step);
    }
    rank_sum_finish(x->sum);
    gather(step, x->notes, sizeof *x->notes);
    gather(step, x->records, x->record_floats * sizeof *x->records);
    for (int i = 0; i < mini_batches_of(&step->o); i++) {
        loss_parts_add(&step->sum, &x->notes[i].parts);
        step->images += x->notes[i].images;
        plan_move_statistics(step->plan, x->records + (size_t)i * x->record_floats);
    }
    step->tree.held = 1; /* the whole update */
}

/* ---- mini-batches ---- */

void step_backward(struct step *step, int images, const struct loss_parts *parts)
{
    int set = step->tree.held, number = step->mini_batch++;
    int sums = sum_tree_add(&step->tree, (struct sum_node){number, 1});
    plan_use_gradients(step->plan, set);
    if (step->exchange && step->mini_batch == step->share.end) {
        backward_exchanging(step, sums);
    } else {
        plan_backward(step->plan);
        for (; sums > 0; sums--, set--) {
            add_last(step, set, 0, plan_gradient_floats(step->plan));
        }
    }
    if (step->exchange) {
        step->exchange->notes[number] = (struct note){*parts, (size_t)images};
        record_next(step);
        return;
    }
    loss_parts_add(&step->sum, parts);
    step->images += (size_t)images;
}

double step_update(struct step *step, float rate)
{
    for (; step->tree.held > 1; step->tree.held--) { /* of an update that was cut short */
        add_last(step, step->tree.held - 1, 0, plan_gradient_floats(step->plan));
    }
    plan_use_gradients(step->plan, 0);
    double norm = optimizer_step(step->optimizer, step->plan, rate, step->images);
    if (isfinite(norm)) {
        plan_repack(step->plan);
    }
    return norm;
}
