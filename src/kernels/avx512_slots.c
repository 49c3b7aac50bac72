/* All slots for AVX-512. The register tile is 12 pixels x 32 filters in 24 accumulators, which
 * leaves two registers for the panel's row and some for the broadcast pixels. */
#include "kernels/slots.h"

#include "kernels/avx512_vec.h"
#define TILE_PIXELS 12

#include "kernels/activation_template.h"
#include "kernels/conv_template.h"
#include "kernels/ops_template.h"
#include "kernels/train_template.h"

void slots_install_avx512(struct kernels *kern)
{
    ops_install(&kern->ops);
    conv_install(&kern->conv);
    train_install(&kern->train);
}
