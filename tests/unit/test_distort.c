/* Colours, blur and noise against plain formulas in double. */
#include "data/distort.h"

#include "base/memory.h"
#include "test.h"

static struct tensor new_tensor(int w, int h)
{
    struct tensor t = {.n = 2, .h = h, .w = w, .c = 3, .stride = 3};
    t.data = mem_alloc(tensor_pixels(&t), 3 * sizeof(float));
    return t;
}

/* The textbook's conversion, with branches and in double. */
static void reference_hsv(const double in[3], double turn, double more_s, double more_v,
                          double out[3])
{
    double v = fmax(in[0], fmax(in[1], in[2]));
    double c = v - fmin(in[0], fmin(in[1], in[2]));
    double h = 0;
    if (c > 0) {
        if (v == in[0]) {
            h = 60 * ((in[1] - in[2]) / c);
        } else if (v == in[1]) {
            h = 60 * ((in[2] - in[0]) / c + 2);
        } else {
            h = 60 * ((in[0] - in[1]) / c + 4);
        }
    }
    double s = v > 0 ? fmin(1, c / v * more_s) : 0;
    v = fmin(1, v * more_v);
    h = fmod(h + 360 * turn + 720, 360);
    c = v * s;
    double x = c * (1 - fabs(fmod(h / 60, 2) - 1));
    double m = v - c;
    const double rgb[6][3] = {{c, x, 0}, {x, c, 0}, {0, c, x}, {0, x, c}, {x, 0, c}, {c, 0, x}};
    for (int k = 0; k < 3; k++) {
        out[k] = rgb[(int)(h / 60) % 6][k] + m;
    }
}

static void test_colors(void)
{
    unsigned state = 77;
    for (int i = 0; i < 4000; i++) {
        double in[3];
        float p[3][3];
        for (int k = 0; k < 3; k++) {
            /* Many equal, black and white values among them. */
            float v =
                i % 2 ? (test_noise(&state) + 1) / 2 : floorf((test_noise(&state) + 1) * 2) / 3;
            in[k] = (double)v;
            p[k][0] = p[k][1] = p[k][2] = v;
        }
        struct distortion d = {test_noise(&state) / 2, 1 + test_noise(&state),
                               expf(test_noise(&state))};
        double want[3];
        reference_hsv(in, (double)d.hue, (double)d.saturation, (double)d.exposure, want);
        distort_colors(&d, 2, p[0], p[1], p[2]);
        for (int k = 0; k < 3; k++) {
            CHECK_NEAR(p[k][1], want[k], 2e-5);
            CHECK(p[k][2] == (float)in[k]);
        }
    }
}

/* Where the hue turns below red it comes out on the other side (Darknet stops there). */
static void test_hue_wraps(void)
{
    float p[3] = {1, 0, 0};
    struct distortion d = {-1 / 3.0f, 1, 1};
    distort_colors(&d, 1, &p[0], &p[1], &p[2]);
    CHECK_NEAR(p[0], 0, 1e-5);
    CHECK_NEAR(p[1], 0, 1e-5);
    CHECK_NEAR(p[2], 1, 1e-5);
}

static void test_blur(void)
{
    enum { W = 21, H = 17, KERNEL = 5 };
    struct tensor t = new_tensor(W, H);
    struct tensor before = new_tensor(W, H);
    unsigned state = 4;
    for (size_t i = 0; i < (size_t)2 * W * H * 3; i++) {
        t.data[i] = before.data[i] = (test_noise(&state) + 1) / 2;
    }
    const struct patch patch = {&t, 1, 4, 3, 12, 10};
    const struct truth sharp = {{8.0f / W, 6.0f / H, 4.0f / W, 4.0f / H}, 0};
    float *scratch = mem_alloc(distort_blur_scratch(&patch, KERNEL), sizeof(float));
    distort_blur(&patch, KERNEL, &sharp, 1, scratch);
    double sigma = 0.3 * (2 - 1) + 0.8;
    for (int y = 0; y < H; y++) {
        for (int x = 0; x < W; x++) {
            bool inside = x >= 4 && x < 16 && y >= 3 && y < 13;
            bool kept = x >= 6 && x < 10 && y >= 4 && y < 8;
            double sum = 0;
            double weights = 0;
            for (int j = -2; j <= 2; j++) {
                for (int i = -2; i <= 2; i++) {
                    double weight = exp(-(i * i + j * j) / (2 * sigma * sigma));
                    int fx = (int)fmin(fmax(x + i, 4), 15);
                    int fy = (int)fmin(fmax(y + j, 3), 12);
                    sum += weight * (double)tensor_at(&before, 1, fy, fx)[1];
                    weights += weight;
                }
            }
            double want = inside && !kept ? sum / weights : (double)tensor_at(&before, 1, y, x)[1];
            CHECK_NEAR(tensor_at(&t, 1, y, x)[1], want, 1e-5);
        }
    }
    CHECK(memcmp(t.data, before.data, W * H * 12) == 0);
    mem_free(scratch);
    mem_free(t.data);
    mem_free(before.data);
}

static void test_noise_statistics(void)
{
    struct tensor t = new_tensor(200, 200);
    for (int i = 0; i < 2 * 200 * 200 * 3; i++) {
        t.data[i] = 0.5f;
    }
    const struct patch patch = {&t, 1, 0, 0, 200, 200};
    float *scratch = mem_alloc(DISTORT_NOISE_FLOATS, sizeof(float));
    struct rng rng = rng_make(5, 6, 7);
    distort_noise(&patch, 0.1f, &rng, scratch);
    double sum = 0;
    double squares = 0;
    double neighbours = 0;
    const float *p = tensor_at(&t, 1, 0, 0);
    for (int i = 0; i < 120000; i++) {
        double v = (double)p[i] - 0.5;
        sum += v;
        squares += v * v;
        neighbours += i > 0 ? v * ((double)p[i - 1] - 0.5) : 0;
    }
    CHECK_NEAR(sum / 120000, 0, 0.006); /* the table's own mean: 0.1 / sqrt(4096), four times */
    CHECK_NEAR(sqrt(squares / 120000), 0.1, 0.004);
    CHECK_NEAR(neighbours / squares, 0, 0.02);
    CHECK(t.data[17] == 0.5f);
    mem_free(scratch);
    mem_free(t.data);
}

static const struct test_case cases[] = {
    {"colors", test_colors},
    {"hue_wraps", test_hue_wraps},
    {"blur", test_blur},
    {"noise_statistics", test_noise_statistics},
};
TEST_MAIN(cases)
