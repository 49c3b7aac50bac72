/* Networks with connected and deconvolutional layers, batch norm and dropout that end with [softmax] or [cost], against
 * PyTorch: losses, gradients, ten steps. tests/tools/make_value_golden.py makes the numbers, and tells the file format. */
#include "base/fileio.h"
#include "base/memory.h"
#include "fixture.h"
#include "net/modes.h"
#include "net/task.h"
#include "train/step.h"

enum { BATCH = 4, STEPS = 10, MAX_LAYERS = 8 };

static const double LIMIT = 1e-4; /* of the loss; of a tensor's largest magnitude */

static bool agrees(const char *what, size_t count, const float *got, const float *want)
{
    double largest = 1e-3, worst = 0;
    for (size_t i = 0; i < count; i++) {
        largest = fmax(largest, fabs((double)want[i]));
    }
    for (size_t i = 0; i < count; i++) {
        worst = fmax(worst, fabs((double)got[i] - (double)want[i]) / largest);
    }
    if (!(worst <= LIMIT)) {
        printf("  %s: off by %.2g\n", what, worst);
    }
    return worst <= LIMIT;
}

/* Copies the parameters from `values`, or compares them or their gradients with these. */
enum action { TAKE, COMPARE, COMPARE_GRADIENTS };
static bool all_params(struct network *net, const struct plan *plan, enum action action,
                       const float *values)
{
    bool ok = true;
    for (int i = 0; i < net->layer_count; i++) {
        for (int k = 0; k < net->layers[i].param_count; k++) {
            const struct param *p = &net->layers[i].params[k];
            const float *gradient = action == COMPARE_GRADIENTS ? plan_gradient(plan, i, k) : NULL;
            char what[64];
            snprintf(what, sizeof what, "layer %d %s", i, p->role);
            if (action == TAKE) {
                memcpy(p->data, values, p->count * sizeof(float));
            } else if (action == COMPARE) {
                ok = agrees(what, p->count, p->data, values) && ok;
            } else if (gradient) {
                ok = agrees(what, p->count, gradient, values) && ok;
            } else {
                ok = ok && p->is_statistic;
            }
            values += p->count;
        }
    }
    return ok;
}

static void check(const char *name, float rate, const char *isa)
{
    char path[128];
    struct error err;
    struct network net = {0};
    struct step step = {0};
    enum layer_mode modes[MAX_LAYERS];
    bool frozen[MAX_LAYERS] = {false};
    struct truth_set sets[BATCH] = {{0}};
    char *file;
    size_t size;
    const struct kernels *kern = isa_kernels(isa);
    if (!kern) {
        return;
    }
    log_set_level(LOG_QUIET);
    snprintf(path, sizeof path, "tests/golden/values/%s.cfg", name);
    CHECK_OK(network_read(path, 0, 0, &net, &err));
    CHECK_OK(network_allocate(&net, &err));
    snprintf(path, sizeof path, "tests/golden/values/%s.bin", name);
    CHECK_OK(file_read(path, 1 << 20, &file, &size, &err));
    size_t image = (size_t)(net.size.w * net.size.h * net.size.c);
    size_t targets = task_of(&net) == TASK_RECONSTRUCT ? 0 : task_values(&net);
    size_t params = network_param_floats(&net, net.layer_count, NULL);
    CHECK(size == 4 * (BATCH * (image + targets) + 3 * params + STEPS));
    le32_to_host(file, size / 4);
    const float *images = (const float *)(const void *)file, *values = images + BATCH * image;
    const float *before = values + BATCH * targets, *losses = before + params;
    const float *gradient = losses + STEPS, *after = gradient + params;
    all_params(&net, NULL, TAKE, before);
    modes_resolve(&net, frozen, BN_AUTO, modes);
    struct step_options options = {
        .net = &net,
        .kernels = kern,
        .modes = modes,
        .batch = BATCH,
        .optimizer = {.kind = OPTIMIZER_SGD, .momentum = 0.9f, .decay = 5e-3f}};
    CHECK_OK(step_open(&options, &step, &err));
    for (int n = 0; n < BATCH; n++) {
        struct tensor input = *plan_input(step.plan);
        tensor_from_planar(&input, n, images + (size_t)n * image);
        sets[n].values = targets ? values + (size_t)n * targets : NULL;
        sets[n].value_count = targets;
    }
    for (int k = 0; k < STEPS; k++) {
        const struct step_input input = {
            .truths = sets, .images = BATCH, .seed = 99 + (uint64_t)k, .bn_momentum = 0.05f};
        step_begin(&step);
        struct loss_parts parts = step_loss(step.plan, &input);
        CHECK_MSG(fabs(parts.values - (double)losses[k]) <= LIMIT * (double)losses[k],
                  "%s, %s, step %d: loss %.7g, not %.7g", name, isa, k, parts.values,
                  (double)losses[k]);
        step_backward(&step, BATCH, &parts);
        CHECK_MSG(k > 0 || all_params(&net, step.plan, COMPARE_GRADIENTS, gradient), "%s, %s", name,
                  isa);
        step_update(&step, rate);
    }
    CHECK_MSG(all_params(&net, NULL, COMPARE, after), "%s, %s", name, isa);
    step_close(&step);
    mem_free(file);
    network_free(&net);
}

static void dense(void)
{
    for (int i = 0; i < ISA_COUNT; i++) {
        check("dense", 0.05f, ISA_NAMES[i]);
    }
}

static void autoencoder(void)
{
    for (int i = 0; i < ISA_COUNT; i++) {
        check("auto", 0.001f, ISA_NAMES[i]);
    }
}

static const struct test_case cases[] = {{"dense", dense}, {"autoencoder", autoencoder}};
TEST_MAIN(cases)
