/* Sums and products of tensors, element by element. Tensors are strided views; shapes of in and out
 * agree unless said otherwise; in and out may be the same tensor where marked in-place. Gradients
 * are true dL/dx. Where a function has `adds`, true adds to the destination and false overwrites
 * it. */
#ifndef KERNELS_ELEMENTWISE_H
#define KERNELS_ELEMENTWISE_H

#include <stdbool.h>

#include "kernels/activation.h"
#include "kernels/tensor.h"

struct kernels;

/* out = in; e.g. a concatenation input that could not be placed. */
void op_copy(const struct kernels *kern, const struct tensor *in, const struct tensor *out);
/* out = 0. */
void op_zero(const struct tensor *out);
/* out = act(a + b) on the first min(a.c, b.c) channels, act(a) on the rest of a.c; in-place on a.
 */
void op_add(const struct kernels *kern, enum activation act, const struct tensor *a,
            const struct tensor *b, const struct tensor *out);
/* out = a * b element by element; b may be [n, 1, 1, c] (one gate per channel) or [n, h, w, 1] (one
 * per pixel); in-place on a. */
void op_multiply(const struct kernels *kern, const struct tensor *a, const struct tensor *b,
                 const struct tensor *out);

/* into = factor * from, or += factor * from. Shapes agree; in-place. */
void op_accumulate(const struct kernels *kern, float factor, const struct tensor *from,
                   const struct tensor *into, bool adds);

/* out = a * b (op_multiply, the same forms of b): da = dout * b, db = dout * a summed over what
 * shares an element of b. da or db NULL: not wanted. da may be dout if da_adds is false. */
struct multiply_backward {
    const struct tensor *a, *b, *dout;
    const struct tensor *da, *db;
    bool da_adds, db_adds;
};
void op_multiply_backward(const struct kernels *kern, const struct multiply_backward *m);

#endif
