/* All slots for AVX2 + FMA. The register tile is 6 pixels x 16 filters in 12 of the 16 registers.
 */
#include "kernels/slots.h"

#include "kernels/avx2_vec.h"
#define TILE_PIXELS 6

#include "kernels/activation_template.h"
#include "kernels/conv_template.h"
#include "kernels/ops_template.h"
#include "kernels/train_template.h"

void slots_install_avx2(struct kernels *kern)
{
    ops_install(&kern->ops);
    conv_install(&kern->conv);
    train_install(&kern->train);
}
