/* A network whose "training" is a formula: gradients and statistics are functions of the iteration
 * and the parameters, written where a plan's backward would leave them. So optimiser and
 * checkpoints are tested without kernels. */
#ifndef TESTS_TRAIN_RIG_H
#define TESTS_TRAIN_RIG_H

#include "fixture.h"
#include "net/plan_internal.h"
#include "train/optimizer.h"

/* Layer 0: biases[2], weights[6]. Layer 1: biases[1], weights[2], half the rate. Layer 2, with
 * batch norm: biases, scales, rolling_mean, rolling_variance [70000 each], weights[70000]: more
 * than one work item. */
static const char rig_sections[] =
    "[convolutional]\nfilters=2\nsize=1\nactivation=linear\n"
    "[convolutional]\nfilters=1\nsize=1\nactivation=linear\nlearning_rate=0.5\n"
    "[convolutional]\nfilters=%d\nsize=1\nbatch_normalize=1\nactivation=linear\n";
enum { RIG_LAYERS = 3 };

struct rig {
    struct fixture f;
    struct plan plan; /* only modes and gradients */
    enum layer_mode modes[RIG_LAYERS];
    struct exec execs[RIG_LAYERS];
    float *gradients;
};

/* Gradient memory for what moves in these modes. */
static inline bool rig_set_modes(struct rig *r, enum layer_mode a, enum layer_mode b,
                                 enum layer_mode c)
{
    const enum layer_mode modes[RIG_LAYERS] = {a, b, c};
    size_t at = 0;
    memcpy(r->modes, modes, sizeof modes);
    memset(r->execs, 0, sizeof r->execs);
    free(r->gradients);
    r->gradients = calloc(network_param_floats(&r->f.net, RIG_LAYERS, NULL), sizeof(float));
    for (int i = 0; i < RIG_LAYERS && r->gradients; i++) {
        for (int k = 0; k < r->f.net.layers[i].param_count; k++) {
            const struct param *p = &r->f.net.layers[i].params[k];
            if (mode_moves(modes[i], p)) {
                r->execs[i].param_grads[k] = r->gradients + at;
                at += p->count;
            }
        }
    }
    r->plan = (struct plan){.net = &r->f.net, .modes = r->modes, .execs = r->execs};
    return r->gradients != NULL;
}

static inline bool rig_open(struct rig *r, int filters)
{
    char sections[512];
    *r = (struct rig){0};
    snprintf(sections, sizeof sections, rig_sections, filters);
    return fixture_open(&r->f, 4, 4, 3, sections) &&
           rig_set_modes(r, MODE_TRAIN, MODE_TRAIN, MODE_TRAIN);
}

static inline void rig_close(struct rig *r)
{
    free(r->gradients);
    fixture_close(&r->f);
}

static const char *rig_isa; /* NULL: the best */

/* optimizer_new on the kernels of rig_isa. */
static inline enum result rig_optimizer(const struct optimizer_options *options, struct rig *r,
                                        const struct optimizer *previous,
                                        struct optimizer **optimizer, struct error *err)
{
    struct optimizer_options filled = *options;
    enum result result = kernels_select(rig_isa, &filled.kernels, err);
    return result != OK ? result
                        : optimizer_new(&filled, &r->f.net, &r->plan, previous, optimizer, err);
}

static inline float *rig_values(struct rig *r, int layer, int param)
{
    return r->f.net.layers[layer].params[param].data;
}

static inline void rig_fill(struct rig *r, unsigned seed)
{
    for (int i = 0; i < RIG_LAYERS; i++) {
        for (int k = 0; k < r->f.net.layers[i].param_count; k++) {
            for (size_t j = 0; j < r->f.net.layers[i].params[k].count; j++) {
                rig_values(r, i, k)[j] = test_noise(&seed);
            }
        }
    }
}

/* Gradients of iteration n of what moves, and statistics of layers that use the batch's. */
static inline void rig_backward(struct rig *r, unsigned n)
{
    unsigned noise = n * 7919u + 1u;
    for (int i = 0; i < RIG_LAYERS; i++) {
        for (int k = 0; k < r->f.net.layers[i].param_count; k++) {
            const struct param *p = &r->f.net.layers[i].params[k];
            float *gradient = r->execs[i].param_grads[k];
            for (size_t j = 0; j < p->count; j++) {
                if (gradient) {
                    gradient[j] = test_noise(&noise) + 0.1f * p->data[j];
                } else if (p->is_statistic && mode_rules[r->modes[i]].uses_batch) {
                    p->data[j] += 0.01f * (test_noise(&noise) - p->data[j]);
                }
            }
        }
    }
}

/* A copy (free) of all parameters, in file order. */
static inline float *rig_snapshot(struct rig *r, size_t *count)
{
    *count = network_param_floats(&r->f.net, RIG_LAYERS, NULL);
    float *copy = malloc(*count * sizeof(float)), *next = copy;
    for (int i = 0; i < RIG_LAYERS && copy; i++) {
        for (int k = 0; k < r->f.net.layers[i].param_count; k++) {
            const struct param *p = &r->f.net.layers[i].params[k];
            memcpy(next, p->data, p->count * sizeof(float));
            next += p->count;
        }
    }
    return copy;
}

static inline bool rig_equals(struct rig *r, const float *snapshot)
{
    size_t count;
    float *now = rig_snapshot(r, &count);
    bool equal = now && snapshot && memcmp(now, snapshot, count * sizeof(float)) == 0;
    free(now);
    return equal;
}

#endif
