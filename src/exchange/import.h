/* Tensors of another program's file into a network's parameters, by order and shape. */
#ifndef EXCHANGE_IMPORT_H
#define EXCHANGE_IMPORT_H

#include "exchange/tensors.h"
#include "net/network.h"

/* Where names do not say it: the order of a batch norm's four vectors. */
enum import_norm {
    IMPORT_NORM_TORCH /* gamma, beta, mean, variance: Keras, too */,
    IMPORT_NORM_LASAGNE /* beta, gamma, mean, 1 / sqrt(variance + eps) */
};

/* The axes of a convolution's weights; dense ones go with them. */
enum import_layout {
    IMPORT_LAYOUT_AUTO, /* what fits the shapes; OIHW where both do */
    IMPORT_LAYOUT_OIHW, /* [outputs, inputs, height, width]; dense [outputs, inputs] */
    IMPORT_LAYOUT_HWIO /* [height, width, inputs, outputs]; dense [inputs, outputs] of pixels with their channels together */
};

struct import_options {
    enum import_norm norm;
    enum import_layout layout;
    double eps; /* that the source adds to variances, where its file does not say; below 0: 1e-5 */
    bool is_turned; /* windows by 180 degrees: true convolution, Theano's and Lasagne's */
};

/* One parameter and where it came from, or why it has its value; called in layer order. */
typedef void import_say(void *ctx, const struct layer *l, const char *role, const char *from);

/* Fill the network's parameters (allocated). Every tensor of weights must find its layer and every such layer its tensor:
 * else ERR_FORMAT, naming both with their shapes. ERR_UNSUPPORTED for a weighted [shortcut]. */
NODISCARD enum result import_tensors(const char *path, const struct tensor_list *list,
                                     const struct import_options *options, struct network *net,
                                     import_say *say, void *ctx, struct error *err);

#endif
