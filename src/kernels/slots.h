/* The kernel table itself: private to kernels/, its tests and the bench. Each slot's contract
 * stands in slots_ops.h (element-wise, pooling), slots_conv.h (register tile, transforms) and
 * slots_train.h (gradients, optimisers). */
#ifndef KERNELS_SLOTS_H
#define KERNELS_SLOTS_H

#include "kernels/slots_conv.h"
#include "kernels/slots_ops.h"
#include "kernels/slots_train.h"

struct kernels {
    const char *isa;
    struct op_slots ops;
    struct conv_slots conv;
    struct train_slots train;
};

void slots_install_scalar(struct kernels *kern);
#if HAVE_X86_KERNELS
void slots_install_avx2(struct kernels *kern);
void slots_install_avx512(struct kernels *kern);
#endif

#endif
