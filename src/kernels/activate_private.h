/* Activations of one block, for the operations that apply them on the way; private to kernels/. */
#ifndef KERNELS_ACTIVATE_PRIVATE_H
#define KERNELS_ACTIVATE_PRIVATE_H

#include "kernels/activate.h"
#include "kernels/fold.h"
#include "kernels/slots.h"

/* An epilogue of folded pixels. */
struct folded_epilogue {
    struct conv_epilogue f; /* whose arrays are those below, or the original's */
    float scale[FOLD_CHANNELS], shift[FOLD_CHANNELS];
};

/* Returns the count; 1 where an activation takes a pixel's channels together. */
size_t fold_epilogue(const struct conv_epilogue *f, size_t count, size_t channels,
                     struct folded_epilogue *folded);

/* out = act(scale * a + shift) for any activation. */
void epilogue_block(const struct kernels *kern, const struct conv_epilogue *f,
                    const struct op_block *block);

/* out = b * act'(scale * a + shift) for any activation, with the block's a = z, b = dout. */
void block_activate_backward(const struct kernels *kern, const struct conv_epilogue *f,
                             const struct op_block *block);

#endif
