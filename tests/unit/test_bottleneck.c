/* Layers that run as one have the bits of layers one by one: the bottleneck's kernel on random shapes, and plans of networks
 * whose layers are members of such groups, nearly, and not at all. */
#include "base/parallel.h"
#include "conv_case.h"
#include "fixture.h"
#include "kernels/bottleneck.h"
#include "kernels/elementwise.h"

/* ---- the kernel ---- */

enum { PARTS = 3 };

/* Three convolutions with their parameters; no[0] = the first of them is missing. */
struct problem {
    struct conv_geometry g[PARTS];
    bool has_widen, has_addend;
    float *weights[PARTS], *scale[PARTS], *shift[PARTS];
    enum activation act[PARTS];
    struct padded in, addend;
};

static float *noise(size_t count, unsigned *seed)
{
    float *block = need(mem_alloc(count, sizeof *block));
    for (size_t i = 0; i < count; i++) {
        block[i] = test_noise(seed);
    }
    return block;
}

static struct conv_geometry plain(int h, int w, int in_c, int filters)
{
    return (struct conv_geometry){.in_h = h,
                                  .in_w = w,
                                  .in_c = in_c,
                                  .filters = filters,
                                  .groups = 1,
                                  .kernel_h = 1,
                                  .kernel_w = 1,
                                  .stride_y = 1,
                                  .stride_x = 1,
                                  .dilation = 1,
                                  .out_h = h,
                                  .out_w = w};
}

static struct problem problem_make(unsigned *seed, int images)
{
    struct problem p = {.has_widen = pick(seed, 0, 3) > 0, .has_addend = pick(seed, 0, 1)};
    int h = pick(seed, 1, 19), w = pick(seed, 1, 23), side = 1 + 2 * pick(seed, 0, 3);
    int narrow = pick(seed, 1, 40), wide = pick(seed, 2, 75), pad = pick(seed, 0, side / 2);
    wide = pick(seed, 0, 3) > 0 ? wide : 2 << pick(seed, 0, 2); /* half a vector of some set */
    pad = h + 2 * pad < side || w + 2 * pad < side ? side / 2 : pad;
    p.g[0] = plain(h, w, pick(seed, 1, 40), wide);
    p.g[1] = p.g[0];
    p.g[1].in_c = p.g[1].groups = wide;
    p.g[1].kernel_h = p.g[1].kernel_w = side;
    p.g[1].pad_y = p.g[1].pad_x = pad;
    p.g[1].stride_y = p.g[1].stride_x = pick(seed, 1, 3);
    p.g[1].out_h = (h + 2 * pad - side) / p.g[1].stride_y + 1;
    p.g[1].out_w = (w + 2 * pad - side) / p.g[1].stride_x + 1;
    p.g[2] = plain(p.g[1].out_h, p.g[1].out_w, wide, narrow);
    for (int i = 0; i < PARTS; i++) {
        const struct conv_geometry *g = &p.g[i];
        size_t filters = (size_t)g->filters;
        size_t taps = (size_t)(g->in_c / g->groups) * (size_t)(g->kernel_h * g->kernel_w);
        p.weights[i] = noise(filters * taps, seed);
        p.scale[i] = pick(seed, 0, 3) > 0 ? noise(filters, seed) : NULL;
        p.shift[i] = pick(seed, 0, 3) > 0 ? noise(filters, seed) : NULL;
        p.act[i] = (enum activation)pick(seed, 0, ACT_FUSED_COUNT - 1);
    }
    struct shape in = {h, w, p.has_widen ? p.g[0].in_c : wide};
    struct shape out = {p.g[2].out_h, p.g[2].out_w, narrow};
    p.in = padded_noise(images, in, pick(seed, 0, 2), NAN, seed);
    p.addend = padded_noise(images, out, pick(seed, 0, 2), NAN, seed);
    return p;
}

static void problem_free(struct problem *p)
{
    for (int i = 0; i < PARTS; i++) {
        mem_free(p->weights[i]);
        mem_free(p->scale[i]);
        mem_free(p->shift[i]);
    }
    mem_free(p->in.block);
    mem_free(p->addend.block);
}

static enum conv_algorithm algorithm_of(int part)
{
    return part == 1 ? CONV_DEPTHWISE : CONV_POINTWISE;
}

static struct conv_epilogue epilogue_of(const struct problem *p, int part)
{
    return (struct conv_epilogue){
        .scale = p->scale[part], .shift = p->shift[part], .act = p->act[part]};
}

static float *pack(const struct kernels *kern, const struct problem *p, int part)
{
    const struct conv_geometry *g = &p->g[part];
    float *packed =
        need(mem_alloc_raw(conv_packed_floats(kern, g, algorithm_of(part)), sizeof *packed));
    conv_pack(kern, g, algorithm_of(part), p->weights[part], packed);
    return packed;
}

/* Layer by layer; `out` has no gaps. */
static struct padded one_by_one(const struct kernels *kern, const struct problem *p,
                                float *const *packed)
{
    struct padded so_far = p->in;
    for (int i = p->has_widen ? 0 : 1; i < PARTS; i++) {
        const struct conv_geometry *g = &p->g[i];
        struct padded next =
            padded_make(p->in.t.n, (struct shape){g->out_h, g->out_w, g->filters}, 0, canary);
        struct conv_epilogue e = epilogue_of(p, i);
        conv_forward(kern, g, algorithm_of(i), packed[i], &e, &so_far.t, &next.t, false, NULL);
        if (so_far.block != p->in.block) {
            mem_free(so_far.block);
        }
        so_far = next;
    }
    if (p->has_addend) {
        op_add(kern, ACT_LINEAR, &so_far.t, &p->addend.t, &so_far.t);
    }
    return so_far;
}

static struct padded at_once(const struct kernels *kern, const struct problem *p,
                             float *const *packed)
{
    struct bottleneck_part parts[PARTS];
    for (int i = 0; i < PARTS; i++) {
        parts[i] = (struct bottleneck_part){
            .g = &p->g[i], .packed = packed[i], .epilogue = epilogue_of(p, i)};
    }
    struct bottleneck b = {.depthwise = parts[1], .narrow = parts[2]};
    if (p->has_widen) {
        b.widen = parts[0];
    }
    const struct conv_geometry *g = &p->g[2];
    struct padded out =
        padded_make(p->in.t.n, (struct shape){g->out_h, g->out_w, g->filters}, 3, canary);
    size_t bytes = bottleneck_scratch_bytes(kern, &p->g[1], &p->g[2]);
    void *scratch = need(mem_alloc_raw(bytes, 1));
    memset(scratch, 0xff, bytes);
    bottleneck_forward(kern, &b, &p->in.t, p->has_addend ? &p->addend.t : NULL, &out.t, scratch);
    mem_free(scratch);
    return out;
}

static void check(const struct kernels *kern, const char *isa, const struct problem *p, int number)
{
    const struct conv_geometry *d = &p->g[1];
    float *packed[PARTS];
    for (int i = 0; i < PARTS; i++) {
        packed[i] = pack(kern, p, i);
    }
    struct padded want = one_by_one(kern, p, packed);
    for (int threads = 1; threads <= 8; threads = threads == 3 ? 8 : threads + 1) {
        parallel_set_threads(threads);
        struct padded got = at_once(kern, p, packed);
        if (!same_bits(&want.t, &got.t) || !padded_intact(&got)) {
            printf("  %s, %d threads, problem %d: %dx%dx%d, %d wide, window %d stride %d pad %d, "
                   "to %d\n",
                   isa, threads, number, d->in_h, d->in_w, p->in.t.c, d->in_c, d->kernel_h,
                   d->stride_y, d->pad_y, p->g[2].filters);
            test_failed = true;
        }
        mem_free(got.block);
    }
    parallel_set_threads(0);
    for (int i = 0; i < PARTS; i++) {
        mem_free(packed[i]);
    }
    mem_free(want.block);
}

static void the_bits_of_its_parts(void)
{
    unsigned seed = 3;
    for (int i = 0; i < 120 && !test_failed; i++) {
        struct problem p = problem_make(&seed, 1 + i % 2);
        for (int k = 0; k < ISA_COUNT && !test_failed; k++) {
            const struct kernels *kern = isa_kernels(ISA_NAMES[k]);
            if (kern) {
                CHECK(bottleneck_possible(kern, p.has_widen ? &p.g[0] : NULL, &p.g[1], &p.g[2]));
                check(kern, ISA_NAMES[k], &p, i);
            }
        }
        problem_free(&p);
    }
}

/* ---- plans ---- */

#define CONV(filters, size, groups)                                                                \
    "[convolutional]\nfilters=" #filters "\nsize=" #size "\npad=1\ngroups=" #groups                \
    "\nbatch_normalize=1\nactivation=leaky\n"

/* Each with the number of bottlenecks that a plan finds, which layer ends the last, and how many layers run in another one's turn. */
static const struct {
    const char *what, *sections;
    int bottlenecks, last, fused;
} networks[] = {
    {"two with a shortcut, by way of dropout or not",
     CONV(8, 3, 1) CONV(24, 1, 1) CONV(24, 3, 24)
         CONV(8, 1, 1) "[dropout]\n[shortcut]\nfrom=-5\n" CONV(40, 1, 1) CONV(40, 5, 40)
             CONV(8, 1, 1) "[shortcut]\nfrom=-4\n" CONV(6, 1, 1),
     2, 9, 7},
    {"one that reads what another has made, without widening",
     CONV(8, 1, 1) CONV(8, 3, 8) CONV(12, 1, 1) CONV(12, 3, 12) CONV(9, 1, 1) CONV(4, 1, 1), 2, 4,
     3},
    {"inner outputs that others read, too",
     CONV(8, 1, 1) CONV(8, 3, 8) CONV(8, 1, 1) "[shortcut]\nfrom=-2\n" CONV(8, 1, 1), 0, -1, 0},
    {"what was widened is read later",
     CONV(8, 1, 1) CONV(8, 3, 8) CONV(6, 1, 1) "[route]\nlayers=-1,-3\n" CONV(5, 1, 1), 1, 2, 1},
    {"the sum is activated, so it stays alone",
     CONV(8, 1, 1) CONV(8, 1, 1) CONV(8, 3, 8)
         CONV(8, 1, 1) "[shortcut]\nfrom=-4\nactivation=leaky\n" CONV(5, 1, 1),
     1, 3, 2},
    {"into a concatenation",
     CONV(8, 1, 1) CONV(16, 1, 1) CONV(16, 3, 16)
         CONV(8, 1, 1) "[route]\nlayers=-1,-4\n" CONV(5, 1, 1),
     1, 3, 2},
    {"at the end", CONV(4, 3, 1) CONV(8, 1, 1) CONV(8, 3, 8) CONV(5, 1, 1), 1, 3, 2},
    {"sums of residual blocks, by way of dropout or not",
     CONV(24, 3, 1) CONV(12, 1, 1) CONV(24, 3, 1) "[shortcut]\nfrom=-3\n" CONV(24, 1, 1)
         CONV(24, 3, 1) "[dropout]\n[shortcut]\nfrom=-4\n" CONV(5, 1, 1),
     0, -1, 3},
    {"sums by other algorithms",
     CONV(128, 3, 1) CONV(8, 3, 1) CONV(128, 1, 1) "[shortcut]\nfrom=-3\n" CONV(256, 1, 1)
         CONV(128, 1, 1) "[shortcut]\nfrom=-3\n" CONV(128, 1, 1)
             CONV(128, 3, 128) "[shortcut]\nfrom=-3\n" CONV(64, 3, 1)
                 CONV(128, 5, 1) "[shortcut]\nfrom=-3\n",
     0, -1, 4},
    {"a sum's other input is read later",
     CONV(24, 3, 1) CONV(24, 1, 1)
         CONV(24, 3, 1) "[shortcut]\nfrom=-3\n[route]\nlayers=-1,-4\n" CONV(5, 1, 1),
     0, -1, 0},
    {"a view of a sum's other input is read later",
     CONV(24, 3, 1) "[dropout]\n" CONV(
         24, 3, 1) "[shortcut]\nfrom=-3\n[route]\nlayers=-1,-3\n" CONV(5, 1, 1),
     0, -1, 0},
    {"a sum's other input is the convolution's",
     CONV(24, 3, 1) CONV(24, 3, 1) "[shortcut]\nfrom=-2\n" CONV(5, 1, 1), 0, -1, 0},
    {"the convolution reads a part of a sum's other input",
     CONV(24, 3, 1) "[route]\nlayers=-1\ngroups=2\ngroup_id=1\n" CONV(
         24, 3, 1) "[shortcut]\nfrom=-3\n" CONV(5, 1, 1),
     0, -1, 0},
    {"a sum's other input is a concatenation, of which a source is read later",
     CONV(12, 3, 1) CONV(12, 3, 1) "[route]\nlayers=-1,-2\n" CONV(24, 1, 1)
         CONV(24, 3, 1) "[shortcut]\nfrom=-3\n[shortcut]\nfrom=-6\n" CONV(5, 1, 1),
     0, -1, 0},
    {"a sum's other input is a concatenation",
     CONV(12, 3, 1) CONV(12, 3, 1) "[route]\nlayers=-1,-2\n" CONV(24, 1, 1)
         CONV(24, 3, 1) "[shortcut]\nfrom=-3\n" CONV(5, 1, 1),
     0, -1, 1},
    {"a sum's other input lies in a concatenation",
     CONV(24, 3, 1) CONV(12, 3, 1) "[route]\nlayers=-1,-2\n" CONV(
         24, 3, 1) "[shortcut]\nfrom=-4\n" CONV(5, 1, 1),
     0, -1, 0},
    {"a sum in a concatenation",
     CONV(24, 3, 1) CONV(12, 1, 1) CONV(24, 3, 1) "[shortcut]\nfrom=-3\n" CONV(
         8, 1, 1) "[route]\nlayers=-1,-2\n" CONV(5, 1, 1),
     0, -1, 1},
    {"half of the convolution is added",
     CONV(24, 3, 1) CONV(12, 1, 1)
         CONV(48, 3, 1) "[route]\nlayers=-1\ngroups=2\n[shortcut]\nfrom=-4\n" CONV(5, 1, 1),
     0, -1, 0},
    {"half of a bottleneck is added",
     CONV(24, 3, 1) CONV(24, 1, 1) CONV(24, 3, 24)
         CONV(48, 1, 1) "[route]\nlayers=-1\ngroups=2\n[shortcut]\nfrom=-5\n" CONV(5, 1, 1),
     1, 3, 2},
    {"a sum at the end", CONV(24, 3, 1) CONV(12, 1, 1) CONV(24, 3, 1) "[shortcut]\nfrom=-3\n", 0,
     -1, 1},
};

enum { SIDE = 13, CHANNELS = 3, IMAGES = 2 };

static void fill(struct fixture *f, unsigned seed)
{
    for (int i = 0; i < f->net.layer_count; i++) {
        struct layer *l = &f->net.layers[i];
        for (int k = 0; k < l->param_count; k++) {
            for (size_t v = 0; v < l->params[k].count; v++) {
                float x = test_noise(&seed);
                l->params[k].data[v] = l->params[k].is_statistic ? 0.5f + x * x : x;
            }
        }
    }
}

static int count_layers(const struct fixture *f, const char *algorithm, int *last)
{
    int count = 0;
    *last = -1;
    for (int i = 0; i < f->net.layer_count; i++) {
        if (strcmp(plan_algorithm(f->plan, i), algorithm) == 0) {
            *last = i;
            count++;
        }
    }
    return count;
}

static void check_plan(struct fixture *f, int number, const char *isa, const float *images)
{
    int end = f->net.layer_count - 1, last;
    if (!fixture_plan(f, isa, IMAGES, true)) {
        CHECK_MSG(f->err.text[0] == '\0', "%s", f->err.text);
        return;
    }
    CHECK(count_layers(f, "fused", &last) == 0);
    fixture_run(f, IMAGES, images);
    const struct tensor *out = plan_output(f->plan, end);
    struct padded want = padded_make(IMAGES, (struct shape){out->h, out->w, out->c}, 0, canary);
    for (size_t i = 0; i < tensor_pixels(out); i++) {
        memcpy(want.t.data + i * want.t.stride, out->data + i * out->stride,
               (size_t)out->c * sizeof(float));
    }
    CHECK(fixture_plan(f, isa, IMAGES, false));
    int fused = count_layers(f, "fused", &last);
    int count = count_layers(f, "bottleneck", &last);
    fixture_run(f, IMAGES, images);
    bool same = same_bits(&want.t, plan_output(f->plan, end));
    mem_free(want.block);
    CHECK_MSG(same, "%s: %s: other bits", isa, networks[number].what);
    CHECK_MSG(count == networks[number].bottlenecks && last == networks[number].last,
              "%s: %d bottlenecks, the last at %d", networks[number].what, count, last);
    CHECK_MSG(fused == networks[number].fused, "%s: %d fused", networks[number].what, fused);
}

static void plans_with_fused_layers(void)
{
    unsigned seed = 5;
    float *images = noise((size_t)IMAGES * SIDE * SIDE * CHANNELS, &seed);
    for (int i = 0; i < (int)(sizeof networks / sizeof networks[0]) && !test_failed; i++) {
        struct fixture f;
        if (fixture_open(&f, SIDE, SIDE, CHANNELS, networks[i].sections)) {
            fill(&f, (unsigned)i);
            for (int k = 0; k < ISA_COUNT && !test_failed; k++) {
                check_plan(&f, i, ISA_NAMES[k], images);
            }
        } else {
            printf("  %s\n", f.err.text);
            test_failed = true;
        }
        fixture_close(&f);
    }
    mem_free(images);
}

static const struct test_case cases[] = {
    {"the_bits_of_its_parts", the_bits_of_its_parts},
    {"plans_with_fused_layers", plans_with_fused_layers},
};

TEST_MAIN(cases)
