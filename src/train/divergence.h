/* What made an update unusable, in words: the layer and the pictures. */
#ifndef TRAIN_DIVERGENCE_H
#define TRAIN_DIVERGENCE_H

#include "train/batch_source.h"
#include "train/options.h"

enum { DIVERGENCE_PICTURES = 2 /* named */ };

/* Of a batch whose loss is not finite or far too large: the first layer whose output is not finite, by
 * running the batch again. */
void divergence_of_batch(const struct train_options *run, struct plan *plan,
                         struct batch_source *feed, const struct batch *batch, char *text,
                         size_t size);

/* Of gradients whose norm is not finite: the last layer with such a one, where backward began to fail.
 * `pictures` are the first DIVERGENCE_PICTURES of the update's `count`. */
void divergence_of_gradients(const struct train_options *run, const struct plan *plan,
                             const size_t *pictures, size_t count, char *text, size_t size);

#endif
