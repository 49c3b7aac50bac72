/* A network: the layer list of a cfg with shapes and parameters. Knows nothing of buffers: plan.h. */
#ifndef NET_NETWORK_H
#define NET_NETWORK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "layers/layer.h"
#include "cfg/cfg.h"

enum rate_policy {
    RATE_CONSTANT, /* rate */
    RATE_STEP,     /* rate scale^(n div step) */
    RATE_STEPS,    /* rate times scales[i] for every steps[i] <= n; steps ascend */
    RATE_EXP,      /* rate gamma^n */
    RATE_POLY,     /* rate (1 - n / length)^power; 0 from length on */
    RATE_SIGMOID,  /* rate / (1 + e^(gamma (n - step))) */
    RATE_RANDOM,   /* rate U^power, U in [0, 1) drawn from (seed, n) */
    RATE_SGDR,     /* from rate down to rate_min along half a cosine, again and again: the first
                      cycle takes sgdr_cycle updates, each further one sgdr_mult times the one
                      before, cut to whole numbers */
    RATE_COSINE,   /* half a cosine from rate at the end of warm-up to rate_min at length, and
                      rate_min after it; not Darknet's, and in no cfg */
    RATE_POLICY_COUNT
};
/* Their names, in the enum's order. */
extern const struct cfg_word rate_policies[RATE_POLICY_COUNT];

/* [net]: every key of darknet-spec 1.4 that acts on a CPU, validated when the cfg is read. */
struct net_options {
    int batch, subdivisions;
    int width, height, channels;
    bool letter_box;
    /* training */
    float momentum, decay, learning_rate, learning_rate_min;
    int burn_in, max_batches;
    float power;
    enum rate_policy policy;
    int *steps;
    float *scales;
    size_t step_count;
    int step;
    float scale, gamma;
    int sgdr_cycle;
    float sgdr_mult;
    float saturation, exposure, hue;
    bool flip, mosaic, mixup;
    float blur, gaussian_noise, ema_alpha;
    float angle, aspect, label_smooth_eps; /* of classifiers */
    int min_crop, max_crop; /* of classifiers; width and twice that where not given */
    int resize_step;
    bool adam;
    float adam_b1, adam_b2, adam_eps;
};

/* Pictures of one update: mini-batches are of one size, so a batch of 5 in 2 parts takes 4. */
uint64_t update_images(int batch, int subdivisions);
/* ERR_ARG if there are more parts than pictures. */
NODISCARD enum result update_check(int batch, int subdivisions, struct error *err);

/* Updates of an epoch; the last one takes pictures of the next, too. */
uint64_t epoch_updates(uint64_t images, uint64_t images_per_update);

/* Layers point into it: it must not be moved once read. */
struct network {
    struct cfg cfg;
    struct net_options options;
    struct net_size size;
    struct layer *layers;
    int layer_count;
    uint64_t seen;     /* images, from the weights header; 0 before */
    int loaded_layers; /* layers 0 .. loaded_layers-1 have their parameters from a file */
};

/* Read a cfg and settle every shape. width/height 0 = the cfg's. No parameter memory yet.
 * Warnings (unused keys, odd values) go to the log. *net must be zeroed; free with network_free,
 * also after an error. */
NODISCARD enum result network_read(const char *cfg_path, int width, int height, struct network *net,
                                   struct error *err);
/* The same from memory; `path` is only for messages. */
NODISCARD enum result network_parse(const char *path, const char *text, size_t size, int width,
                                    int height, struct network *net, struct error *err);
void network_free(struct network *net);

/* Settle the shapes for another input size. Multiples of the largest stride are not required (Darknet
 * takes any size whose routes fit), but route and shortcut mismatches are ERR_CFG, and so is a size
 * that changes the number of parameters once they are allocated. After an error the old size stands. */
NODISCARD enum result network_resize(struct network *net, int width, int height, struct error *err);

/* Parameter memory for all layers, one block a layer, page-aligned, set to each param's initial value
 * ("weights" to zero). Checks the total against overflow. */
NODISCARD enum result network_allocate(struct network *net, struct error *err);

/* Random start of a training: every parameter with a fan_in becomes uniform in (-s, s), s = sqrt(2 / fan_in),
 * Darknet's own choice; the others keep their values, but for the objectness biases of layers that feed a head,
 * which begin at a probability of .01. Allocated parameters only. A pure function of the seed,
 * layer by layer: what a weights file then overwrites does not change what the other layers get. */
void network_initialise(struct network *net, uint64_t seed);

/* Give a layer's parameter block back (an inference plan has packed it); its data pointers become NULL. */
void network_release(struct network *net, int layer);

/* Floats of the largest block of a layer's parameters, and a layer's parameters in such a block of the caller's, undefined as yet:
 * for one layer after the other, read and packed at once. With NULL its data pointers become NULL again. */
size_t network_largest_block(const struct network *net);
void network_lend(struct network *net, int layer, float *block);

/* A parameter's initial value in all of it. */
void network_reset(const struct param *param);

/* Floats that the .weights payload of layers [0, layers) holds, and how many of them are trainable
 * (statistics are not). */
size_t network_param_floats(const struct network *net, int layers, size_t *trainable);

double network_flops(const struct network *net); /* one image, Darknet's count */

/* Detection heads: how many there are, and number n of them in layer order (NULL beyond). */
int network_head_count(const struct network *net);
const struct layer *network_head_layer(const struct network *net, int n);

/* Of the last one, whose settings count where there can be only one: NMS, augmentation (Darknet). NULL without any. */
const struct head_info *network_head(const struct network *net);

#endif
