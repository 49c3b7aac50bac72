#include "kernels/int8_epilogue.h"

#include "kernels/tensor.h"

enum { ARRAYS = 7 };

bool int8_commutes(enum activation act)
{
    return act == ACT_LINEAR || act == ACT_LEAKY || act == ACT_RELU || act == ACT_RELU6;
}

static size_t row_floats(int channels)
{
    return tensor_align((size_t)channels + INT8_MAX_NR);
}

size_t int8_terms_floats(int channels)
{
    return ARRAYS * row_floats(channels);
}

struct int8_terms int8_terms_at(float *block, int channels)
{
    size_t row = row_floats(channels);
    return (struct int8_terms){.offset = (int32_t *)(void *)block,
                               .zero = (int32_t *)(void *)(block + row),
                               .scale = block + 2 * row,
                               .shift = block + 3 * row,
                               .per_step = block + 4 * row,
                               .low = block + 5 * row,
                               .high = block + 6 * row};
}

struct int8_epilogue int8_epilogue_at(const float *block, int channels, enum activation act)
{
    size_t row = row_floats(channels);
    return (struct int8_epilogue){.offset = (const int32_t *)(const void *)block,
                                  .zero = (const int32_t *)(const void *)(block + row),
                                  .scale = block + 2 * row,
                                  .shift = block + 3 * row,
                                  .per_step = block + 4 * row,
                                  .low = block + 5 * row,
                                  .high = block + 6 * row,
                                  .act = act};
}

void int8_terms_settle(const struct int8_terms *t, enum activation act, const float *steps,
                       const uint8_t *zeros, int channels)
{
    for (int k = 0; k < channels; k++) {
        float per_step = 1.0f / steps[k], high = (float)(255 - zeros[k]);
        t->zero[k] = zeros[k];
        t->low[k] = act == ACT_RELU || act == ACT_RELU6 ? 0.0f : -(float)zeros[k];
        t->high[k] = act == ACT_RELU6 && 6.0f * per_step < high ? 6.0f * per_step : high;
        t->per_step[k] = per_step;
        if (int8_commutes(act)) {
            t->scale[k] *= per_step;
            t->shift[k] *= per_step;
        }
    }
}
