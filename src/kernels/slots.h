/* The kernel table itself: private to kernels/, its tests and the bench. Each slot's contract
 * stands in slots_ops.h (element-wise, pooling), slots_conv.h (register tile, transforms) and
 * slots_train.h (gradients, optimisers). */
#ifndef KERNELS_SLOTS_H
#define KERNELS_SLOTS_H

#include "kernels/isa.h"
#include "kernels/slots_conv.h"
#include "kernels/slots_ops.h"
#include "kernels/slots_train.h"

struct kernels {
    const char *isa;
    struct op_slots ops;
    struct conv_slots conv;
    struct train_slots train;
};

/* Each *_slots.c fills its part, once an instruction set. */
#define SLOTS_OF(isa)                                                                              \
    void ops_install_##isa(struct kernels *kern);                                                  \
    void tile_install_##isa(struct kernels *kern);                                                 \
    void pointwise_install_##isa(struct kernels *kern);                                            \
    void depthwise_install_##isa(struct kernels *kern);                                            \
    void winograd_install_##isa(struct kernels *kern);                                             \
    void winograd_stride2_install_##isa(struct kernels *kern);                                     \
    void strassen_install_##isa(struct kernels *kern);                                             \
    void weights_install_##isa(struct kernels *kern);                                              \
    void train_install_##isa(struct kernels *kern);
SLOTS_OF(scalar)
#if HAVE_X86_KERNELS
SLOTS_OF(avx2)
SLOTS_OF(avx512)
#endif

#endif
