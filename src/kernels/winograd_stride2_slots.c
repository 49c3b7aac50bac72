/* The transforms of slots_conv.h of Winograd with stride 2 over the vectors of vec_template.h. */
#include "kernels/slots.h"

#include "kernels/winograd_template.h"

/* In a line y[i] = w0 d[2i] + w2 d[2i + 2] + w1 d[2i + 1]. The even samples e[j] = d[2j] with (w0, w2) are F(4, 2) on the points 0, +-a, 2,
 * infinity, a = 3/4, which round about as little as any, and less than those of F(4, 3); the four odd samples are taken as they are:
 *
 *         1 -1/2  -16/9 8/9 0           1  1    1   1 0 | 1 0 0 0            1
 *         0 -3/2  -5/4   1  0           0  a   -a   2 0 | 0 1 0 0            (1, a)  * -32/45
 *   B^T = 0  3/2  -11/4  1  0     A^T = 0 a^2  a^2  4 0 | 0 0 1 0      G =   (1, -a) * -32/99
 *         0 -9/16   0    1  0           0 a^3 -a^3  8 1 | 0 0 0 1            (1, 2)  * 8/55
 *         0  9/8  -9/16 -2  1                                                (0, 1)
 */
enum { INPUT = 9, EVEN = 5 };
#define POINT 0.75f

/* A tile's line of samples to its nine points, those that `outputs` pixels need (winograd_stride2_needs). F(1, 2) and F(2, 2) on the
 * points 0, (a,) infinity; each line is multiplied by what G, which they share, lacks:
 *
 *   1 0           1 -4/3  0
 *   0 1           0 -15/8 0
 *                 0 -3/4  1
 */
INLINED void input_points(const vec d[INPUT], vec v[INPUT], const int outputs)
{
    UNROLLED
    for (int i = 0; i < 4; i++) {
        v[EVEN + i] = d[2 * i + 1];
    }
    if (outputs > 2) {
        vec far = vec_fma(vec_set(-2.0f), d[4], d[6]), near = vec_fma(vec_set(-2.0f), d[2], d[4]);
        v[0] = vec_fma(vec_set(8.0f / 9.0f), far, vec_fma(vec_set(-0.5f), d[2], d[0]));
        v[1] = vec_fma(vec_set(POINT), near, far);
        v[2] = vec_fma(vec_set(-POINT), near, far);
        v[3] = vec_fma(vec_set(-POINT * POINT), d[2], d[6]);
        v[4] = vec_fma(vec_set(-POINT * POINT), near, vec_fma(vec_set(-2.0f), d[6], d[8]));
        return;
    }
    v[2] = v[3] = vec_set(0.0f);
    v[1] = vec_mul(vec_set(-1.875f), d[2]);
    v[0] = outputs == 2 ? vec_fma(vec_set(-4.0f / 3.0f), d[2], d[0]) : d[0];
    v[4] = outputs == 2 ? vec_fma(vec_set(-POINT), d[2], d[4]) : d[2];
}

/* A^T m likewise. */
INLINED void output_points(const vec m[INPUT], vec y[4], const int outputs)
{
    if (outputs > 2) {
        vec sum = vec_add(m[1], m[2]), difference = vec_mul(vec_set(POINT), vec_sub(m[1], m[2]));
        y[0] = vec_add(vec_add(m[0], m[5]), vec_add(sum, m[3]));
        y[1] = vec_fma(vec_set(2.0f), m[3], vec_add(difference, m[6]));
        y[2] = vec_fma(vec_set(4.0f), m[3], vec_fma(vec_set(POINT * POINT), sum, m[7]));
        y[3] = vec_fma(vec_set(8.0f), m[3],
                       vec_fma(vec_set(POINT * POINT), difference, vec_add(m[4], m[8])));
        return;
    }
    y[1] = y[2] = y[3] = vec_set(0.0f);
    y[0] = vec_add(vec_add(m[0], m[5]), outputs == 2 ? m[1] : m[4]);
    if (outputs == 2) {
        y[1] = vec_fma(vec_set(POINT), m[1], vec_add(m[4], m[6]));
    }
}

/* G x, and the tap of the odd samples. */
INLINED void filter_line(const vec x[3], vec u[6])
{
    u[0] = x[0];
    u[1] = vec_mul(vec_set(-32.0f / 45.0f), vec_fma(vec_set(POINT), x[2], x[0]));
    u[2] = vec_mul(vec_set(-32.0f / 99.0f), vec_fma(vec_set(-POINT), x[2], x[0]));
    u[3] = vec_mul(vec_set(8.0f / 55.0f), vec_fma(vec_set(2.0f), x[2], x[0]));
    u[4] = x[2];
    u[5] = x[1];
}

/* Samples of a line of which the points are made. */
#define INPUTS_OF(outputs) ((outputs) > 2 ? INPUT : 2 * (outputs) + 1)

/* The channels from c on; for whole tiles and vectors rows, columns and part are constants where this is inlined. */
INLINED void input_part(const struct winograd_input *w, size_t c, size_t part, bool is_even,
                        const int rows, const int columns)
{
    vec points[INPUT][INPUT];
    UNROLLED
    for (int x = 0; x < INPUT; x++) {
        vec d[INPUT], v[INPUT];
        UNROLLED
        for (int y = 0; y < INPUT; y++) {
            bool is_read = x < INPUTS_OF(columns) && y < INPUTS_OF(rows);
            const float *pixel = input_pixel(w, y, x, INPUT, is_even) + c;
            d[y] = is_read ? get(pixel, part) : vec_set(0.0f);
            if (x >= 1) { /* the first is there, as this tile's last column */
                __builtin_prefetch(pixel + w->ahead);
            }
        }
        input_points(d, v, rows);
        UNROLLED
        for (int y = 0; y < INPUT; y++) {
            points[y][x] = v[y];
        }
    }
    float *to = w->v + c;
    UNROLLED
    for (int y = 0; y < INPUT; y++, to += INPUT * w->xi_stride) {
        if (!winograd_stride2_needs(rows, y)) {
            continue;
        }
        vec v[INPUT];
        input_points(points[y], v, columns);
        UNROLLED
        for (size_t x = 0; x < INPUT; x++) {
            if (winograd_stride2_needs(columns, (int)x)) {
                vec_store(to + x * w->xi_stride, v[x]);
            }
        }
    }
}

INPUT_SLOT(input_slot, input_part)

FILTER_SLOT(filter_slot, filter_line)

/* The filters from k on of a tile of M to the tile of the output; constants as in input_part. */
INLINED void output_part(const struct winograd_output *w, size_t k, const int rows,
                         const int columns, vec tile[16])
{
    vec lines[4][INPUT];
    UNROLLED
    for (int x = 0; x < INPUT; x++) {
        vec m[INPUT], y[4];
        UNROLLED
        for (int r = 0; r < INPUT; r++) {
            bool is_read = winograd_stride2_needs(columns, x) && winograd_stride2_needs(rows, r);
            m[r] = is_read ? vec_load(w->m + (size_t)(r * INPUT + x) * w->xi_stride + k)
                           : vec_set(0.0f);
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

OUTPUT_SLOT(output_slot, output_part)

void OF_ISA(winograd_stride2_install)(struct kernels *kern)
{
    kern->conv.winograd_stride2 = (struct winograd_forward){
        .input = input_slot, .filter = filter_slot, .output = output_slot};
}
