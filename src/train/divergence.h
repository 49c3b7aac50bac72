/* Say what made an update unusable: the layer and the pictures. */
#ifndef TRAIN_DIVERGENCE_H
#define TRAIN_DIVERGENCE_H

#include "train/batch_source.h"
#include "train/options.h"

enum { DIVERGENCE_PICTURES = 2 /* named */ };

/* A batch has a loss that is not finite or far too large: run it again and name the first layer whose output is not
 * finite. */
void divergence_of_batch(const struct train_options *run, struct plan *plan,
                         struct batch_source *source, const struct batch *batch, char *text,
                         size_t size);

/* The norm of the gradients is not finite: name the last layer with a gradient that is not, where the backward pass began
 * to fail. `pictures` are the first DIVERGENCE_PICTURES of the update's `count`. */
void divergence_of_gradients(const struct train_options *run, const struct plan *plan,
                             const size_t *pictures, size_t count, char *text, size_t size);

#endif
