/* What Strassen's products need around them (strassen.c), over the vectors of vec_template.h. */
#include "kernels/slots.h"

#include "kernels/epilogue_template.h"
#include "kernels/vec_template.h"

static void left_slot(const struct strassen_factor *f)
{
    for (size_t k = 0; k < f->floats; k += VEC_WIDTH) {
        vec upper = vec_load(f->block[0][0] + k), lower = vec_load(f->block[1][0] + k);
        vec first = vec_sub(lower, vec_load(f->block[1][1] + k)), second = vec_sub(upper, first);
        vec_store(f->to[0] + k, first);
        vec_store(f->to[1] + k, second);
        vec_store(f->to[2] + k, vec_sub(lower, upper));
        vec_store(f->to[3] + k, vec_sub(vec_load(f->block[0][1] + k), second));
    }
}

static void right_slot(const struct strassen_factor *f)
{
    for (size_t k = 0; k < f->floats; k += VEC_WIDTH) {
        vec upper = vec_load(f->block[0][1] + k), lower = vec_load(f->block[1][1] + k);
        vec first = vec_sub(upper, vec_load(f->block[0][0] + k)), second = vec_add(lower, first);
        vec_store(f->to[0] + k, first);
        vec_store(f->to[1] + k, second);
        vec_store(f->to[2] + k, vec_add(lower, upper));
        vec_store(f->to[3] + k, vec_sub(vec_load(f->block[1][0] + k), second));
    }
}

enum { BLOCK_ROWS = EPILOGUE_MAX / 4 };

/* Both block rows of `rows` rows of the left (0) or right (1) block column. */
INLINED void finish_rows(const struct strassen_finish *f, const int column, size_t k, size_t row,
                         const int rows, vec scale, vec shift)
{
    size_t first = row * f->nr + k, part = column ? part_of(f->right_filters, k) : VEC_WIDTH;
    vec y[2 * BLOCK_ROWS];
    UNROLLED
    for (int i = 0; i < rows; i++) {
        size_t at = first + (size_t)i * f->nr;
        vec common = vec_load(f->products[0] + at), last = vec_load(f->products[6] + at);
        vec both = vec_add(common, vec_load(f->products[5] + at));
        if (column) {
            vec fifth = vec_load(f->products[4] + at);
            y[i] = vec_add(vec_add(both, fifth), vec_load(f->products[2] + at));
            y[rows + i] = vec_add(vec_add(both, last), fifth);
        } else {
            y[i] = vec_add(common, vec_load(f->products[1] + at));
            y[rows + i] = vec_add(vec_add(both, last), vec_load(f->products[3] + at));
        }
    }
    epilogue_finish(y, 2 * rows, scale, shift, f->act);
    for (int block = 0; block < 2; block++) {
        float *out = f->out[block] + row * f->out_stride + (column ? f->right : 0) + k;
        for (size_t i = 0; i < (size_t)rows && row + i < (block ? f->lower : f->rows); i++) {
            vec v = y[(size_t)block * (size_t)rows + i];
            v = f->adds ? vec_add(v, get(out, part)) : v;
            put(out, v, part);
            out += f->out_stride;
        }
    }
}

INLINED void finish_column(const struct strassen_finish *f, const int column)
{
    size_t filters = column ? f->right_filters : f->nr;
    for (size_t k = 0; k < filters; k += VEC_WIDTH) {
        size_t part = part_of(filters, k), row = 0;
        vec scale = load_or(f->scale[column], k, part, 1.0f);
        vec shift = load_or(f->shift[column], k, part, 0.0f);
        for (; row + BLOCK_ROWS <= f->rows; row += BLOCK_ROWS) {
            finish_rows(f, column, k, row, BLOCK_ROWS, scale, shift);
        }
        for (; row < f->rows; row++) {
            finish_rows(f, column, k, row, 1, scale, shift);
        }
    }
}

static void finish_slot(const struct strassen_finish *f)
{
    finish_column(f, 0);
    finish_column(f, 1);
}

void OF_ISA(strassen_install)(struct kernels *kern)
{
    kern->conv.strassen =
        (struct strassen_slots){.left = left_slot, .right = right_slot, .finish = finish_slot};
}
