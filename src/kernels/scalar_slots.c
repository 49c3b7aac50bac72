/* The slots for any machine; the element-wise ones, which need no vectors spelled out, are in
 * scalar_ops.c. */
#include "kernels/slots.h"

#include "kernels/scalar_vec.h"
#define TILE_PIXELS 4

#include "kernels/tile_template.h"
#include "kernels/train_template.h"

void slots_install_scalar(struct kernels *kern)
{
    ops_install_scalar(&kern->ops);
    conv_install(&kern->conv);
    train_install(&kern->train);
}
