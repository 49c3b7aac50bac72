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

/* B^T e of F(4, 2). */
INLINED void even_points(const vec e[EVEN], vec v[EVEN])
{
    vec far = vec_fma(vec_set(-2.0f), e[2], e[3]), near = vec_fma(vec_set(-2.0f), e[1], e[2]);
    v[0] = vec_fma(vec_set(8.0f / 9.0f), far, vec_fma(vec_set(-0.5f), e[1], e[0]));
    v[1] = vec_fma(vec_set(POINT), near, far);
    v[2] = vec_fma(vec_set(-POINT), near, far);
    v[3] = vec_fma(vec_set(-POINT * POINT), e[1], e[3]);
    v[4] = vec_fma(vec_set(-POINT * POINT), near, vec_fma(vec_set(-2.0f), e[3], e[4]));
}

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
        const vec even[EVEN] = {d[0], d[2], d[4], d[6], d[8]};
        even_points(even, v);
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

/* A y, the transpose of output_points, and G^T u: the weights' gradient. */
INLINED void output_gradient_points(const vec y[4], vec *m, const int outputs)
{
    UNROLLED
    for (int i = 0; i < 4; i++) {
        m[EVEN + i] = y[i];
    }
    m[0] = y[0];
    m[2] = m[3] = vec_set(0.0f);
    if (outputs > 2) {
        vec even = vec_fma(vec_set(POINT * POINT), y[2], y[0]);
        vec odd = vec_mul(vec_set(POINT), vec_fma(vec_set(POINT * POINT), y[3], y[1]));
        m[1] = vec_add(even, odd);
        m[2] = vec_sub(even, odd);
        m[3] = vec_fma(vec_set(2.0f), vec_fma(vec_set(4.0f), y[3], y[1]),
                       vec_fma(vec_set(4.0f), y[2], y[0]));
        m[4] = y[3];
        return;
    }
    m[1] = vec_fma(vec_set(POINT), y[1], y[0]);
    m[4] = outputs == 2 ? y[1] : y[0];
}

INLINED void filter_gradient_line(const vec u[6], vec g[3])
{
    vec near = vec_mul(vec_set(-32.0f / 45.0f), u[1]),
        back = vec_mul(vec_set(-32.0f / 99.0f), u[2]);
    vec far = vec_mul(vec_set(8.0f / 55.0f), u[3]);
    g[0] = vec_add(vec_add(u[0], far), vec_add(near, back));
    g[1] = u[5];
    g[2] = vec_fma(vec_set(2.0f), far, vec_fma(vec_set(POINT), vec_sub(near, back), u[4]));
}

OUTPUT_GRADIENT_SLOT(output_gradient_slot, INPUT, output_gradient_points, winograd_stride2_needs)

FILTER_GRADIENT_SLOT(filter_gradient_slot, filter_gradient_line)

/* ---- a stride of 1/2: the input's gradient ----
 *
 * In a line the pixels at odd places are F(4, 2) of five samples of dz, the taps in turned order, those at even ones four samples by the
 * middle tap. A tile at the edge is as any other, of which a part is written: the gradient's tiles are large, and edges few. */

enum { HALF_INPUT = EVEN, HALF_TILE = 8 };

INLINED void half_input_points(const vec e[HALF_INPUT], vec v[INPUT])
{
    even_points(e, v);
    UNROLLED
    for (int i = 0; i < 4; i++) {
        v[EVEN + i] = e[i];
    }
}

INLINED void half_input_part(const struct winograd_input *w, size_t c, size_t part, bool is_even,
                             const int rows, const int columns)
{
    (void)rows;
    (void)columns;
    vec points[INPUT][HALF_INPUT];
    UNROLLED
    for (int x = 0; x < HALF_INPUT; x++) {
        vec e[HALF_INPUT], v[INPUT];
        UNROLLED
        for (int y = 0; y < HALF_INPUT; y++) {
            const float *pixel = input_pixel(w, y, x, HALF_INPUT, is_even) + c;
            e[y] = get(pixel, part);
            if (x >= 1) { /* the first is there, as this tile's last column */
                __builtin_prefetch(pixel + w->ahead);
            }
        }
        half_input_points(e, v);
        UNROLLED
        for (int y = 0; y < INPUT; y++) {
            points[y][x] = v[y];
        }
    }
    float *to = w->v + c;
    UNROLLED
    for (int y = 0; y < INPUT; y++, to += INPUT * w->xi_stride) {
        vec v[INPUT];
        half_input_points(points[y], v);
        UNROLLED
        for (size_t x = 0; x < INPUT; x++) {
            vec_store(to + x * w->xi_stride, v[x]);
        }
    }
}

INPUT_SLOT(half_input_slot, half_input_part)

/* A^T m of the odd pixels of a line. */
INLINED void half_odd_pixels(const vec m[EVEN], vec y[4])
{
    vec sum = vec_add(m[1], m[2]), difference = vec_mul(vec_set(POINT), vec_sub(m[1], m[2]));
    y[0] = vec_add(vec_add(m[0], sum), m[3]);
    y[1] = vec_fma(vec_set(2.0f), m[3], difference);
    y[2] = vec_fma(vec_set(4.0f), m[3], vec_mul(vec_set(POINT * POINT), sum));
    y[3] = vec_fma(vec_set(8.0f), m[3], vec_fma(vec_set(POINT * POINT), difference, m[4]));
}

/* A line of nine points to eight pixels, `columns` of which are written. */
INLINED void half_output_line(const struct winograd_output *w, const vec m[INPUT], float *to,
                              size_t part, const int columns)
{
    vec odd[4];
    half_odd_pixels(m, odd);
    UNROLLED
    for (int i = 0; i < HALF_TILE; i++, to += w->pixel_stride) {
        if (i < columns) {
            vec y = i % 2 ? odd[i / 2] : m[EVEN + i / 2];
            put(to, w->adds ? vec_add(y, vec_load_part(to, part)) : y, part);
        }
    }
}

/* The filters from k on; for whole tiles and vectors rows, columns and part are constants where this is inlined. */
INLINED void half_output_part(const struct winograd_output *w, size_t k, size_t part,
                              const int rows, const int columns)
{
    float *out = w->out + k;
    vec odd[4][INPUT], m[INPUT];
    UNROLLED
    for (size_t x = 0; x < INPUT; x++) {
        vec of_column[EVEN], y[4];
        UNROLLED
        for (size_t r = 0; r < EVEN; r++) {
            of_column[r] = vec_load(w->m + (r * INPUT + x) * w->xi_stride + k);
        }
        half_odd_pixels(of_column, y);
        UNROLLED
        for (int r = 0; r < 4; r++) {
            odd[r][x] = y[r];
        }
    }
    UNROLLED
    for (size_t r = 0; r < 4; r++) {
        UNROLLED
        for (size_t x = 0; x < INPUT; x++) {
            m[x] = vec_load(w->m + ((EVEN + r) * INPUT + x) * w->xi_stride + k);
        }
        if (2 * (int)r < rows) {
            half_output_line(w, m, out + 2 * r * w->row_stride, part, columns);
        }
        if (2 * (int)r + 1 < rows) {
            half_output_line(w, odd[r], out + (2 * r + 1) * w->row_stride, part, columns);
        }
    }
}

static void half_output_slot(const struct winograd_output *w)
{
    size_t filters = (size_t)w->filters, k = 0;
    if (w->rows == HALF_TILE && w->columns == HALF_TILE) {
        for (; k + VEC_WIDTH <= filters; k += VEC_WIDTH) {
            half_output_part(w, k, VEC_WIDTH, HALF_TILE, HALF_TILE);
        }
    }
    for (; k < filters; k += VEC_WIDTH) {
        half_output_part(w, k, part_of(filters, k), w->rows, w->columns);
    }
}

void OF_ISA(winograd_stride2_install)(struct kernels *kern)
{
    kern->conv.winograd_stride2 = (struct winograd_forward){
        .input = input_slot, .filter = filter_slot, .output = output_slot};
    kern->conv.winograd_stride2_gradient =
        (struct winograd_gradient){.output = output_gradient_slot, .filter = filter_gradient_slot};
    kern->conv.winograd_half = (struct winograd_forward){
        .input = half_input_slot, .filter = filter_slot, .output = half_output_slot};
}
