/* One detection head with its tensors, run without a plan. The head reads the image, so the grid is
 * the network input. */
#ifndef TESTS_LOSS_RIG_H
#define TESTS_LOSS_RIG_H

#include "base/memory.h"
#include "fixture.h"
#include "layers/box_loss.h"

enum { MAX_FLOATS = 4096, MAX_IMAGES = 4, MAX_TRUTHS = 32, GAP = 3 };

static const float GUARD = 12345.0f;

struct rig {
    struct fixture f;
    const struct layer *l;
    struct exec e;
    struct tensor input, gradient;
    float in[MAX_FLOATS], out[MAX_FLOATS], grad[MAX_FLOATS + GAP * 1024];
    bool adds;
    struct truth truths[MAX_IMAGES][MAX_TRUTHS];
    struct truth_set sets[MAX_IMAGES];
    struct loss_parts parts;
};

static struct rig rig; /* big; every test opens and closes it */

static inline bool rig_open(int w, int h, int c, int images, const char *section)
{
    struct layer_plan want = {0};
    struct plan_limits limits = {.batch = images, .mode = MODE_TRAIN, .passes_gradient = true};
    memset(&rig, 0, sizeof rig);
    if ((size_t)w * (size_t)h * (size_t)c * (size_t)images > MAX_FLOATS || w * h * images > 1024 ||
        !fixture_open(&rig.f, w, h, c, section) ||
        kernels_select("scalar", &rig.e.kernels, &rig.f.err) != OK) {
        printf("  no rig: %s\n", rig.f.err.text);
        return false;
    }
    rig.l = &rig.f.net.layers[0];
    limits.kernels = rig.e.kernels;
    rig.l->ops->plan(rig.l, &limits, &want);
    rig.input = (struct tensor){rig.in, images, h, w, c, (size_t)c};
    rig.gradient = (struct tensor){rig.grad, images, h, w, c, (size_t)(c + GAP)};
    rig.e.inputs = &rig.input;
    rig.e.out = rig.input;
    rig.e.out.data = rig.out;
    rig.e.input_grads = &rig.gradient;
    rig.e.grad_adds = &rig.adds;
    rig.e.mode = MODE_TRAIN;
    rig.e.scratch = mem_alloc_raw(want.scratch_bytes, 1);
    for (int n = 0; n < MAX_IMAGES; n++) {
        rig.sets[n].items = rig.truths[n];
    }
    for (size_t i = 0; i < sizeof rig.grad / sizeof rig.grad[0]; i++) {
        rig.grad[i] = GUARD;
    }
    return rig.e.scratch;
}

static inline void rig_close(void)
{
    mem_free(rig.e.scratch);
    fixture_close(&rig.f);
}

static inline void rig_truth(int image, int class_id, float cx, float cy, float w, float h)
{
    struct truth_set *set = &rig.sets[image];
    rig.truths[image][set->count++] = (struct truth){.box = {cx, cy, w, h}, .class_id = class_id};
}

static inline void rig_run(void)
{
    rig.l->ops->forward(rig.l, &rig.e);
    rig.parts = (struct loss_parts){0};
    rig.l->ops->loss(rig.l, &rig.e, rig.sets, &rig.parts);
}

static inline size_t rig_floats(void)
{
    return tensor_pixels(&rig.input) * (size_t)rig.input.c;
}

/* Gradient of the i-th input. */
static inline double rig_gradient(size_t i)
{
    size_t c = (size_t)rig.input.c;
    return (double)rig.grad[i / c * rig.gradient.stride + i % c];
}

static inline bool rig_guarded(void)
{
    size_t pixels = tensor_pixels(&rig.input), stride = rig.gradient.stride;
    for (size_t i = 0; i < sizeof rig.grad / sizeof rig.grad[0]; i++) {
        bool own = i < pixels * stride && i % stride < (size_t)rig.input.c;
        if (!own && rig.grad[i] != GUARD) {
            return false;
        }
    }
    return true;
}

/* Two or three slots with three classes on a grid of 4 x 3. */
#define YOLO "[yolo]\nclasses=3\nnum=3\nanchors=.9,.7, 1.6,1.9, 2.6,2.1\n"
#define GAUSSIAN "[Gaussian_yolo]\nclasses=3\nnum=3\nanchors=.9,.7, 1.6,1.9, 2.6,2.1\n"
#define REGION "[region]\nclasses=3\nnum=2\nanchors=.9,.7, 2.6,2.1\n"

#endif
