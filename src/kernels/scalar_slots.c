/* All slots for any machine. */
#include "kernels/slots.h"

#include "kernels/scalar_vec.h"
#define TILE_PIXELS 4

#include "kernels/conv_template.h"
#include "kernels/ops_template.h"
#include "kernels/train_template.h"

void slots_install_scalar(struct kernels *kern)
{
    ops_install(&kern->ops);
    conv_install(&kern->conv);
    train_install(&kern->train);
}
