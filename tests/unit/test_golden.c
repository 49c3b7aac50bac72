/* Whole small networks against tests/golden: every layer's output, element by element, on every
 * instruction set, with and without Winograd, and the detections of the heads. The expected values
 * come from PyTorch in double precision (tests/tools/make_golden.py, which also tells the file
 * format). */
#include <dirent.h>

#include "base/fileio.h"
#include "base/path.h"
#include "base/memory.h"
#include "net/network.h"
#include "net/plan.h"
#include "net/weights.h"
#include "golden_file.h"
#include "isa.h"

#define FOLDER "tests/golden"

enum { VERSION = 1, MAX_LAYERS = 64, MAX_IMAGES = 8, STORED_IMAGES = 2 };

/* Of the layer's largest magnitude. Winograd's transforms cost about one decimal digit. */
static const double LIMIT_DIRECT = 1e-4, LIMIT_WINOGRAD = 1e-3;
static const double LIMIT_DETECTION = 2e-3;

struct expected_layer {
    struct shape shape;
    const float *values; /* [STORED_IMAGES][c][h][w] */
};

struct expected_box {
    float x, y, w, h, confidence;
    int class_id;
};

struct golden {
    struct reader in;
    int batch, layer_count;
    struct shape input;
    float threshold;
    const float *image; /* [batch][c][h][w] */
    struct expected_layer layers[MAX_LAYERS];
    const struct expected_box *boxes[MAX_IMAGES];
    int box_count[MAX_IMAGES];
};

static size_t volume(const struct shape *s)
{
    return (size_t)s->c * (size_t)s->h * (size_t)s->w;
}

static bool read_layer(struct reader *in, struct expected_layer *l)
{
    const int *head = take(in, 3);
    if (!head) {
        return false;
    }
    l->shape = (struct shape){.c = head[0], .h = head[1], .w = head[2]};
    l->values = take(in, volume(&l->shape) * STORED_IMAGES);
    return l->values;
}

static bool read_boxes(struct reader *in, struct golden *g)
{
    for (int i = 0; i < g->batch; i++) {
        const int *count = take(in, 1);
        if (!count || *count < 0) {
            return false;
        }
        g->box_count[i] = *count;
        g->boxes[i] = take(in, (size_t)*count * 6);
        if (!g->boxes[i]) {
            return false;
        }
    }
    return in->at == in->size;
}

static bool read_golden(const char *path, struct golden *g)
{
    struct error err;
    if (file_read(path, 1 << 24, &g->in.data, &g->in.size, &err) != OK) {
        printf("  %s\n", err.text);
        return false;
    }
    if (g->in.size < 8 || memcmp(g->in.data, "YOLOGOLD", 8) != 0) {
        return false;
    }
    g->in.at = 8;
    const int *head = take(&g->in, 6);
    const float *threshold = take(&g->in, 1);
    if (!head || !threshold || head[0] != VERSION || head[1] > MAX_IMAGES || head[5] > MAX_LAYERS) {
        return false;
    }
    g->batch = head[1];
    g->input = (struct shape){.c = head[2], .h = head[3], .w = head[4]};
    g->layer_count = head[5];
    g->threshold = *threshold;
    g->image = take(&g->in, volume(&g->input) * (size_t)g->batch);
    for (int i = 0; i < g->layer_count; i++) {
        if (!read_layer(&g->in, &g->layers[i])) {
            return false;
        }
    }
    return g->image && read_boxes(&g->in, g);
}

/* Largest |got - want| over one image, of the layer's largest |want|; infinite if anything is not a
 * number. */
static double image_error(const struct tensor *got, int image, const float *want, double largest)
{
    size_t count = (size_t)got->c * (size_t)got->h * (size_t)got->w;
    float *planar = mem_alloc(count, sizeof(float));
    if (!planar) {
        return (double)INFINITY;
    }
    tensor_to_planar(got, image, planar);
    double worst = 0;
    for (size_t i = 0; i < count; i++) {
        double difference = fabs((double)planar[i] - (double)want[i]);
        if (!(difference <= worst)) {
            worst = isnan(difference) ? (double)INFINITY : difference;
        }
    }
    mem_free(planar);
    return worst / largest;
}

static double largest_magnitude(const struct expected_layer *l)
{
    double largest = 1e-6;
    for (size_t i = 0; i < volume(&l->shape) * STORED_IMAGES; i++) {
        largest = fmax(largest, fabs((double)l->values[i]));
    }
    return largest;
}

static void check_layers(const struct golden *g, const struct plan *plan, double limit,
                         const char *what)
{
    for (int i = 0; i < g->layer_count; i++) {
        const struct expected_layer *want = &g->layers[i];
        const struct tensor *got = plan_output(plan, i);
        CHECK_MSG(got->c == want->shape.c && got->h == want->shape.h && got->w == want->shape.w,
                  "%s layer %d is %dx%dx%d, expected %dx%dx%d", what, i, got->w, got->h, got->c,
                  want->shape.w, want->shape.h, want->shape.c);
        double largest = largest_magnitude(want);
        for (int k = 0; k < STORED_IMAGES; k++) {
            int image = k == 0 ? 0 : g->batch - 1;
            double error =
                image_error(got, image, want->values + (size_t)k * volume(&want->shape), largest);
            CHECK_MSG(error <= limit, "%s layer %d (%s) image %d: relative error %.3g > %.0e", what,
                      i, plan_algorithm(plan, i), image, error, limit);
        }
    }
}

static void check_box(const struct detection *got, const struct expected_box *want,
                      const char *what)
{
    CHECK_MSG(got->class_id == want->class_id, "%s: class %d, expected %d", what, got->class_id,
              want->class_id);
    CHECK_NEAR(got->confidence, want->confidence, LIMIT_DETECTION);
    CHECK_NEAR(got->box.cx, want->x, LIMIT_DETECTION);
    CHECK_NEAR(got->box.cy, want->y, LIMIT_DETECTION);
    CHECK_NEAR(got->box.w, want->w, LIMIT_DETECTION * (1 + (double)want->w));
    CHECK_NEAR(got->box.h, want->h, LIMIT_DETECTION * (1 + (double)want->h));
}

static void check_detections(const struct golden *g, const struct plan *plan, const char *what)
{
    for (int i = 0; i < g->batch && !test_failed; i++) {
        struct detection_list list = {0};
        struct error err;
        enum result result = plan_detect(plan, i, g->threshold, &list, &err);
        if (result != OK || list.count != (size_t)g->box_count[i]) {
            printf("  %s image %d: result %d, %zu detections, expected %d\n", what, i, (int)result,
                   list.count, g->box_count[i]);
            test_failed = true;
        }
        for (size_t k = 0; k < list.count && !test_failed; k++) {
            check_box(&list.items[k], &g->boxes[i][k], what);
        }
        detection_list_free(&list);
    }
}

/* A plan whose layers share memory, lie in one another and run as one gives the bits of one that keeps every output. */
static void check_shared(struct network *net, const struct golden *g, const struct plan *kept,
                         const struct kernels *kern, const char *what)
{
    struct plan_options options = {.batch = g->batch};
    struct plan *plan = NULL;
    struct error err = {0};
    CHECK_MSG(plan_build(net, kern, &options, &plan, &err) == OK, "%s: %s", what, err.text);
    struct tensor input = *plan_input(plan);
    for (int i = 0; i < g->batch; i++) {
        tensor_from_planar(&input, i, g->image + (size_t)i * volume(&g->input));
    }
    plan_forward(plan, g->batch);
    for (int i = 0; i < net->layer_count && !test_failed; i++) {
        bool is_result = net->layers[i].ops->head || i == net->layer_count - 1;
        const struct tensor *want = plan_output(kept, i), *got = plan_output(plan, i);
        for (size_t p = 0; is_result && p < tensor_pixels(want) && !test_failed; p++) {
            if (memcmp(want->data + p * want->stride, got->data + p * got->stride,
                       (size_t)want->c * sizeof(float)) != 0) {
                printf("  %s layer %d: other bits where outputs are not kept\n", what, i);
                test_failed = true;
            }
        }
    }
    plan_free(plan);
}

/* One network on one set of kernels. */
static void run_plan(struct network *net, const struct golden *g, const struct kernels *kern)
{
    char what[128];
    bool is_direct = kernels_are_direct(kern);
    snprintf(what, sizeof(what), "%s %s%s", path_base(net->cfg.path), kernels_isa(kern),
             is_direct ? " direct" : "");
    struct plan_options options = {.batch = g->batch, .keep_outputs = true};
    struct plan *plan = NULL;
    struct error err = {0};
    enum result result = plan_build(net, kern, &options, &plan, &err);
    CHECK_MSG(result == OK, "%s: %s", what, err.text);
    struct tensor input = *plan_input(plan);
    for (int i = 0; i < g->batch; i++) {
        tensor_from_planar(&input, i, g->image + (size_t)i * volume(&g->input));
    }
    plan_forward(plan, g->batch);
    check_layers(g, plan, is_direct ? LIMIT_DIRECT : LIMIT_WINOGRAD, what);
    if (!test_failed && network_head(net)) {
        check_detections(g, plan, what);
    }
    if (!test_failed) {
        check_shared(net, g, plan, kern, what);
    }
    if (!is_direct && strstr(what, "winograd.cfg") &&
        strcmp(plan_algorithm(plan, 1), "winograd") != 0) {
        printf("  %s: layer 1 runs %s, so this tests nothing\n", what, plan_algorithm(plan, 1));
        test_failed = true;
    }
    plan_free(plan);
}

static void run_network(struct network *net, const char *stem, const struct golden *g)
{
    char path[256];
    struct error err = {0};
    snprintf(path, sizeof(path), "%s/%s.cfg", FOLDER, stem);
    CHECK_MSG(network_read(path, 0, 0, net, &err) == OK, "%s", err.text);
    CHECK(net->layer_count == g->layer_count);
    CHECK_MSG(network_allocate(net, &err) == OK, "%s", err.text);
    snprintf(path, sizeof(path), "%s/%s.weights", FOLDER, stem);
    CHECK_MSG(weights_load(path, net, &err) == OK, "%s", err.text);
    CHECK(net->loaded_layers == net->layer_count);
    for (int i = 0; i < ISA_COUNT && !test_failed; i++) {
        const struct kernels *kern = isa_kernels(ISA_NAMES[i]);
        if (!kern) {
            continue;
        }
        run_plan(net, g, kernels_direct(kern));
        if (!test_failed) {
            run_plan(net, g, kern);
        }
    }
}

static void run_golden(const char *stem)
{
    char path[256];
    struct golden *g = mem_alloc(1, sizeof(*g));
    struct network net = {0};
    CHECK(g);
    snprintf(path, sizeof(path), "%s/%s.golden", FOLDER, stem);
    if (read_golden(path, g)) {
        run_network(&net, stem, g);
    } else {
        printf("  %s is not a golden file of version %d\n", path, VERSION);
        test_failed = true;
    }
    network_free(&net);
    mem_free(g->in.data);
    mem_free(g);
}

#define GOLDEN(name)                                                                               \
    static void test_##name(void)                                                                  \
    {                                                                                              \
        run_golden(#name);                                                                         \
    }
GOLDEN(tiny)
GOLDEN(csp)
GOLDEN(depthwise)
GOLDEN(newcoords)
GOLDEN(residual)
GOLDEN(odd)
GOLDEN(region)
GOLDEN(classifier)
GOLDEN(winograd)

/* A network that stands in the folder but in no case would never run. */
static void test_all_listed(void)
{
    DIR *folder = opendir(FOLDER);
    CHECK_MSG(folder, "run from the top of the repository");
    int networks = 0;
    for (struct dirent *entry; (entry = readdir(folder));) {
        const char *dot = strrchr(entry->d_name, '.');
        networks += dot && strcmp(dot, ".golden") == 0;
    }
    closedir(folder);
    CHECK(networks == 9);
}

static const struct test_case cases[] = {
    {"tiny", test_tiny},           {"csp", test_csp},
    {"depthwise", test_depthwise}, {"newcoords", test_newcoords},
    {"residual", test_residual},   {"odd", test_odd},
    {"region", test_region},       {"classifier", test_classifier},
    {"winograd", test_winograd},   {"all_listed", test_all_listed},
};

TEST_MAIN(cases)
