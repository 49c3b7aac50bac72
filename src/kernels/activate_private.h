/* Activations of one block, for the operations that apply them on the way; private to kernels/. */
#ifndef KERNELS_ACTIVATE_PRIVATE_H
#define KERNELS_ACTIVATE_PRIVATE_H

#include "kernels/activate.h"
#include "kernels/slots.h"

/* out = act(scale * a + shift) for any activation. */
void epilogue_block(const struct kernels *kern, const struct conv_epilogue *f,
                    const struct op_block *block);

/* out = b * act'(scale * a + shift) for any activation, with the block's a = z, b = dout. */
void block_activate_backward(const struct kernels *kern, const struct conv_epilogue *f,
                             const struct op_block *block);

#endif
