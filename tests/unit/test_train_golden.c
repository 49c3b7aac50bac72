/* Training of small networks against PyTorch: losses, every gradient, and all parameters and
 * running statistics after ten steps of SGD, on every instruction set, with and without Winograd,
 * for every row of the table of freezing. The expected values come from
 * tests/tools/make_train_golden.py, which also tells the file format. */
#include "base/fileio.h"
#include "base/memory.h"
#include "fixture.h"
#include "net/modes.h"
#include "train/optimizer.h"
#include "golden_file.h"

#define FOLDER "tests/golden/train/"

enum {
    VERSION = 1,
    MAX_BATCHES = 4,
    MAX_IMAGES = 8,
    MAX_TRUTHS = 64,
    MAX_TENSORS = 160,
    MAX_LAYERS = 64,
    MAX_HEADS = 4,
};

/* Losses relative to their value; gradients and parameters relative to the tensor's largest
 * magnitude. */
static const double LIMIT = 1e-4;
/* Of the largest change that ten steps made in the tensor: parameters alone would hide small
 * changes. */
static const double LIMIT_OF_MOVE = 1e-3;

struct golden {
    struct reader in;
    int batch, channels, height, width, steps, batches, heads, tensors, cases;
    unsigned seed;
    float rate, momentum, decay, bn_momentum;
    struct truth truths[MAX_BATCHES][MAX_TRUTHS];
    struct truth_set sets[MAX_BATCHES][MAX_IMAGES];
    const float *initial[MAX_TENSORS];
    size_t counts[MAX_TENSORS];
};

/* One case; tensors that are not in the file are NULL. */
struct golden_case {
    int policy;
    bool frozen[MAX_LAYERS];
    int frozen_count;
    const float *losses; /* [steps][heads][5] */
    const float *gradients[MAX_TENSORS], *final[MAX_TENSORS];
};

struct run {
    struct network net;
    struct plan *plan;
    struct optimizer *optimizer;
    const struct kernels *kern;
    enum layer_mode modes[MAX_LAYERS];
    float *images; /* [batches][batch][c][h][w] */
    char what[96];
    struct error err;
};

static bool read_truths(struct golden *g, int batch)
{
    const int *count = take(&g->in, 1);
    size_t used = 0;
    if (!count || *count < 0 || *count > MAX_TRUTHS) {
        return false;
    }
    for (int i = 0; i < *count; i++) {
        const int *head = take(&g->in, 2);
        const float *box = take(&g->in, 4);
        if (!head || !box || head[0] < 0 || head[0] >= g->batch) {
            return false;
        }
        struct truth_set *set = &g->sets[batch][head[0]];
        set->items = set->items ? set->items : &g->truths[batch][used];
        if (set->items + set->count != &g->truths[batch][used]) {
            return false; /* an image's truths follow one another */
        }
        set->count++;
        g->truths[batch][used++] = (struct truth){{box[0], box[1], box[2], box[3]}, head[1]};
    }
    return true;
}

static bool read_head(struct golden *g)
{
    const int *n = take(&g->in, 11);
    const float *f = take(&g->in, 4);
    if (!n || !f || n[0] != VERSION || n[1] > MAX_IMAGES || n[6] > MAX_BATCHES ||
        n[7] > MAX_HEADS || n[8] > MAX_TENSORS) {
        return false;
    }
    g->batch = n[1];
    g->channels = n[2];
    g->height = n[3];
    g->width = n[4];
    g->steps = n[5];
    g->batches = n[6];
    g->heads = n[7];
    g->tensors = n[8];
    g->cases = n[9];
    g->seed = (unsigned)n[10];
    g->rate = f[0];
    g->momentum = f[1];
    g->decay = f[2];
    g->bn_momentum = f[3];
    return true;
}

static bool golden_open(struct golden *g, const char *name)
{
    char path[128];
    struct error err;
    *g = (struct golden){0};
    snprintf(path, sizeof path, FOLDER "%s.bin", name);
    if (file_read(path, 1 << 24, &g->in.data, &g->in.size, &err) != OK) {
        printf("  %s\n", err.text);
        return false;
    }
    if (g->in.size < 8 || memcmp(g->in.data, "YOLOTRAN", 8) != 0) {
        return false;
    }
    g->in.at = 8;
    bool ok = read_head(g);
    for (int i = 0; ok && i < g->batches; i++) {
        ok = read_truths(g, i);
    }
    for (int i = 0; ok && i < g->tensors; i++) {
        const int *count = take(&g->in, 1);
        ok = count && *count > 0;
        g->counts[i] = ok ? (size_t)*count : 0;
        g->initial[i] = ok ? take(&g->in, g->counts[i]) : NULL;
        ok = g->initial[i];
    }
    return ok;
}

static bool read_tensors(struct golden *g, const float **tensors)
{
    for (int i = 0; i < g->tensors; i++) {
        const int *is_there = take(&g->in, 1);
        if (!is_there || (*is_there != 0 && *is_there != 1)) {
            return false;
        }
        tensors[i] = *is_there ? take(&g->in, g->counts[i]) : NULL;
        if (*is_there && !tensors[i]) {
            return false;
        }
    }
    return true;
}

static bool read_case(struct golden *g, struct golden_case *c)
{
    *c = (struct golden_case){0};
    const int *head = take(&g->in, 2);
    const int *frozen = head && head[1] >= 0 ? take(&g->in, (size_t)head[1]) : NULL;
    if (!frozen) {
        return false;
    }
    c->policy = head[0];
    c->frozen_count = head[1];
    for (int i = 0; i < c->frozen_count; i++) {
        if (frozen[i] < 0 || frozen[i] >= MAX_LAYERS) {
            return false;
        }
        c->frozen[frozen[i]] = true;
    }
    c->losses = take(&g->in, (size_t)g->steps * (size_t)g->heads * 5);
    return c->losses && read_tensors(g, c->gradients) && read_tensors(g, c->final);
}

/* ---- a run ---- */

/* The index'th parameter in file order. */
static struct param *param_at(struct run *r, int index, int *layer, int *k)
{
    for (*layer = 0; *layer < r->net.layer_count; ++*layer) {
        struct layer *l = &r->net.layers[*layer];
        if (index < l->param_count) {
            *k = index;
            return &l->params[index];
        }
        index -= l->param_count;
    }
    return NULL;
}

static bool load(struct run *r, const struct golden *g)
{
    int layer = 0, k = 0;
    for (int i = 0; i < g->tensors; i++) {
        struct param *p = param_at(r, i, &layer, &k);
        if (!p || p->count != g->counts[i]) {
            printf("  tensor %d is not the network's\n", i);
            return false;
        }
        memcpy(p->data, g->initial[i], p->count * sizeof(float));
    }
    return !param_at(r, g->tensors, &layer, &k);
}

static size_t image_floats(const struct golden *g)
{
    return (size_t)g->channels * (size_t)g->height * (size_t)g->width;
}

static bool make_images(struct run *r, const struct golden *g)
{
    unsigned noise = g->seed;
    size_t count = (size_t)g->batches * (size_t)g->batch * image_floats(g);
    r->images = mem_alloc(count, sizeof *r->images);
    for (size_t i = 0; r->images && i < count; i++) {
        r->images[i] = 0.5f + test_noise(&noise) / 2;
    }
    return r->images;
}

static bool run_open(struct run *r, const struct golden *g, const struct golden_case *c,
                     const char *name)
{
    char path[128];
    snprintf(path, sizeof path, FOLDER "%s.cfg", name);
    snprintf(r->what, sizeof r->what, "%s, policy %d, %d frozen, %s%s", name, c->policy,
             c->frozen_count, kernels_isa(r->kern),
             kernels_are_direct(r->kern) ? "" : ", winograd");
    log_set_level(LOG_QUIET);
    bool ok = network_read(path, 0, 0, &r->net, &r->err) == OK &&
              network_allocate(&r->net, &r->err) == OK && r->net.layer_count <= MAX_LAYERS &&
              load(r, g) && make_images(r, g);
    if (!ok) {
        return false;
    }
    modes_resolve(&r->net, c->frozen, (enum bn_policy)c->policy, r->modes);
    struct plan_options options = {
        .batch = g->batch, .keep_outputs = true, .modes = r->modes, .bn_momentum = g->bn_momentum};
    struct optimizer_options how = {
        .kernels = r->kern, .kind = OPTIMIZER_SGD, .momentum = g->momentum, .decay = g->decay};
    return plan_build(&r->net, r->kern, &options, &r->plan, &r->err) == OK &&
           optimizer_new(&how, &r->net, r->plan, NULL, &r->optimizer, &r->err) == OK;
}

static void run_close(struct run *r)
{
    optimizer_free(r->optimizer);
    plan_free(r->plan);
    network_free(&r->net);
    mem_free(r->images);
}

static void fill_input(const struct run *r, const struct golden *g, const struct plan *plan,
                       int first, int count)
{
    struct tensor input = *plan_input(plan);
    for (int n = 0; n < count; n++) {
        tensor_from_planar(&input, n, r->images + (size_t)(first + n) * image_floats(g));
    }
}

static void forward_backward(struct run *r, const struct golden *g, int step,
                             struct loss_parts *parts)
{
    int batch = step % g->batches;
    struct loss_parts sum = {0};
    memset(parts, 0, MAX_HEADS * sizeof *parts);
    fill_input(r, g, r->plan, batch * g->batch, g->batch);
    plan_forward(r->plan, g->batch);
    plan_loss(r->plan, g->sets[batch], &sum, parts);
    plan_backward(r->plan);
}

/* ---- comparing ---- */

static bool losses_agree(const struct run *r, const struct golden *g, int step,
                         const struct loss_parts *parts, const float *want)
{
    for (int h = 0; h < g->heads; h++, want += 5) {
        const double got[] = {parts[h].box, parts[h].objectness, parts[h].classes, parts[h].iou_sum,
                              (double)parts[h].assignments};
        for (int i = 0; i < 5; i++) {
            if (!(fabs(got[i] - (double)want[i]) <= LIMIT * fabs((double)want[i]))) {
                printf("  %s: step %d head %d part %d: %.9g, torch %.9g\n", r->what, step, h, i,
                       got[i], (double)want[i]);
                return false;
            }
        }
    }
    return true;
}

static bool tensor_agrees(const struct run *r, const char *where, size_t count, const float *got,
                          const float *want, double limit)
{
    for (size_t j = 0; j < count; j++) {
        if (!(fabs((double)got[j] - (double)want[j]) <= limit)) {
            printf("  %s: %s [%zu]: %.9g, torch %.9g, limit %.3g\n", r->what, where, j,
                   (double)got[j], (double)want[j], limit);
            return false;
        }
    }
    return true;
}

static double largest_of(const float *values, const float *minus, size_t count)
{
    double largest = 0;
    for (size_t j = 0; j < count; j++) {
        largest = fmax(largest, fabs((double)values[j] - (minus ? (double)minus[j] : 0)));
    }
    return largest;
}

static void describe(char *text, size_t size, int layer, const struct param *p, const char *what)
{
    snprintf(text, size, "layer %d %s%s", layer, p->role, what);
}

static bool gradients_agree(struct run *r, const struct golden *g, const struct golden_case *c)
{
    int layer = 0, k = 0;
    char where[64];
    for (int i = 0; i < g->tensors; i++) {
        const struct param *p = param_at(r, i, &layer, &k);
        const float *got = plan_gradient(r->plan, layer, k), *want = c->gradients[i];
        describe(where, sizeof where, layer, p, "'s gradient");
        if (!want) {
            continue;
        }
        double limit = LIMIT * largest_of(want, NULL, p->count);
        if (!got || !tensor_agrees(r, where, p->count, got, want, limit)) {
            printf("  %s: %s differs\n", r->what, where);
            return false;
        }
    }
    return true;
}

/* Values after the last step; what torch left alone has its old bytes. */
static bool parameters_agree(struct run *r, const struct golden *g, const struct golden_case *c)
{
    int layer = 0, k = 0;
    char where[64];
    for (int i = 0; i < g->tensors; i++) {
        const struct param *p = param_at(r, i, &layer, &k);
        const float *want = c->final[i];
        bool is_gradient = plan_gradient(r->plan, layer, k);
        describe(where, sizeof where, layer, p, "");
        if (!want && (is_gradient || memcmp(p->data, g->initial[i], p->count * sizeof(float)))) {
            printf("  %s: %s moved though frozen\n", r->what, where);
            return false;
        }
        if (!want) {
            continue;
        }
        double limit = fmin(LIMIT * largest_of(want, NULL, p->count),
                            LIMIT_OF_MOVE * largest_of(want, g->initial[i], p->count));
        if (is_gradient == p->is_statistic ||
            !tensor_agrees(r, where, p->count, p->data, want, limit)) {
            return false;
        }
    }
    return true;
}

static bool same_bits(const struct tensor *a, int image_a, const struct tensor *b, int image_b)
{
    for (int y = 0; y < a->h; y++) {
        for (int x = 0; x < a->w; x++) {
            if (memcmp(tensor_at(a, image_a, y, x), tensor_at(b, image_b, y, x),
                       (size_t)a->c * sizeof(float)) != 0) {
                return false;
            }
        }
    }
    return true;
}

/* The last batch's outputs of what nothing above has moved are those of inference, image by image.
 */
static bool prefix_is_inference(struct run *r, const struct golden *g)
{
    struct plan *infer = NULL;
    struct plan_options options = {.batch = 1, .keep_outputs = true};
    int first = (g->steps - 1) % g->batches * g->batch, compared = 0;
    bool ok = plan_build(&r->net, r->kern, &options, &infer, &r->err) == OK;
    for (int n = 0; ok && n < g->batch; n++) {
        fill_input(r, g, infer, first + n, 1);
        plan_forward(infer, 1);
        for (int i = 0; ok && i < r->net.layer_count && r->modes[i] == MODE_INFER; i++) {
            ok = same_bits(plan_output(r->plan, i), n, plan_output(infer, i), 0);
            compared++;
            if (!ok) {
                printf("  %s: frozen layer %d, image %d: not inference's output\n", r->what, i, n);
            }
        }
    }
    plan_free(infer);
    return ok && (r->modes[0] != MODE_INFER || compared >= 7 * g->batch);
}

static bool run_case(struct golden *g, const struct golden_case *c, const char *name,
                     const struct kernels *kern)
{
    struct run r = {.kern = kern};
    struct loss_parts parts[MAX_HEADS];
    bool ok = run_open(&r, g, c, name);
    if (!ok) {
        printf("  %s: %s\n", r.what, r.err.text);
    }
    for (int step = 0; ok && step < g->steps; step++) {
        forward_backward(&r, g, step, parts);
        ok = losses_agree(&r, g, step, parts, c->losses + (size_t)step * (size_t)g->heads * 5) &&
             (step > 0 || gradients_agree(&r, g, c));
        optimizer_step(r.optimizer, r.plan, g->rate, (size_t)g->batch);
        plan_repack(r.plan);
    }
    ok = ok && parameters_agree(&r, g, c) && prefix_is_inference(&r, g);
    run_close(&r);
    return ok;
}

/* All cases of a network on one instruction set. */
static int count_failures(struct golden *g, const char *name, const struct kernels *kern)
{
    int failed = 0;
    for (int i = 0; i < g->cases; i++) {
        struct golden_case c;
        if (!read_case(g, &c)) {
            printf("  %s: case %d cannot be read\n", name, i);
            return failed + 1;
        }
        failed += !run_case(g, &c, name, kern);
        failed += !run_case(g, &c, name, kernels_direct(kern));
    }
    return failed + (g->in.at != g->in.size);
}

static void check(const char *name, const char *isa)
{
    const struct kernels *kern;
    struct golden g;
    struct error err;
    if (kernels_select(isa, &kern, &err) != OK) {
        SKIP("this machine lacks the instruction set");
    }
    bool is_open = golden_open(&g, name);
    int failed = is_open ? count_failures(&g, name, kern) : 1;
    mem_free(g.in.data);
    CHECK_MSG(is_open, FOLDER "%s.bin cannot be read", name);
    CHECK_MSG(failed == 0, "%d runs", failed);
}

static void tiny_scalar(void)
{
    check("tiny", "scalar");
}

static void tiny_avx2(void)
{
    check("tiny", "avx2");
}

static void tiny_avx512(void)
{
    check("tiny", "avx512");
}

static void pan_scalar(void)
{
    check("pan", "scalar");
}

static void pan_avx2(void)
{
    check("pan", "avx2");
}

static void pan_avx512(void)
{
    check("pan", "avx512");
}

static const struct test_case cases[] = {
    {"tiny_scalar", tiny_scalar}, {"tiny_avx2", tiny_avx2}, {"tiny_avx512", tiny_avx512},
    {"pan_scalar", pan_scalar},   {"pan_avx2", pan_avx2},   {"pan_avx512", pan_avx512},
};
TEST_MAIN(cases)
