#include "train/optimizer.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/parallel.h"
#include "base/ranks.h"
#include "kernels/vectors.h"
#include "net/class_rows.h"

enum {
    PIECE = 16384,   /* floats a work item takes: its arrays share a cache */
    SLOT_ALIGN = 16, /* floats */
};

/* One tensor that moves, or running statistics that are averaged. */
struct slot {
    int layer, param;
    size_t count;
    bool is_statistic;
    float *first;   /* velocity or first moment; NULL for statistics */
    float *second;  /* Adam's second moment, else NULL */
    float *average; /* NULL without EMA */
    uint64_t steps; /* made */
    /* Of the step under way: */
    float *values;
    const float *gradient;
    float rate, decay;
};

struct piece {
    struct slot *slot;
    size_t first, count;
    double squares; /* of its gradient */
};

struct optimizer {
    struct optimizer_options options;
    struct network *net;
    struct slot *slots;
    size_t slot_count;
    struct piece *pieces;
    size_t piece_count;
    float *block; /* all state */
    size_t block_floats;
    uint64_t ema_updates;
    bool is_swapped;
    /* Of the step under way: */
    double scale;
    float ema_weight;
};

static const char *const kind_names[OPTIMIZER_KIND_COUNT] = {"sgd", "adam", "adamw"};

const char *optimizer_kind_name(enum optimizer_kind kind)
{
    return kind_names[kind];
}

/* ---- slots ---- */

static struct param *slot_param(const struct optimizer *o, const struct slot *s)
{
    return &o->net->layers[s->layer].params[s->param];
}

static size_t padded(size_t count)
{
    return (count + SLOT_ALIGN - 1) / SLOT_ALIGN * SLOT_ALIGN;
}

/* Fills slots (may be NULL) and returns how many there are; *floats: all their state. */
static size_t list_slots(const struct optimizer_options *options, const struct network *net,
                         const struct plan *plan, struct slot *slots, size_t *floats)
{
    size_t count = 0, moments = options->kind == OPTIMIZER_SGD ? 1 : 2;
    *floats = 0;
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        enum layer_mode mode = plan_mode(plan, i);
        for (int k = 0; k < l->param_count; k++) {
            bool is_averaged =
                l->params[k].is_statistic && mode_rules[mode].uses_batch && options->ema_decay > 0;
            if (!is_averaged && !mode_moves(mode, &l->params[k])) {
                continue;
            }
            if (slots) {
                slots[count] = (struct slot){.layer = i,
                                             .param = k,
                                             .count = l->params[k].count,
                                             .is_statistic = is_averaged};
            }
            count++;
            size_t arrays = (is_averaged ? 0 : moments) + (options->ema_decay > 0 ? 1 : 0);
            *floats += arrays * padded(l->params[k].count);
        }
    }
    return count;
}

/* Values of the slot from *end on that are one run: all of a statistic, else what moves. */
static bool next_run(const struct optimizer *o, const struct slot *s, size_t *first, size_t *end)
{
    if (s->is_statistic) {
        *first = *end;
        *end = s->count;
        return *first < *end;
    }
    return class_rows_next(o->net, s->layer, slot_param(o, s), first, end);
}

/* Fills pieces (may be NULL) and returns how many there are. What keeps still within a tensor is in none. */
static size_t cut_pieces(const struct optimizer *o, struct slot *s, struct piece *pieces)
{
    size_t count = 0, first, end = 0;
    while (next_run(o, s, &first, &end)) {
        for (size_t at = first; at < end; at += PIECE, count++) {
            size_t part = end - at < PIECE ? end - at : PIECE;
            if (pieces) {
                pieces[count] = (struct piece){.slot = s, .first = at, .count = part};
            }
        }
    }
    return count;
}

static enum result allocate(struct optimizer *o, struct error *err)
{
    for (size_t i = 0; i < o->slot_count; i++) {
        o->piece_count += cut_pieces(o, &o->slots[i], NULL);
    }
    o->block = mem_alloc(o->block_floats, sizeof *o->block);
    o->pieces = mem_alloc(o->piece_count, sizeof *o->pieces);
    return o->block && o->pieces ? OK : mem_error(err, "the optimiser's state");
}

static void take(float **array, float **from, size_t count)
{
    *array = *from;
    *from += padded(count);
}

static void lay_out(struct optimizer *o)
{
    float *next = o->block;
    struct piece *piece = o->pieces;
    for (size_t i = 0; i < o->slot_count; i++) {
        struct slot *s = &o->slots[i];
        if (!s->is_statistic) {
            take(&s->first, &next, s->count);
        }
        if (!s->is_statistic && o->options.kind != OPTIMIZER_SGD) {
            take(&s->second, &next, s->count);
        }
        if (o->options.ema_decay > 0) {
            take(&s->average, &next, s->count);
            memcpy(s->average, slot_param(o, s)->data, s->count * sizeof(float));
        }
        piece += cut_pieces(o, s, piece);
    }
}

static void copy_state(float *into, const float *from, size_t count)
{
    if (into && from) {
        memcpy(into, from, count * sizeof *into);
    }
}

/* Both lists ascend by layer and parameter. */
static void inherit(struct optimizer *o, const struct optimizer *previous)
{
    bool is_same_kind = o->options.kind == previous->options.kind;
    size_t at = 0;
    o->ema_updates = previous->ema_updates;
    for (size_t i = 0; i < o->slot_count; i++) {
        struct slot *s = &o->slots[i];
        while (at < previous->slot_count &&
               (previous->slots[at].layer < s->layer ||
                (previous->slots[at].layer == s->layer && previous->slots[at].param < s->param))) {
            at++;
        }
        if (at == previous->slot_count) {
            return;
        }
        const struct slot *old = &previous->slots[at];
        if (old->layer != s->layer || old->param != s->param) {
            continue;
        }
        copy_state(s->average, old->average, s->count);
        if (is_same_kind) {
            copy_state(s->first, old->first, s->count);
            copy_state(s->second, old->second, s->count);
            s->steps = old->steps;
        }
    }
}

enum result optimizer_new(const struct optimizer_options *options, struct network *net,
                          const struct plan *plan, const struct optimizer *previous,
                          struct optimizer **optimizer, struct error *err)
{
    struct optimizer *o = mem_alloc(1, sizeof *o);
    if (!o) {
        return mem_error(err, "the optimiser");
    }
    o->options = *options;
    o->net = net;
    o->slot_count = list_slots(options, net, plan, NULL, &o->block_floats);
    o->slots = mem_alloc(o->slot_count, sizeof *o->slots);
    enum result result = o->slots ? OK : mem_error(err, "the optimiser");
    if (result == OK) {
        list_slots(options, net, plan, o->slots, &o->block_floats);
        result = allocate(o, err);
    }
    if (result != OK) {
        optimizer_free(o);
        return result;
    }
    lay_out(o);
    if (previous) {
        inherit(o, previous);
    }
    *optimizer = o;
    return OK;
}

void optimizer_free(struct optimizer *optimizer)
{
    if (optimizer) {
        mem_free(optimizer->slots);
        mem_free(optimizer->pieces);
        mem_free(optimizer->block);
        mem_free(optimizer);
    }
}

size_t optimizer_values(const struct optimizer *optimizer)
{
    size_t values = 0;
    for (size_t i = 0; i < optimizer->slot_count; i++) {
        const struct slot *s = &optimizer->slots[i];
        values += s->is_statistic
                      ? 0
                      : class_rows_moving(optimizer->net, s->layer, slot_param(optimizer, s));
    }
    return values;
}

size_t optimizer_bytes(const struct optimizer *optimizer)
{
    return optimizer->block_floats * sizeof *optimizer->block;
}

size_t optimizer_measure(const struct optimizer_options *options, const struct network *net,
                         const struct plan *plan)
{
    size_t floats;
    list_slots(options, net, plan, NULL, &floats);
    return floats * sizeof(float);
}

/* ---- a step ---- */

static void step_sgd(const struct optimizer *o, const struct piece *p)
{
    const struct slot *s = p->slot;
    struct sgd_step step = {.rate = s->rate,
                            .momentum = o->options.momentum,
                            .decay = s->decay,
                            .scale = (float)o->scale};
    struct sgd_arrays arrays = {s->values + p->first, s->first + p->first, s->gradient + p->first};
    vec_sgd_step(o->options.kernels, p->count, &step, &arrays);
}

static void step_adam(const struct optimizer *o, const struct piece *p)
{
    const struct slot *s = p->slot;
    double beta1 = (double)o->options.beta1, beta2 = (double)o->options.beta2;
    struct adam_step step = {.rate = (double)s->rate,
                             .beta1 = beta1,
                             .beta2 = beta2,
                             .epsilon = (double)o->options.eps,
                             .decay = (double)s->decay,
                             .scale = o->scale,
                             .correction1 = 1 - pow(beta1, (double)s->steps),
                             .correction2 = 1 - pow(beta2, (double)s->steps),
                             .decoupled = o->options.kind == OPTIMIZER_ADAMW};
    struct adam_arrays arrays = {s->values + p->first, s->first + p->first, s->second + p->first,
                                 s->gradient + p->first};
    vec_adam_step(o->options.kernels, p->count, &step, &arrays);
}

static void measure_piece(void *ctx, size_t item, int thread)
{
    struct optimizer *o = ctx;
    struct piece *p = &o->pieces[item];
    (void)thread;
    const float *gradient = p->slot->gradient;
    p->squares = gradient ? vec_sum_squares(o->options.kernels, p->count, gradient + p->first) : 0;
}

/* The average follows while the piece is in the cache. */
static void update_piece(void *ctx, size_t item, int thread)
{
    const struct optimizer *o = ctx;
    const struct piece *p = &o->pieces[item];
    const struct slot *s = p->slot;
    (void)thread;
    if (s->gradient && o->options.kind == OPTIMIZER_SGD) {
        step_sgd(o, p);
    } else if (s->gradient) {
        step_adam(o, p);
    }
    if (s->average) {
        vec_lerp(o->options.kernels, p->count, o->ema_weight, s->values + p->first,
                 s->average + p->first);
    }
}

static double gradient_norm(struct optimizer *o, const struct plan *plan)
{
    double squares = 0;
    for (size_t i = 0; i < o->slot_count; i++) {
        struct slot *s = &o->slots[i];
        s->gradient = s->is_statistic ? NULL : plan_gradient(plan, s->layer, s->param);
    }
    parallel_for(o->piece_count, measure_piece, o);
    for (size_t i = 0; i < o->piece_count; i++) {
        squares += o->pieces[i].squares;
    }
    return sqrt(squares);
}

static void prepare_slot(const struct optimizer *o, struct slot *s, float rate)
{
    const struct param *param = slot_param(o, s);
    s->values = param->data;
    if (!s->gradient) {
        return;
    }
    s->steps++;
    s->rate = rate * o->net->layers[s->layer].learning_rate;
    s->rate *= o->options.rate_scale ? o->options.rate_scale[s->layer] : 1.0f;
    s->decay = param->decays ? o->options.decay : 0;
}

double optimizer_step(struct optimizer *optimizer, const struct plan *plan, float rate,
                      size_t images)
{
    struct optimizer *o = optimizer;
    double norm = gradient_norm(o, plan) / (double)images;
    if (!isfinite(norm)) {
        return norm;
    }
    double clip = o->options.clip_norm > 0 ? (double)o->options.clip_norm / (norm + 1e-6) : 1;
    o->scale = fmin(clip, 1) / (double)images;
    for (size_t i = 0; i < o->slot_count; i++) {
        prepare_slot(o, &o->slots[i], rate);
    }
    double n = (double)++o->ema_updates;
    o->ema_weight = (float)(1 - fmin((double)o->options.ema_decay, (1 + n) / (10 + n)));
    parallel_for(o->piece_count, update_piece, o);
    return norm;
}

/* ---- averages ---- */

bool optimizer_has_ema(const struct optimizer *optimizer)
{
    return optimizer->options.ema_decay > 0;
}

bool optimizer_is_swapped(const struct optimizer *optimizer)
{
    return optimizer->is_swapped;
}

static void swap_piece(void *ctx, size_t item, int thread)
{
    const struct optimizer *o = ctx;
    const struct piece *p = &o->pieces[item];
    (void)thread;
    float *restrict w = slot_param(o, p->slot)->data + p->first;
    float *restrict a = p->slot->average + p->first;
    for (size_t i = 0; i < p->count; i++) {
        float kept = w[i];
        w[i] = a[i];
        a[i] = kept;
    }
}

void optimizer_swap_ema(struct optimizer *optimizer)
{
    if (optimizer_has_ema(optimizer)) {
        parallel_for(optimizer->piece_count, swap_piece, optimizer);
        optimizer->is_swapped = !optimizer->is_swapped;
    }
}

/* ---- other processes, and the checkpoint ---- */

void optimizer_share(struct optimizer *optimizer)
{
    struct optimizer *o = optimizer;
    ranks_broadcast(o->block, o->block_floats * sizeof *o->block);
    ranks_broadcast(&o->ema_updates, sizeof o->ema_updates);
    for (size_t i = 0; i < o->slot_count; i++) {
        ranks_broadcast(&o->slots[i].steps, sizeof o->slots[i].steps);
    }
}

void optimizer_write(const struct optimizer *optimizer, struct state_writer *out)
{
    const struct optimizer *o = optimizer;
    state_put_u32(out, o->options.kind);
    state_put_u32(out, optimizer_has_ema(o));
    state_put_u64(out, o->ema_updates);
    state_put_u64(out, o->slot_count);
    for (size_t i = 0; i < o->slot_count; i++) {
        const struct slot *s = &o->slots[i];
        state_put_u32(out, (uint32_t)s->layer);
        state_put_u32(out, (uint32_t)s->param);
        state_put_u64(out, s->count);
        state_put_u64(out, s->steps);
    }
    for (size_t i = 0; i < o->slot_count; i++) {
        const struct slot *s = &o->slots[i];
        const float *arrays[] = {s->first, s->second, s->average};
        for (size_t k = 0; k < 3; k++) {
            if (arrays[k]) {
                state_put_floats(out, arrays[k], s->count);
            }
        }
    }
}

static enum result read_head(const struct optimizer *o, struct state_reader *in,
                             uint64_t *ema_updates, struct error *err)
{
    uint32_t kind, has_ema;
    uint64_t slots;
    TRY(state_get_u32(in, &kind, err));
    TRY(state_get_u32(in, &has_ema, err));
    TRY(state_get_u64(in, ema_updates, err));
    TRY(state_get_u64(in, &slots, err));
    if (kind != (uint32_t)o->options.kind) {
        return error_at(err, ERR_FORMAT, in->path, 0, "was made with the optimiser %s, not %s",
                        kind < OPTIMIZER_KIND_COUNT ? kind_names[kind] : "of another program",
                        kind_names[o->options.kind]);
    }
    if ((has_ema != 0) != optimizer_has_ema(o)) {
        return error_at(err, ERR_FORMAT, in->path, 0,
                        "was made with%s moving averages of the weights", has_ema ? "" : "out");
    }
    if (slots != o->slot_count) {
        error_at(err, ERR_FORMAT, in->path, 0, "%" PRIu64 " tensors moved in it, %zu do now", slots,
                 o->slot_count);
        return error_hint(err, "other layers are frozen, or the cfg is another one");
    }
    return OK;
}

/* Fills steps, one a slot. */
static enum result read_table(const struct optimizer *o, struct state_reader *in, uint64_t *steps,
                              struct error *err)
{
    for (size_t i = 0; i < o->slot_count; i++) {
        const struct slot *s = &o->slots[i];
        uint32_t layer, param;
        uint64_t count;
        TRY(state_get_u32(in, &layer, err));
        TRY(state_get_u32(in, &param, err));
        TRY(state_get_u64(in, &count, err));
        TRY(state_get_u64(in, &steps[i], err));
        if (layer != (uint32_t)s->layer || param != (uint32_t)s->param || count != s->count) {
            error_at(err, ERR_FORMAT, in->path, 0,
                     "%" PRIu64 " values of layer %" PRIu32
                     " moved in it where %zu of layer %d do now",
                     count, layer, s->count, s->layer);
            return error_hint(err, "other layers are frozen, or the cfg is another one");
        }
    }
    return OK;
}

static enum result read_arrays(struct optimizer *o, struct state_reader *in, struct error *err)
{
    for (size_t i = 0; i < o->slot_count; i++) {
        const struct slot *s = &o->slots[i];
        float *arrays[] = {s->first, s->second, s->average};
        for (size_t k = 0; k < 3; k++) {
            if (arrays[k]) {
                TRY(state_get_floats(in, arrays[k], s->count, err));
            }
        }
    }
    return OK;
}

enum result optimizer_read(struct optimizer *optimizer, struct state_reader *in, struct error *err)
{
    struct optimizer *o = optimizer;
    uint64_t ema_updates;
    TRY(read_head(o, in, &ema_updates, err));
    uint64_t *steps = mem_alloc(o->slot_count, sizeof *steps);
    if (!steps) {
        return mem_error(err, in->path);
    }
    enum result result = read_table(o, in, steps, err);
    if (result == OK) {
        result = read_arrays(o, in, err);
    }
    for (size_t i = 0; i < o->slot_count && result == OK; i++) {
        o->slots[i].steps = steps[i];
    }
    if (result == OK) {
        o->ema_updates = ema_updates;
        o->is_swapped = false;
    }
    mem_free(steps);
    return result;
}
