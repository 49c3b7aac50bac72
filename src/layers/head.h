/* What all detection heads share. The state of each begins with its head_info. */
#ifndef LAYERS_HEAD_H
#define LAYERS_HEAD_H

#include "layers/layer.h"

enum { HEAD_MAX_ANCHORS = 4096 };

/* The keys classes and max. */
NODISCARD enum result head_parse(struct layer *l, struct error *err);

/* The key class_range, first and last: of a head that shares the classes with others. Not for heads whose classes are
 * scored against each other. */
NODISCARD enum result head_parse_range(struct layer *l, struct error *err);

/* The key anchors: `pairs` widths and heights, all positive; more are cut with a warning. *anchors
 * is the caller's to free, also after an error. */
NODISCARD enum result head_parse_anchors(struct layer *l, int pairs, float **anchors,
                                         struct error *err);

/* ops->shape: sets info.entries. ERR_CFG unless the input has slots * entries channels: names both numbers and,
 * if the layer above is a convolution, the line of its filters=. */
NODISCARD enum result head_shape(struct layer *l, struct error *err);

/* ops->head and ops->describe. */
const struct head_info *head_info_of(const struct layer *l);
void head_describe(const struct layer *l, char *text, size_t size);

/* Appends every (box, class) of image `image` in the head's output whose objectness and confidence both exceed
 * threshold (strictly; NaN does not), boxes as fractions of the network input, cells row-major, anchors
 * innermost. A box that is not finite is left out: it cannot be shown and would poison the suppression. */
NODISCARD enum result head_detect(const struct layer *l, const struct tensor *out, int image,
                                  float threshold, struct detection_list *list, struct error *err);

#endif
