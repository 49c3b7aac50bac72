/* Tensors of few channels, whose pixels would each fill a part of a vector: neighbours are taken for one pixel of several times the
 * channels, and what is known by channel is repeated. Private to kernels/.
 *
 *   [pixels][c]  is  [pixels / count][count * c]    where nothing lies between pixels */
#ifndef KERNELS_FOLD_H
#define KERNELS_FOLD_H

#include <stddef.h>

#include "kernels/tensor.h"

/* Floats of the widest vector, and so for all: the order of sums follows from it. */
enum { FOLD_VECTOR = 16 };
enum { FOLD_CHANNELS = 128 }; /* of a folded pixel, at most */

/* How many neighbours of an image of so many pixels become one; 1: none are. */
size_t fold_count(size_t image_pixels, size_t channels);

/* The same of tensors of one shape; 1 too if one has room between its pixels. */
size_t fold_of(const struct tensor *a, const struct tensor *b, const struct tensor *c);

/* The same floats in fewer pixels. */
struct tensor fold_tensor(const struct tensor *t, size_t count);

/* values[channels] repeated into `to`, [FOLD_CHANNELS]; returned as they are for a count of 1 or NULL. */
const float *fold_repeat(const float *values, size_t channels, size_t count, float *to);

/* sums[count * channels]: those of one channel are added up into the first `channels`. */
void fold_sums(double *sums, size_t channels, size_t count);

#endif
