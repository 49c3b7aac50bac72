/* Weights between a file's order and panels of filters: transposes of slots_conv.h over the vectors of vec_template.h. */
#include "kernels/slots.h"

#include "kernels/vec_template.h"

/* Columns [j, j + part) of the rows [i, i + VEC_WIDTH), of which those from `rows` on are zeros. Short rows, a channel's taps,
 * are asked for in their order: so lines come sooner. */
INLINED void transpose_block(const struct conv_transpose *t, size_t i, size_t j, size_t part)
{
    vec v[VEC_WIDTH];
    size_t rows = t->rows > i ? t->rows - i : 0;
    const float *from = t->from + i * t->from_stride + j;
    if (rows >= VEC_WIDTH) {
        UNROLLED
        for (size_t k = 0; k < VEC_WIDTH; k++) {
            if (part < VEC_WIDTH) {
                __builtin_prefetch(from + (k + 1) * t->from_stride, 0, 2);
            }
            v[k] = get(from + k * t->from_stride, part);
        }
    } else {
        for (size_t k = 0; k < VEC_WIDTH; k++) {
            v[k] = k < rows ? get(from + k * t->from_stride, part) : vec_set(0.0f);
        }
    }
    vec_transpose(v);
    float *to = t->to + (ptrdiff_t)j * t->to_stride + i;
    if (part == VEC_WIDTH) {
        UNROLLED
        for (ptrdiff_t k = 0; k < VEC_WIDTH; k++) {
            vec_store(to + k * t->to_stride, v[k]);
        }
        return;
    }
    for (size_t k = 0; k < part; k++, to += t->to_stride) {
        vec_store(to, v[k]);
    }
}

/* Row by row as rows lie in memory, far from one another; so does scatter. */
static void transpose(const struct conv_transpose *t)
{
    for (size_t i = 0; i < t->padded; i += VEC_WIDTH) {
        for (size_t j = 0; j < t->columns; j += VEC_WIDTH) {
            transpose_block(t, i, j, part_of(t->columns, j));
        }
    }
}

/* The rows [first, first + part) of the taps of all channels, filters from k on: row r is tap r % taps of channel r / taps. */
INLINED void scatter_rows(const struct conv_scatter *s, size_t k, size_t first, size_t part)
{
    vec v[VEC_WIDTH];
    size_t filters = part_of(s->filters, k), channel = first / s->taps, tap = first % s->taps;
    for (size_t r = 0; r < VEC_WIDTH; r++) {
        v[r] = r < part ? vec_load(s->sums + tap * s->tap_stride + channel * s->nr + k)
                        : vec_set(0.0f);
        if (++tap == s->taps) {
            tap = 0;
            channel++;
        }
    }
    vec_transpose(v);
    float *to = s->dw + k * s->filter_stride + first;
    for (size_t i = 0; i < filters; i++, to += s->filter_stride) {
        put(to, v[i], part);
    }
}

static void scatter(const struct conv_scatter *s)
{
    size_t rows = s->channels * s->taps;
    for (size_t k = 0; k < s->filters; k += VEC_WIDTH) {
        size_t r = 0;
        for (; r + VEC_WIDTH <= rows; r += VEC_WIDTH) {
            scatter_rows(s, k, r, VEC_WIDTH);
        }
        if (r < rows) {
            scatter_rows(s, k, r, rows - r);
        }
    }
}

void OF_ISA(weights_install)(struct kernels *kern)
{
    kern->conv.transpose = transpose;
    kern->conv.scatter = scatter;
}
