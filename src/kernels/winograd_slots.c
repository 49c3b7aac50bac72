/* Winograd's transforms of slots_conv.h over the vectors of vec_template.h. */
#include "kernels/slots.h"

#include "kernels/winograd_template.h"

/* Winograd F(4x4, 3x3) on the points 0, +-1/sqrt(2), +-sqrt(2), infinity: they round less than the
 * usual 0, +-1, +-2. With a = 1/sqrt(2), b = sqrt(2) (a b = 1):
 *
 *         1   0   -5/2   0   1  0             1  1    1    1    1   0
 *         0  -b    -2    a   1  0             0  a   -a    b   -b   0
 *   B^T = 0   b    -2   -a   1  0       A^T = 0 1/2  1/2   2    2   0
 *         0  -a   -1/2   b   1  0             0 a^3 -a^3  b^3 -b^3  1
 *         0   a   -1/2  -b   1  0
 *         0   1     0  -5/2  0  1
 *
 * G stands at filter_line. */
#define ROOT_HALF 0.70710678118654752f
#define ROOT_TWO 1.41421356237309505f

static inline void input_line(const vec d[6], vec v[6])
{
    vec even_a = vec_fma(vec_set(-2.0f), d[2], d[4]);
    vec odd_a = vec_mul(vec_set(ROOT_HALF), vec_fma(vec_set(-2.0f), d[1], d[3]));
    vec even_b = vec_fma(vec_set(-0.5f), d[2], d[4]);
    vec odd_b = vec_mul(vec_set(ROOT_TWO), vec_fma(vec_set(-0.5f), d[1], d[3]));
    v[0] = vec_add(vec_fma(vec_set(-2.5f), d[2], d[4]), d[0]);
    v[1] = vec_add(even_a, odd_a);
    v[2] = vec_sub(even_a, odd_a);
    v[3] = vec_add(even_b, odd_b);
    v[4] = vec_sub(even_b, odd_b);
    v[5] = vec_add(vec_fma(vec_set(-2.5f), d[3], d[5]), d[1]);
}

/* G x: row of a point p is (1, p, p^2) over the product of p's differences to the other points. */
static inline void filter_line(const vec x[3], vec u[6])
{
    const float third = 1.0f / 3.0f, sixth = 1.0f / 6.0f;
    vec even_a = vec_fma(vec_set(-third), x[2], vec_mul(vec_set(-2.0f * third), x[0]));
    vec even_b = vec_fma(vec_set(third), x[2], vec_mul(vec_set(sixth), x[0]));
    vec odd_a = vec_mul(vec_set(-2.0f * third * ROOT_HALF), x[1]);
    vec odd_b = vec_mul(vec_set(sixth * ROOT_TWO), x[1]);
    u[0] = x[0];
    u[1] = vec_add(even_a, odd_a);
    u[2] = vec_sub(even_a, odd_a);
    u[3] = vec_add(even_b, odd_b);
    u[4] = vec_sub(even_b, odd_b);
    u[5] = x[2];
}

static inline void output_line(const vec m[6], vec y[4])
{
    vec sum_a = vec_add(m[1], m[2]), difference_a = vec_sub(m[1], m[2]);
    vec sum_b = vec_add(m[3], m[4]), difference_b = vec_sub(m[3], m[4]);
    y[0] = vec_add(vec_add(m[0], sum_a), sum_b);
    y[1] = vec_fma(vec_set(ROOT_HALF), difference_a, vec_mul(vec_set(ROOT_TWO), difference_b));
    y[2] = vec_fma(vec_set(0.5f), sum_a, vec_mul(vec_set(2.0f), sum_b));
    y[3] = vec_fma(vec_set(0.5f * ROOT_HALF), difference_a,
                   vec_fma(vec_set(2.0f * ROOT_TWO), difference_b, m[5]));
}

/* B^T d of the points that `outputs` pixels need. F(1, 3) and F(2, 3) on the points 0, a, (-a,) infinity; each line is
 * multiplied by what G of F(4, 3), which they share, lacks:
 *
 *   1 -b  0   0            1  0  -2   0
 *   0 -3b/2 0 0            0 -3a/2 -3/2 0
 *                          0  3a/2 -3/2 0
 *   0 -a  1   0            0 -1/2 0   1
 */
INLINED void input_points(const vec d[6], vec v[6], const int outputs)
{
    if (outputs > 2) {
        input_line(d, v);
        return;
    }
    v[2] = v[3] = v[4] = vec_set(0.0f);
    if (outputs == 2) {
        v[0] = vec_fma(vec_set(-2.0f), d[2], d[0]);
        v[1] = vec_mul(vec_set(-1.5f), vec_fma(vec_set(ROOT_HALF), d[1], d[2]));
        v[2] = vec_mul(vec_set(-1.5f), vec_fma(vec_set(-ROOT_HALF), d[1], d[2]));
        v[5] = vec_fma(vec_set(-0.5f), d[1], d[3]);
    } else {
        v[0] = vec_fma(vec_set(-ROOT_TWO), d[1], d[0]);
        v[1] = vec_mul(vec_set(-1.5f * ROOT_TWO), d[1]);
        v[5] = vec_fma(vec_set(-ROOT_HALF), d[1], d[2]);
    }
}

/* A^T m likewise. */
INLINED void output_points(const vec m[6], vec y[4], const int outputs)
{
    if (outputs > 2) {
        output_line(m, y);
        return;
    }
    y[1] = y[2] = y[3] = vec_set(0.0f);
    y[0] = vec_add(m[0], outputs == 2 ? vec_add(m[1], m[2]) : vec_add(m[1], m[5]));
    if (outputs == 2) {
        y[1] = vec_fma(vec_set(ROOT_HALF), vec_sub(m[1], m[2]), m[5]);
    }
}

/* Input pixels in a line of which the points are made. */
#define INPUTS_OF(outputs) ((outputs) > 2 ? 6 : (outputs) + 2)

/* The channels from c on; for whole tiles and vectors rows, columns and part are constants where this is inlined. */
INLINED void winograd_input_part(const struct winograd_input *w, size_t c, size_t part,
                                 bool is_even, const int rows, const int columns)
{
    vec points[6][6];
    UNROLLED
    for (int x = 0; x < 6; x++) {
        vec d[6], v[6];
        UNROLLED
        for (int y = 0; y < 6; y++) {
            bool is_read = x < INPUTS_OF(columns) && y < INPUTS_OF(rows);
            const float *pixel = input_pixel(w, y, x, 6, is_even) + c;
            d[y] = is_read ? get(pixel, part) : vec_set(0.0f);
            if (x >= 2) { /* the others are there, as this tile's last columns */
                __builtin_prefetch(pixel + w->ahead);
            }
        }
        input_points(d, v, rows);
        UNROLLED
        for (int y = 0; y < 6; y++) {
            points[y][x] = v[y];
        }
    }
    float *to = w->v + c;
    UNROLLED
    for (int y = 0; y < 6; y++, to += 6 * w->xi_stride) {
        if (!winograd_needs(rows, y)) {
            continue;
        }
        vec v[6];
        input_points(points[y], v, columns);
        UNROLLED
        for (size_t x = 0; x < 6; x++) {
            if (winograd_needs(columns, (int)x)) {
                vec_store(to + x * w->xi_stride, v[x]);
            }
        }
    }
}

INPUT_SLOT(winograd_input_slot, winograd_input_part)

FILTER_SLOT(winograd_filter_slot, filter_line)

/* The filters from k on of a tile of M to the tile of the output; constants as in winograd_input_part. */
INLINED void winograd_output_part(const struct winograd_output *w, size_t k, const int rows,
                                  const int columns, vec tile[16])
{
    vec lines[4][6];
    UNROLLED
    for (int x = 0; x < 6; x++) {
        vec m[6], y[4];
        UNROLLED
        for (int r = 0; r < 6; r++) {
            bool is_read = winograd_needs(columns, x) && winograd_needs(rows, r);
            m[r] =
                is_read ? vec_load(w->m + (size_t)(r * 6 + x) * w->xi_stride + k) : vec_set(0.0f);
        }
        output_points(m, y, rows);
        UNROLLED
        for (int r = 0; r < 4; r++) {
            lines[r][x] = y[r];
        }
    }
    UNROLLED
    for (int r = 0; r < 4; r++) {
        output_points(lines[r], tile + 4 * r, columns);
    }
}

OUTPUT_SLOT(winograd_output_slot, winograd_output_part)

/* A y and G^T u: the weights' gradient. */
static inline void output_gradient_line(const vec y[4], vec m[6])
{
    vec even_a = vec_fma(vec_set(0.5f), y[2], y[0]);
    vec even_b = vec_fma(vec_set(2.0f), y[2], y[0]);
    vec odd_a = vec_mul(vec_set(ROOT_HALF), vec_fma(vec_set(0.5f), y[3], y[1]));
    vec odd_b = vec_mul(vec_set(ROOT_TWO), vec_fma(vec_set(2.0f), y[3], y[1]));
    m[0] = y[0];
    m[1] = vec_add(even_a, odd_a);
    m[2] = vec_sub(even_a, odd_a);
    m[3] = vec_add(even_b, odd_b);
    m[4] = vec_sub(even_b, odd_b);
    m[5] = y[3];
}

static inline void filter_gradient_line(const vec u[6], vec g[3])
{
    const float third = 1.0f / 3.0f, sixth = 1.0f / 6.0f;
    vec sum_a = vec_add(u[1], u[2]), difference_a = vec_sub(u[1], u[2]);
    vec sum_b = vec_add(u[3], u[4]), difference_b = vec_sub(u[3], u[4]);
    g[0] = vec_fma(vec_set(-2.0f * third), sum_a, vec_fma(vec_set(sixth), sum_b, u[0]));
    g[1] = vec_fma(vec_set(-2.0f * third * ROOT_HALF), difference_a,
                   vec_mul(vec_set(sixth * ROOT_TWO), difference_b));
    g[2] = vec_fma(vec_set(third), vec_sub(sum_b, sum_a), u[5]);
}

/* A y of the points that `outputs` pixels need: the transpose of output_points. */
INLINED void output_gradient_points(const vec y[4], vec *m, const int outputs)
{
    if (outputs > 2) {
        output_gradient_line(y, m);
        return;
    }
    m[0] = m[1] = m[5] = y[0];
    m[2] = m[3] = m[4] = vec_set(0.0f);
    if (outputs == 2) {
        m[1] = vec_fma(vec_set(ROOT_HALF), y[1], y[0]);
        m[2] = vec_fma(vec_set(-ROOT_HALF), y[1], y[0]);
        m[5] = y[1];
    }
}

OUTPUT_GRADIENT_SLOT(output_gradient_slot, 6, output_gradient_points, winograd_needs)

FILTER_GRADIENT_SLOT(filter_gradient_slot, filter_gradient_line)

void OF_ISA(winograd_install)(struct kernels *kern)
{
    kern->conv.winograd = (struct winograd_forward){.input = winograd_input_slot,
                                                    .filter = winograd_filter_slot,
                                                    .output = winograd_output_slot};
    kern->conv.winograd_gradient =
        (struct winograd_gradient){.output = output_gradient_slot, .filter = filter_gradient_slot};
}
