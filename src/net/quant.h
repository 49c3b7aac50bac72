/* How a network runs on bytes: which layers do, and the steps and zeros of every output that is kept so. Made by
 * run/quantize.h, kept in a file beside the weights.
 *
 * Layers marked int8 are convolutions (layers/int8_unit.h). Between them routes, pools, upsampling, dropout and sums
 * take bytes, too, wherever one of their inputs comes as bytes; all but sums hand steps and zeros of each channel on.
 * Everything else is fp32, with a conversion where the two meet. */
#ifndef NET_QUANT_H
#define NET_QUANT_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/int8_tensor.h"
#include "net/network.h"

struct quant_layer {
    bool is_int8;   /* a convolution on bytes */
    int channels;   /* of its output; 0: that is never bytes */
    float *steps;   /* [channels] */
    float *bias;    /* [channels], of a convolution, in fp32, too: added before its activation */
    uint8_t *zeros; /* [channels] */
};

struct quantization {
    uint64_t network,
        weights; /* hashes: of structure, whatever the input's size, and of all parameters */
    int layer_count;
    struct quant_layer *layers;  /* [layer_count] */
    int pictures, width, height; /* calibrated on so many, at this input size */
};

/* What a layer does in a network that runs on bytes. */
enum quant_role {
    QUANT_FLOAT,
    QUANT_CONV,
    QUANT_SAME, /* moves bytes */
    QUANT_SUM
};

/* roles[layer_count]; is_int8[layer_count] of the convolutions, which must be int8_unit_possible. */
void quant_find_roles(const struct network *net, const bool *is_int8, enum quant_role *roles);
/* rounded[layer_count]: whose outputs become bytes by steps and zeros of their own: convolutions and sums on bytes, and
 * what is computed in fp32 and read as bytes. */
void quant_find_rounded(const struct network *net, const enum quant_role *roles, bool *rounded);

uint64_t quant_network_hash(const struct network *net);
/* Of allocated parameters. */
uint64_t quant_weights_hash(const struct network *net);

NODISCARD enum result quant_allocate(struct quantization *q, int layers, struct error *err);
/* A layer's arrays: steps of 1, zeros and biases of 0. What it had is freed. */
NODISCARD enum result quant_need_channels(struct quant_layer *l, int channels, struct error *err);
/* Steps and zeros of the layers that hand on those of their inputs. */
NODISCARD enum result quant_hand_on(struct quantization *q, const struct network *net,
                                    const enum quant_role *roles, struct error *err);
void quant_free(struct quantization *q);

/* OK if it is of this network and of these weights, which must be allocated, and can run: ERR_FORMAT with path else.
 * Then it is whole: quant_hand_on is done. */
NODISCARD enum result quant_check(struct quantization *q, const struct network *net,
                                  const char *path, struct error *err);

/* Text: a head, a line a layer and channel, and a hash of all that. *q must be zeroed; quant_free also after an error.
 * ERR_FORMAT for what is no such file, cut or changed. */
NODISCARD enum result quant_read(const char *path, struct quantization *q, struct error *err);
NODISCARD enum result quant_write(const char *path, const struct quantization *q,
                                  struct error *err);

#endif
