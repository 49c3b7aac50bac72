/* How a block of sums becomes output, over the vectors of vec_template.h. count is a constant where this is inlined, so
 * that the block lives in registers. */
#ifndef KERNELS_EPILOGUE_TEMPLATE_H
#define KERNELS_EPILOGUE_TEMPLATE_H

#include "kernels/activation_template.h"
#include "kernels/vec_template.h"

enum { EPILOGUE_MAX = 16 };

#define EPILOGUE_SLOW(act)                                                                         \
    for (int i = 0; i < count; i++) {                                                              \
        y[i] = vec_activate(vec_fma(y[i], scale, shift), act);                                     \
    }

/* Activations of many instructions, once for all blocks. */
static __attribute__((noinline)) void epilogue_slow(vec *y, int count, vec scale, vec shift,
                                                    enum activation act)
{
    BY_ACTIVATION(act, EPILOGUE_SLOW)
}

#define EPILOGUE_QUICK(act)                                                                        \
    case act:                                                                                      \
        UNROLLED                                                                                   \
        for (int i = 0; i < count; i++) {                                                          \
            y[i] = vec_activate(vec_fma(y[i], scale, shift), act);                                 \
        }                                                                                          \
        break;

/* y = act(y * scale + shift). */
INLINED void epilogue_finish(vec *y, const int count, vec scale, vec shift, enum activation act)
{
    switch (act) {
        EPILOGUE_QUICK(ACT_LINEAR)
        EPILOGUE_QUICK(ACT_LEAKY)
        EPILOGUE_QUICK(ACT_RELU)
        EPILOGUE_QUICK(ACT_RELU6)
    default: {
        vec copy[EPILOGUE_MAX]; /* y has no address, or it would not be in registers */
        UNROLLED
        for (int i = 0; i < count; i++) {
            copy[i] = y[i];
        }
        epilogue_slow(copy, count, scale, shift, act);
        UNROLLED
        for (int i = 0; i < count; i++) {
            y[i] = copy[i];
        }
        break;
    }
    }
}

/* The first `part` lanes of y + addend (NULL: none) to rows `stride` floats apart. */
INLINED void epilogue_put(const vec *y, const int count, float *out, size_t stride,
                          const float *addend, size_t addend_stride, size_t part)
{
    if (part < VEC_WIDTH) {
        UNROLLED
        for (int i = 0; i < count; i++, out += stride) {
            vec v = y[i];
            if (addend) {
                v = vec_add(v, vec_load_part(addend + (size_t)i * addend_stride, part));
            }
            vec_store_part(out, v, part);
        }
    } else if (addend) {
        UNROLLED
        for (int i = 0; i < count; i++, out += stride, addend += addend_stride) {
            vec_store(out, vec_add(y[i], vec_load(addend)));
        }
    } else {
        UNROLLED
        for (int i = 0; i < count; i++, out += stride) {
            vec_store(out, y[i]);
        }
    }
}

#endif
