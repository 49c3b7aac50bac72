/* Shared by the files of backward.h. */
#ifndef KERNELS_BACKWARD_PRIVATE_H
#define KERNELS_BACKWARD_PRIVATE_H

#include "kernels/backward.h"
#include "kernels/slots.h"

/* out = b * act'(scale * a + shift) for any activation, with the block's a = z, b = dout. */
void block_activate_backward(const struct kernels *kern, const struct conv_epilogue *f,
                             const struct op_block *block);

#endif
