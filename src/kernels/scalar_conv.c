/* The convolution slots for any machine: vectors of four floats as GCC and Clang spell them, which
 * become SSE2, NEON or plain scalar code. No fused multiply-add, so every machine gives the same
 * bits. */
#include <string.h>

#include "kernels/scalar_math.h"
#include "kernels/slots.h"

typedef float vec __attribute__((vector_size(16)));
#define VEC_WIDTH 4

static inline vec vec_set(float x)
{
    return (vec){x, x, x, x};
}

static inline vec vec_load(const float *p)
{
    vec v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline vec vec_load_part(const float *p, size_t count)
{
    vec v = vec_set(0.0f);
    memcpy(&v, p, count * sizeof *p);
    return v;
}

static inline void vec_store(float *p, vec v)
{
    memcpy(p, &v, sizeof v);
}

static inline void vec_store_part(float *p, vec v, size_t count)
{
    if (count == VEC_WIDTH) {
        vec_store(p, v);
    } else {
        memcpy(p, &v, count * sizeof *p);
    }
}

static inline vec vec_add(vec a, vec b)
{
    return a + b;
}

static inline vec vec_sub(vec a, vec b)
{
    return a - b;
}

static inline vec vec_mul(vec a, vec b)
{
    return a * b;
}

static inline vec vec_fma(vec a, vec b, vec c)
{
    return a * b + c;
}

static inline vec vec_activate(vec v, enum activation act)
{
    if (act == ACT_LINEAR) {
        return v;
    }
    for (int i = 0; i < VEC_WIDTH; i++) {
        v[i] = scalar_activation(act, v[i]);
    }
    return v;
}

#include "kernels/conv_template.h"

enum { TILE_PIXELS = 4, TILE_FILTERS = 8 };

#define OUTER_MAX_ROWS 4
#include "kernels/wgrad_template.h"

/* pixels is a constant where this is inlined, so that acc lives in registers. */
static inline __attribute__((always_inline)) void tile(const struct conv_tile *t, const int pixels)
{
    vec acc[TILE_PIXELS][2];
    UNROLLED
    for (int i = 0; i < pixels; i++) {
        const float *from = t->acc + (size_t)i * t->acc_stride;
        acc[i][0] = t->accumulate ? vec_load(from) : vec_set(0.0f);
        acc[i][1] = t->accumulate ? vec_load(from + VEC_WIDTH) : vec_set(0.0f);
    }
    const float *panel = t->panel;
    for (size_t tap = 0; tap < t->taps; tap++) {
        const float *in[TILE_PIXELS];
        UNROLLED
        for (int i = 0; i < pixels; i++) {
            in[i] = t->in[tap * TILE_PIXELS + (size_t)i] + t->offset;
        }
        for (size_t c = 0; c < t->channels; c++) {
            vec first = vec_load(panel), second = vec_load(panel + VEC_WIDTH);
            UNROLLED
            for (int i = 0; i < pixels; i++) {
                vec x = vec_set(in[i][c]);
                acc[i][0] = vec_fma(x, first, acc[i][0]);
                acc[i][1] = vec_fma(x, second, acc[i][1]);
            }
            panel += TILE_FILTERS;
        }
    }
    UNROLLED
    for (int i = 0; i < pixels; i++) {
        float *to = t->acc + (size_t)i * t->acc_stride;
        vec_store(to, acc[i][0]);
        vec_store(to + VEC_WIDTH, acc[i][1]);
    }
}

static void tile_slot(const struct conv_tile *t)
{
    switch (t->pixels) {
    case 1:
        tile(t, 1);
        break;
    case 2:
        tile(t, 2);
        break;
    case 3:
        tile(t, 3);
        break;
    default:
        tile(t, 4);
        break;
    }
}

void conv_install_scalar(struct conv_slots *slots)
{
    *slots = (struct conv_slots){.mr = TILE_PIXELS,
                                 .nr = TILE_FILTERS,
                                 .tile = tile_slot,
                                 .finish = finish_slot,
                                 .winograd_input = winograd_input_slot,
                                 .winograd_filter = winograd_filter_slot,
                                 .winograd_output = winograd_output_slot,
                                 .depthwise = depthwise_slot,
                                 .outer = outer_slot,
                                 .winograd_output_gradient = winograd_output_gradient_slot,
                                 .winograd_filter_gradient = winograd_filter_gradient_slot,
                                 .depthwise_weights = depthwise_weights_slot};
}
