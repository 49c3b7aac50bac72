/* Running from the kept outputs of a frozen prefix: every prefix and many other frozen sets of a
 * network with views, concatenations, in-place layers and two heads give, bit for bit, the losses,
 * gradients and statistics of the whole forward, in other batches than the features were written
 * down in, and with everything that is left out poisoned. */
#include "net/features.h"

#include "base/memory.h"
#include "base/rng.h"
#include "fixture.h"
#include "net/modes.h"

enum { BATCH = 3, IMAGES = 6, SIDE = 32, CHANNELS = 3, HEADS = 2, MAX_LAYERS = 32 };

static const char sections[] =
    /* 0 */
    "[convolutional]\nbatch_normalize=1\nfilters=8\nsize=3\nstride=2\npad=1\nactivation=leaky\n"
    /* 1 */ "[convolutional]\nbatch_normalize=1\nfilters=16\nsize=3\nstride=2\npad=1\nactivation="
    "mish\n"
    /* 2 */ "[route]\nlayers=-1\ngroups=2\ngroup_id=1\n" /* a view */
    /* 3 */ "[convolutional]\nbatch_normalize=1\nfilters=8\nsize=3\npad=1\nactivation=leaky\n"
    /* 4 */ "[convolutional]\nbatch_normalize=1\nfilters=8\nsize=3\npad=1\nactivation=linear\n"
    /* 5 */ "[shortcut]\nfrom=-2\nactivation=leaky\n" /* in place */
    /* 6 */ "[route]\nlayers=-1,-3\n"                 /* placed; 3 is read again */
    /* 7 */ "[convolutional]\nbatch_normalize=1\nfilters=16\nsize=1\nactivation=leaky\n"
    /* 8 */ "[route]\nlayers=-7,-1\n"
    /* 9 */ "[maxpool]\nsize=2\nstride=2\n"
    /* 10 */ "[convolutional]\nfilters=12\nsize=1\nactivation=linear\n"
    /* 11 */ "[activation]\nactivation=mish\n"
    /* 12 */ "[maxpool]\nsize=3\nstride=1\n"
    /* 13 */ "[route]\nlayers=-2\n"
    /* 14 */ "[maxpool]\nsize=5\nstride=1\n"
    /* 15 */ "[route]\nlayers=-1,-3,-4\n" /* spatial pyramid */
    /* 16 */ "[dropout]\nprobability=.3\n"
    /* 17 */ "[convolutional]\nbatch_normalize=1\nfilters=14\nsize=3\npad=1\nactivation=leaky\n"
    /* 18 */ "[convolutional]\nfilters=14\nsize=1\nactivation=linear\n"
    /* 19 */ "[yolo]\nclasses=2\nnum=2\nmask=0,1\nanchors=6,6,12,14\niou_loss=ciou\n"
    /* 20 */ "[route]\nlayers=-3\n"
    /* 21 */ "[upsample]\nstride=2\n"
    /* 22 */ "[route]\nlayers=8,-1\n"
    /* 23 */ "[convolutional]\nbatch_normalize=1\nfilters=8\nsize=3\npad=1\nactivation=swish\n"
    /* 24 */ "[convolutional]\nfilters=14\nsize=1\nactivation=linear\n"
    /* 25 */ "[yolo]\nclasses=2\nnum=2\nmask=0,1\nanchors=3,4,7,5\niou_loss=ciou\n";
enum { LAYERS = 26 };

struct side {
    struct fixture f;
    enum layer_mode modes[MAX_LAYERS];
    struct loss_parts parts[HEADS];
};

static void randomise(struct network *net)
{
    unsigned noise = 5;
    for (int i = 0; i < net->layer_count; i++) {
        for (int k = 0; k < net->layers[i].param_count; k++) {
            const struct param *p = &net->layers[i].params[k];
            float scale = p->fan_in > 0 ? 1.5f / sqrtf((float)p->fan_in) : 0.3f;
            for (size_t j = 0; j < p->count; j++) {
                p->data[j] = p->initial + scale * test_noise(&noise);
            }
        }
    }
}

static bool side_open(struct side *s, const struct kernels *kern, const bool *frozen,
                      enum bn_policy bn)
{
    *s = (struct side){0};
    if (!fixture_open(&s->f, SIDE, SIDE, CHANNELS, sections)) {
        return false;
    }
    randomise(&s->f.net);
    modes_resolve(&s->f.net, frozen, bn, s->modes);
    struct plan_options options = {.batch = BATCH, .modes = s->modes, .bn_momentum = 0.1f};
    return plan_build(&s->f.net, kern, &options, &s->f.plan, &s->f.err) == OK;
}

/* Picture `which` becomes image n. */
static void put_image(const struct plan *plan, int n, int which)
{
    float image[SIDE * SIDE * CHANNELS];
    unsigned noise = 100 + (unsigned)which;
    struct tensor input = *plan_input(plan);
    for (int i = 0; i < SIDE * SIDE * CHANNELS; i++) {
        image[i] = which < 0 ? NAN : test_noise(&noise);
    }
    tensor_from_planar(&input, n, image);
}

static void put_images(const struct plan *plan, const int *which)
{
    for (int n = 0; n < BATCH; n++) {
        put_image(plan, n, which ? which[n] : -1);
    }
}

static void learn(struct side *s)
{
    static const struct truth truths[] = {{{0.4f, 0.6f, 0.3f, 0.5f}, 1},
                                          {{0.6f, 0.3f, 0.2f, 0.2f}, 0}};
    const struct truth_set sets[BATCH] = {{.items = truths, .count = 1},
                                          {.items = truths + 1, .count = 1},
                                          {.items = truths, .count = 2}};
    struct loss_parts sum = {0};
    plan_loss(s->f.plan, sets, &sum, s->parts);
    plan_backward(s->f.plan);
}

/* Losses, gradients, statistics. */
static bool sides_equal(const struct side *a, const struct side *b)
{
    if (memcmp(a->parts, b->parts, sizeof a->parts) != 0 ||
        !(a->parts[0].objectness + a->parts[1].objectness > 0)) {
        printf("  the losses differ: %.17g, %.17g\n", a->parts[0].objectness,
               b->parts[0].objectness);
        return false;
    }
    for (int i = 0; i < LAYERS; i++) {
        for (int k = 0; k < a->f.net.layers[i].param_count; k++) {
            const struct param *p = &a->f.net.layers[i].params[k],
                               *q = &b->f.net.layers[i].params[k];
            const float *g = plan_gradient(a->f.plan, i, k), *h = plan_gradient(b->f.plan, i, k);
            bool equal = memcmp(p->data, q->data, p->count * sizeof(float)) == 0 && !g == !h &&
                         (!g || memcmp(g, h, p->count * sizeof(float)) == 0);
            if (!equal) {
                printf("  layer %d %s differs\n", i, p->role);
                return false;
            }
        }
    }
    return true;
}

static const int batches[][BATCH] = {{0, 1, 2}, {3, 4, 5}};
static const int mixed[BATCH] = {4, 0, 2};

static bool check_set(const struct kernels *kern, const bool *frozen, enum bn_policy bn, int *kept)
{
    struct side whole, writer, short_cut;
    struct features features = {0};
    float *rows[IMAGES] = {0};
    const float *picked[BATCH];
    bool ok = side_open(&whole, kern, frozen, bn) && side_open(&writer, kern, frozen, bn) &&
              side_open(&short_cut, kern, frozen, bn) &&
              features_find(&whole.f.net, whole.modes, &features, &whole.f.err) == OK;
    *kept = features.kept;
    for (int i = 0; ok && i < IMAGES; i++) {
        ok = (rows[i] = mem_alloc(features.floats, sizeof(float))) != NULL;
    }
    if (ok && features.kept > 0) {
        for (int b = 0; b < 2; b++) {
            put_images(writer.f.plan, batches[b]);
            features_record(&features, writer.f.plan, BATCH, rows + b * BATCH);
        }
        put_images(short_cut.f.plan, NULL); /* poison in every buffer */
        plan_forward(short_cut.f.plan, BATCH);
        for (int i = 0; i < LAYERS; i++) { /* and its traces in the statistics away again */
            for (int k = 0; k < whole.f.net.layers[i].param_count; k++) {
                const struct param *p = &whole.f.net.layers[i].params[k];
                memcpy(short_cut.f.net.layers[i].params[k].data, p->data, p->count * sizeof(float));
            }
        }
        put_images(whole.f.plan, mixed);
        for (int n = 0; n < BATCH; n++) {
            picked[n] = rows[mixed[n]];
        }
        plan_set_seed(whole.f.plan, 7);
        plan_set_seed(short_cut.f.plan, 7);
        plan_forward(whole.f.plan, BATCH);
        features_forward(&features, short_cut.f.plan, BATCH, picked);
        learn(&whole);
        learn(&short_cut);
        ok = sides_equal(&whole, &short_cut);
    }
    for (int i = 0; i < IMAGES; i++) {
        mem_free(rows[i]);
    }
    features_free(&features);
    fixture_close(&whole.f);
    fixture_close(&writer.f);
    fixture_close(&short_cut.f);
    return ok;
}

static void test_prefixes(void)
{
    static const enum bn_policy policies[] = {BN_AUTO, BN_EVAL};
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const struct kernels *kern = isa_kernels(ISA_NAMES[isa]);
        for (int last = 0; kern && last < LAYERS - 2; last++) {
            bool frozen[MAX_LAYERS] = {0};
            int kept;
            memset(frozen, true, (size_t)last + 1);
            CHECK_MSG(check_set(kern, frozen, policies[last % 2], &kept), "layers 0-%d frozen, %s",
                      last, kernels_isa(kern));
            CHECK_MSG(kept > 0, "layers 0-%d", last);
        }
    }
}

static void test_other_sets(void)
{
    struct rng rng = rng_make(1, 2, 3);
    int with = 0;
    for (int round = 0; round < 60; round++) {
        const struct kernels *kern = isa_kernels(ISA_NAMES[round % ISA_COUNT]);
        bool frozen[MAX_LAYERS] = {0};
        int kept;
        for (int i = 0; i < LAYERS; i++) {
            frozen[i] = rng_below(&rng, 5) > 0; /* most */
        }
        frozen[17] = false; /* something has to move */
        if (kern) {
            CHECK_MSG(check_set(kern, frozen, BN_AUTO, &kept), "round %d", round);
            with += kept > 0;
        }
    }
    CHECK_MSG(with > 5, "%d", with);
}

/* ---- gradients above a prefix ---- */

static void learn_from_noise(struct side *s)
{
    for (int round = 0; round < 2;
         round++) { /* the first one leaves poison wherever nobody writes */
        memset(s->parts, 0, sizeof s->parts);
        put_images(s->f.plan, round == 0 ? NULL : mixed);
        plan_set_seed(s->f.plan, 7);
        plan_forward(s->f.plan, BATCH);
        learn(s);
    }
}

static bool gradients_agree(const struct side *a, const struct side *b, int layer)
{
    for (int k = 0; k < a->f.net.layers[layer].param_count; k++) {
        const float *g = plan_gradient(a->f.plan, layer, k),
                    *h = plan_gradient(b->f.plan, layer, k);
        double most = 0.0, worst = 0.0;
        for (size_t j = 0; g && j < a->f.net.layers[layer].params[k].count; j++) {
            double gap = fabs((double)g[j] - (double)h[j]);
            most = fabs((double)h[j]) > most ? fabs((double)h[j]) : most;
            worst = gap <= worst ? worst : isnan(gap) ? (double)INFINITY : gap;
        }
        if (!(worst <= 2e-5 * most)) {
            printf("  layer %d %s: %g of %g\n", layer, a->f.net.layers[layer].params[k].role, worst,
                   most);
            return false;
        }
    }
    return true;
}

/* Of concatenations with frozen sources only the others' channels get a gradient; nobody misses the
 * rest. */
static void test_gradients_above(void)
{
    const bool nothing[MAX_LAYERS] = {0};
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const struct kernels *kern = isa_kernels(ISA_NAMES[isa]);
        for (int last = 0; kern && last < 10; last++) { /* then the dropout is of the prefix */
            bool frozen[MAX_LAYERS] = {0}, ok;
            struct side some, all;
            memset(frozen, true, (size_t)last + 1);
            CHECK(side_open(&some, kern, frozen, BN_EVAL) &&
                  side_open(&all, kern, nothing, BN_EVAL));
            learn_from_noise(&some);
            learn_from_noise(&all);
            ok = memcmp(some.parts, all.parts, sizeof some.parts) == 0;
            for (int i = last + 1; ok && i < LAYERS; i++) {
                ok = gradients_agree(&some, &all, i);
            }
            fixture_close(&some.f);
            fixture_close(&all.f);
            CHECK_MSG(ok, "layers 0-%d, %s", last, kernels_isa(kern));
        }
    }
}

/* ---- what is kept ---- */

static const char *kept_layers(const char *text, int first_moving, enum bn_policy bn)
{
    static char layers[256];
    struct fixture f;
    struct features features = {0};
    bool frozen[MAX_LAYERS] = {0};
    enum layer_mode modes[MAX_LAYERS];
    memset(frozen, true, (size_t)first_moving);
    snprintf(layers, sizeof layers, "failed");
    if (fixture_open(&f, SIDE, SIDE, CHANNELS, text)) {
        modes_resolve(&f.net, frozen, bn, modes);
        if (features_find(&f.net, modes, &features, &f.err) == OK && features.kept > 0) {
            features_describe(&features, layers, sizeof layers);
            size_t used = strlen(layers);
            snprintf(layers + used, sizeof layers - used, ": %zu", features.floats);
        } else {
            snprintf(layers, sizeof layers, "none");
        }
        features_free(&features);
    }
    fixture_close(&f);
    return layers;
}

static void test_choice(void)
{
    const struct {
        int first_moving;
        const char *kept;
    } cases[] = {
        {0, "none"},
        {1, "layer 0: 2048"},
        {2, "layer 1: 1024"}, /* also 2 and 8 are of it */
        {5, "layers 1, 3, 4: 2048"},
        {6, "layers 1, 3, 4: 2048"},   /* 3 is wanted anyway, so the shortcut runs */
        {8, "layers 1, 7: 2048"},      /* instead of the route of both */
        {10, "layers 1, 7: 2048"},     /* nor what is pooled of it */
        {15, "layers 1, 7, 10: 2240"}, /* poolings and routes run */
        {17, "layers 1, 7, 10: 2240"},
        {22, "layers 1, 7, 17: 2272"}, /* not the upsampled one, nothing of the frozen head */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *kept = kept_layers(sections, cases[i].first_moving, BN_AUTO);
        CHECK_MSG(strcmp(kept, cases[i].kept) == 0, "%d frozen: %s, expected %s",
                  cases[i].first_moving, kept, cases[i].kept);
    }
    CHECK(strcmp(kept_layers(sections, 8, BN_TRAIN), "none") == 0); /* statistics move */
    /* Only a pooling lies before what moves: nothing is frozen, nothing to gain. */
    CHECK(strcmp(kept_layers("[maxpool]\nsize=2\nstride=2\n[convolutional]\nfilters=7\nsize=1\n"
                             "activation=linear\n[yolo]\nclasses=2\nnum=1\nmask=0\nanchors=3,4\n",
                             0, BN_AUTO),
                 "none") == 0);
}

static const struct test_case cases[] = {
    {"every prefix gives the bits of the whole forward", test_prefixes},
    {"other frozen sets, too", test_other_sets},
    {"gradients above a prefix", test_gradients_above},
    {"what is kept", test_choice},
};
TEST_MAIN(cases)
