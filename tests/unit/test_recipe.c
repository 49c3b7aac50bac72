/* What `yolo train` chooses where nobody says: by pictures and start; and who is listened to first. */
#include "train/options.h"
#include "train/recipe.h"

#include "base/fileio.h"
#include "base/listing.h"
#include "base/memory.h"
#include "base/memory_limit.h"
#include "base/path.h"
#include "kernels/kernels.h"
#include "layers/yolo_head.h"
#include "test.h"
#include "train/base_cfg.h"
#include "train/freeze.h"
#include "train/freeze_advice.h"
#include "train/multiscale.h"
#include "train/optimizer.h"
#include "train/step.h"

static struct error err;

/* ---- lengths ---- */

static void test_lengths(void)
{
    static const struct {
        size_t images;
        bool begins_loaded;
        int epochs;
    } rows[] = {
        {205, false, 100}, /* 13 updates each */
        {40, false, 167},  /* 3 updates each: 500 are the least */
        {1, false, 500},   {16, true, 300}, {160, true, 38},
        {205, true, 34},   {448, true, 23}, {5000, true, 20},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int epochs = recipe_epochs(rows[i].images, 16, rows[i].begins_loaded);
        CHECK_MSG(epochs == rows[i].epochs, "%zu pictures: %d passes", rows[i].images, epochs);
    }
    static const struct {
        size_t samples;
        int batch;
        bool begins_loaded;
        int epochs;
    } values[] = {
        {64, 16, false, 125}, {500, 16, false, 16}, {6000, 64, false, 17}, {60000, 64, false, 10},
        {64, 16, true, 75},   {6000, 64, true, 9},  {60000, 64, true, 5},
    };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        int epochs = recipe_value_epochs(values[i].samples, (uint64_t)values[i].batch,
                                         values[i].begins_loaded);
        CHECK_MSG(epochs == values[i].epochs, "%zu samples: %d passes", values[i].samples, epochs);
    }
    CHECK(recipe_warmup(1300) == 20 && recipe_warmup(150) == 15 && recipe_warmup(9) == 0);
}

/* ---- bases ---- */

/* cfg/STEM.cfg with the first `old` of it replaced (NULL: as it is), then the first `old2`. */
static bool edited(const char *stem, const char *const *edits, struct network *net)
{
    char path[128], *text = NULL, *changed = NULL;
    size_t size;
    snprintf(path, sizeof path, "cfg/%s.cfg", stem);
    *net = (struct network){0};
    if (file_read(path, 1 << 20, &text, &size, &err) != OK) {
        return false;
    }
    bool ok = true;
    for (; ok && edits && edits[0]; edits += 2) {
        char *at = strstr(text, edits[0]);
        size_t room = strlen(text) + strlen(edits[1]) + 1;
        ok = at != NULL && (changed = mem_alloc(room, 1)) != NULL;
        if (ok) {
            snprintf(changed, room, "%.*s%s%s", (int)(at - text), text, edits[1],
                     at + strlen(edits[0]));
            mem_free(text);
            text = changed;
        }
    }
    ok = ok && network_parse("t.cfg", text, strlen(text), 64, 64, net, &err) == OK;
    mem_free(text);
    return ok;
}

static void check_base(const char *stem, const char *const *edits, bool is_known)
{
    struct network net;
    struct base_cfg base;
    CHECK_MSG(edited(stem, edits, &net), "%s: %s", stem, err.text);
    CHECK_OK(base_cfg_find(&net.cfg, &base, &err));
    const char *found = base.stem ? base.stem : "none";
    CHECK_MSG(strcmp(found, is_known ? stem : "none") == 0, "%s is %s", stem, found);
    base_cfg_free(&base);
    network_free(&net);
}

static void test_bases(void)
{
    static const char *const classes[] = {"filters = 255", "filters = 24",  "classes = 80",
                                          "classes = 3",   "filters = 255", "filters = 24",
                                          "classes = 80",  "classes = 3",   NULL};
    static const char *const trained[] = {"batch = 64", "batch = 8", "[convolutional]",
                                          "[convolutional]\nstopbackward=1", NULL};
    static const char *const other[] = {"filters = 32", "filters = 16", NULL};
    static const char *const plain[] = {"activation = leaky", "activation = mish", NULL};
    check_base("yolov4-tiny", NULL, true);
    check_base("tabletop", NULL, true);
    check_base("yolov3-tiny", NULL, true);
    check_base("yolov4-tiny-3l", NULL, true);
    check_base("yolov4-tiny", classes, true);
    check_base("yolov4-tiny", trained, true);
    check_base("yolov4-tiny", other, false);
    check_base("yolov4-tiny", plain, false);
    static const char *const two[] = {"output = 10", "output = 2", NULL};
    static const char *const wider[] = {"filters = 32", "filters = 48", NULL};
    check_base("mnist", two, true);
    check_base("mnist", wider, false);
    check_base("mnist-dense", two, true);
    check_base("mnist-encoder", NULL, true);
    check_base("mnist-autoencoder", NULL, true);
}

/* A cfg that is added to cfg/ is a base like the others; the detectors come first, for `yolo init`. */
static void test_every_base(void)
{
    struct listing folder = {0};
    size_t found = 0;
    CHECK_OK(listing_read("cfg", &folder, &err));
    for (size_t i = 0; i < folder.count; i++) {
        char path[512], stem[256];
        struct cfg cfg = {0};
        struct base_cfg base;
        if (!path_ends_in(folder.entries[i].name, ".cfg")) {
            continue;
        }
        snprintf(path, sizeof path, "cfg/%s", folder.entries[i].name);
        path_stem(path, stem, sizeof stem);
        CHECK_OK(cfg_read(path, &cfg, &err));
        CHECK_OK(base_cfg_find(&cfg, &base, &err));
        CHECK_MSG(base.stem && strcmp(base.stem, stem) == 0, "%s is %s", stem,
                  base.stem ? base.stem : "none");
        bool is_detector = strcmp(cfg.sections[cfg.section_count - 1].name, "yolo") == 0;
        for (size_t k = 0; k < base_cfg_count; k++) {
            CHECK_MSG(strcmp(base_cfg_stems[k], stem) != 0 ||
                          (k < base_cfg_detectors) == is_detector,
                      "%s", stem);
        }
        base_cfg_free(&base);
        cfg_free(&cfg);
        found++;
    }
    CHECK(found == base_cfg_count);
    listing_free(&folder);
}

/* ---- who is listened to ---- */

struct settled {
    struct network net;
    struct train_args args;
    struct recipe recipe;
};

static size_t validated = 20;

/* Of cfg/STEM.cfg with edits, so many pictures, and the words. */
static bool settle_of(const char *stem, const char *const *edits, size_t images, bool begins_loaded,
                      char **words, struct settled *s)
{
    int count = 0;
    bool done;
    struct recipe_basis basis = {
        .net = &s->net, .images = images, .begins_loaded = begins_loaded, .valid = validated};
    *s = (struct settled){0};
    while (words[count]) {
        count++;
    }
    return edited(stem, edits, &s->net) &&
           train_args_parse(&s->args, count, words, &done, &err) == OK &&
           kernels_select(NULL, &basis.kernels, &err) == OK &&
           recipe_settle(&s->args, &basis, &s->recipe, &err) == OK;
}

static bool settle(const char *const *edits, bool begins_loaded, char **words, struct settled *s)
{
    return settle_of("yolov4-tiny", edits, 205, begins_loaded, words, s);
}

static void drop(struct settled *s)
{
    train_args_free(&s->args);
    network_free(&s->net);
}

static const struct recipe_choice *choice_of(const struct settled *s, const char *flag)
{
    for (size_t i = 0; i < s->recipe.count; i++) {
        if (strncmp(s->recipe.choices[i].flag, flag, strlen(flag)) == 0) {
            return &s->recipe.choices[i];
        }
    }
    return NULL;
}

#define WORDS(...) ((char *[]){__VA_ARGS__, NULL})

static void test_nothing_said(void)
{
    struct settled s;
    CHECK_MSG(settle(NULL, false, WORDS("--data", "x"), &s), "%s", err.text);
    const struct train_args *a = &s.args;
    CHECK(a->recipe == RECIPE_AUTO && a->batch == 16 && a->subdivisions == 1);
    CHECK(a->optimizer == OPTIMIZER_ADAMW && a->stages.run.policy == RATE_COSINE);
    CHECK_NEAR(a->stages.run.rate, 1e-3, 1e-9);
    CHECK(a->stages.epochs == 100 && a->stages.run.warmup == 20 && a->stages.run.patience == 50);
    CHECK_NEAR(a->ema, 0.99, 1e-6);
    CHECK_NEAR(a->bn_momentum, 0.1, 1e-6);
    CHECK_NEAR(a->assign_iou, 0.213, 1e-6);
    CHECK(a->validate_every == 13);
    CHECK(a->bn_start == 1 && (double)a->clip_norm == 100.0 && a->close_mosaic == 0);
    CHECK(a->best == MEASURE_MAP);
    for (size_t i = 0; i < s.recipe.count; i++) {
        CHECK_MSG(s.recipe.choices[i].by == RECIPE_BY_RECIPE, "%s", s.recipe.choices[i].flag);
    }
    drop(&s);
    CHECK(settle(NULL, true, WORDS("--data", "x"), &s));
    CHECK(s.args.stages.epochs == 34 && s.args.bn_start == 0);
    drop(&s);
}

/* Without boxes: of the program's own cfgs all is the recipe's but what differs; of others each key of [net] counts. */
static void test_values(void)
{
    struct settled s;
    CHECK_MSG(settle_of("mnist", NULL, 6000, false, WORDS("--data", "x"), &s), "%s", err.text);
    const struct train_args *a = &s.args;
    CHECK(a->recipe == RECIPE_AUTO && a->batch == 64 && a->subdivisions == 1);
    CHECK(a->optimizer == OPTIMIZER_ADAMW && a->stages.run.policy == RATE_COSINE);
    CHECK(a->stages.epochs == 17 && a->stages.run.warmup == 20 && a->bn_start == 1);
    CHECK(a->assign_iou < 0 && a->close_mosaic == 0 && a->best == -1);
    drop(&s);
    CHECK(settle_of("mnist", NULL, 200, true, WORDS("--data", "x"), &s));
    CHECK(s.args.batch == 16 && s.args.stages.epochs == 24 && s.args.bn_start == 0);
    drop(&s);
    static const char *const longer[] = {"max_batches = 940", "max_batches = 3000",
                                         "learning_rate = 0.001", "learning_rate = 0.01", NULL};
    CHECK(settle_of("mnist", longer, 6000, false, WORDS("--data", "x"), &s));
    CHECK(!s.args.stages.epochs && choice_of(&s, "--iters 3000")->by == RECIPE_BY_CFG);
    CHECK(choice_of(&s, "--lr 0.01")->by == RECIPE_BY_CFG && s.args.optimizer == -1);
    CHECK(choice_of(&s, "--batch 64")->by == RECIPE_BY_RECIPE);
    drop(&s);
    static const char *const other[] = {"filters = 32", "filters = 48", NULL};
    CHECK(settle_of("mnist", other, 6000, false, WORDS("--data", "x"), &s));
    CHECK(s.args.recipe == RECIPE_AUTO && s.args.optimizer == -1 && !s.args.stages.epochs);
    CHECK(choice_of(&s, "--batch 64")->by == RECIPE_BY_CFG);
    CHECK(choice_of(&s, "--optimizer adam")->by == RECIPE_BY_CFG);
    CHECK(choice_of(&s, "--lr-policy steps")->by == RECIPE_BY_CFG);
    CHECK(choice_of(&s, "--iters 940")->by == RECIPE_BY_CFG);
    CHECK(choice_of(&s, "--warmup 0")->by == RECIPE_BY_CFG);
    CHECK(choice_of(&s, "--bn-start mean")->by == RECIPE_BY_RECIPE);
    drop(&s);
    CHECK(settle_of("mnist", other, 6000, false, WORDS("--data", "x", "--recipe", "auto"), &s));
    CHECK(s.args.optimizer == OPTIMIZER_ADAMW && s.args.stages.epochs == 17); /* asked for */
    drop(&s);
    CHECK(settle_of("mnist", NULL, 6000, false, WORDS("--data", "x", "--recipe", "darknet"), &s));
    CHECK(s.args.optimizer == -1 && s.recipe.count == 0);
    drop(&s);
}

/* At most about a tenth of the time, at least once a pass. */
static void test_validation(void)
{
    static const struct {
        size_t valid;
        int every, patience;
    } rows[] = {{1, 13, 50}, {61, 13, 50}, {62, 26, 25}, {87, 26, 25}, {205, 52, 12}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct settled s;
        validated = rows[i].valid;
        CHECK(settle(NULL, false, WORDS("--data", "x"), &s));
        CHECK_MSG(s.args.validate_every == rows[i].every, "%zu: every %d", rows[i].valid,
                  s.args.validate_every);
        CHECK(s.args.stages.run.patience == rows[i].patience);
        drop(&s);
    }
    validated = 0;
    struct settled s;
    CHECK(settle(NULL, false, WORDS("--data", "x"), &s));
    CHECK(s.args.validate_every == 0 && s.args.stages.run.patience == 0);
    drop(&s);
    validated = 20;
}

static void test_command_line_first(void)
{
    struct settled s;
    static const char *const edits[] = {"batch = 64", "batch = 32", NULL};
    CHECK_MSG(settle(edits, false,
                     WORDS("--batch", "8", "--lr", "0.01", "--epochs", "30", "--ema", "0",
                           "--clip-norm", "0", "--bn-momentum", ".02", "--patience", "0"),
                     &s),
              "%s", err.text);
    const struct train_args *a = &s.args;
    CHECK(a->batch == 8 && a->optimizer == -1); /* the rate is meant for the cfg's optimiser */
    CHECK_NEAR(a->stages.run.rate, 0.01, 1e-9);
    CHECK(a->stages.epochs == 30 && a->stages.run.patience == 0 && a->bn_start == 0);
    CHECK((double)a->ema == 0.0 && (double)a->clip_norm == 0.0);
    CHECK_NEAR(a->bn_momentum, 0.02, 1e-9);
    CHECK(choice_of(&s, "--batch")->by == RECIPE_BY_COMMAND_LINE);
    drop(&s);
    CHECK(settle(NULL, false, WORDS("--optimizer", "adam"), &s));
    CHECK_NEAR(s.args.stages.run.rate, 1e-3, 1e-9);
    drop(&s);
    CHECK(settle(NULL, false, WORDS("--optimizer", "sgd"), &s));
    CHECK((double)s.args.stages.run.rate < 0.0); /* the cfg's */
    drop(&s);
}

static void test_cfg_second(void)
{
    struct settled s;
    static const char *const edits[] = {"batch = 64",
                                        "batch = 32",
                                        "learning_rate = 0.00261",
                                        "learning_rate = 0.002",
                                        "burn_in = 1000",
                                        "burn_in = 900",
                                        "max_batches = 2000200",
                                        "max_batches = 3000",
                                        "steps = 1600000, 1800000",
                                        "steps = 1000, 2700",
                                        "[yolo]",
                                        "[yolo]\niou_thresh=.3",
                                        NULL};
    CHECK_MSG(settle(edits, false, WORDS("--data", "x"), &s), "%s", err.text);
    const struct train_args *a = &s.args;
    CHECK(a->batch == 32 && a->optimizer == -1 && (double)a->stages.run.rate < 0.0);
    CHECK(a->stages.run.policy == -1 && a->stages.epochs == 0 && (double)a->assign_iou < 0.0);
    CHECK(a->stages.run.warmup == 300); /* never more than a tenth */
    CHECK(choice_of(&s, "--iters 3000")->by == RECIPE_BY_CFG);
    CHECK_NEAR(a->ema, 0.99, 1e-6);
    drop(&s);
}

/* max_batches and steps as `yolo init` writes them are the recipe's own. */
static void test_of_init(void)
{
    struct settled s;
    static const char *const edits[] = {"batch = 64",
                                        "batch = 16",
                                        "burn_in = 1000",
                                        "burn_in = 20",
                                        "max_batches = 2000200",
                                        "max_batches = 442",
                                        "steps = 1600000, 1800000",
                                        "steps = 353, 397",
                                        NULL};
    CHECK_MSG(settle(edits, false, WORDS("--data", "x"), &s), "%s", err.text);
    CHECK(s.args.stages.epochs == 100 && s.args.stages.run.policy == RATE_COSINE);
    CHECK(choice_of(&s, "--epochs")->by == RECIPE_BY_RECIPE);
    drop(&s);
}

static void test_darknet(void)
{
    struct settled s;
    static const char *const other[] = {"filters = 32", "filters = 16", NULL};
    for (int i = 0; i < 2; i++) {
        CHECK(settle(i ? other : NULL, false,
                     i ? WORDS("--data", "x") : WORDS("--recipe", "darknet"), &s));
        const struct train_args *a = &s.args;
        CHECK(a->recipe == RECIPE_DARKNET && s.recipe.count == 0);
        CHECK(a->batch == 0 && a->optimizer == -1 && a->stages.run.policy == -1);
        CHECK(a->stages.run.warmup == -1 && a->stages.run.patience == 0 && a->close_mosaic == 0);
        CHECK_NEAR(a->bn_momentum, 0.01, 1e-9);
        CHECK((double)a->clip_norm == 0.0 && (double)a->assign_iou < 0.0 && a->best == -1);
        drop(&s);
    }
    CHECK(settle(other, false, WORDS("--recipe", "auto"), &s));
    CHECK(s.args.recipe == RECIPE_AUTO && s.args.batch == 16);
    drop(&s);
}

/* Stages say their own rates and lengths; the rest is chosen for them, too. */
static void test_stages(void)
{
    struct settled s;
    CHECK(settle(
        NULL, true,
        WORDS("--stage", "freeze=backbone epochs=3 lr=1e-3", "--stage", "freeze=none epochs=4"),
        &s));
    CHECK(s.args.optimizer == -1 && s.args.stages.epochs == 0 && s.args.stages.run.patience == 0);
    CHECK(s.args.stages.run.warmup == -1 && s.args.batch == 16);
    CHECK_NEAR(s.args.bn_momentum, 0.1, 1e-6);
    drop(&s);
    CHECK(settle(NULL, true,
                 WORDS("--stage", "freeze=backbone epochs=3", "--stage", "freeze=none epochs=4"),
                 &s));
    CHECK(s.args.optimizer == OPTIMIZER_ADAMW);
    CHECK_NEAR(s.args.stages.run.rate, 1e-3, 1e-9);
    drop(&s);
}

/* Where the cfg's own steps hold, they reach a shorter run. */
static void test_steps_move(void)
{
    struct settled s;
    static const char *const edits[] = {"scales = .1, .1", "scales = .5, .5", NULL};
    CHECK(settle(edits, false, WORDS("--iters", "1000"), &s));
    CHECK(s.args.stages.run.policy == -1);
    recipe_move_steps(&s.args, &s.net.options, 1000);
    CHECK(s.net.options.steps[0] == 799 || s.net.options.steps[0] == 800);
    CHECK(s.net.options.steps[1] == 899 || s.net.options.steps[1] == 900);
    drop(&s);
}

/* A mini-batch is as large as half of the memory allows. */
static void test_memory(void)
{
    struct network net;
    const struct kernels *kernels;
    double bytes, whole;
    CHECK(edited("yolov4-tiny", NULL, &net));
    CHECK_OK(kernels_select(NULL, &kernels, &err));
    CHECK(recipe_subdivisions(&net, kernels, NULL, 16, &whole) == 1);
    CHECK(whole > 1e6 && whole < 1e9);
    int parts = recipe_subdivisions(&net, kernels, NULL, 1 << 14, &bytes);
    CHECK_MSG(bytes <= memory_limit("") / 2 || parts == 1 << 14, "%g bytes", bytes);
    CHECK((1 << 14) % parts == 0);
    network_free(&net);
}

/* What is said of a step before it is made is what it then takes, at the largest size of multi-scale too. */
static void test_measure(void)
{
    struct network net;
    const struct kernels *kernels;
    struct freeze_set nothing = {0}, backbone = {0};
    CHECK(edited("yolov4-tiny", NULL, &net));
    CHECK_OK(kernels_select(NULL, &kernels, &err));
    CHECK_OK(freeze_set_make(&net, "none", BN_AUTO, NULL, &nothing, &err));
    CHECK_OK(freeze_set_make(&net, "backbone", BN_AUTO, NULL, &backbone, &err));
    struct step_options options[] = {
        {.modes = nothing.modes, .batch = 2, .optimizer = {.kind = OPTIMIZER_SGD}},
        {.modes = nothing.modes,
         .batch = 3,
         .optimizer = {.kind = OPTIMIZER_ADAMW, .ema_decay = 0.9f}},
        {.modes = backbone.modes,
         .batch = 3,
         .optimizer = {.kind = OPTIMIZER_ADAM, .ema_decay = 0.9f}},
    };
    double bytes, least = 1e18;
    for (size_t i = 0; i < 3; i++) {
        options[i].net = &net;
        options[i].kernels = kernels;
        options[i].optimizer.kernels = kernels;
        CHECK_OK(step_measure(&options[i], 2.0, &bytes, &err));
        CHECK(bytes < least || i == 1);
        least = bytes;
    }
    CHECK_OK(network_allocate(&net, &err));
    network_initialise(&net, 1);
    size_t parameters = network_param_floats(&net, net.layer_count, NULL) * sizeof(float);
    for (size_t i = 0; i < 3; i++) {
        struct step step = {0};
        CHECK_OK(step_measure(&options[i], 1.0, &bytes, &err));
        CHECK_OK(step_open(&options[i], &step, &err));
        size_t made = step_bytes(&step) + parameters;
        CHECK_MSG(bytes == (double)made, "%g, in fact %zu", bytes, made);
        step_close(&step);
    }
    freeze_set_free(&nothing);
    freeze_set_free(&backbone);
    network_free(&net);
}

static void test_growth(void)
{
    static const float factors[] = {0.0f, 0.5f, 1.0f, 1.2f, 2.0f};
    for (size_t i = 0; i < sizeof factors / sizeof factors[0]; i++) {
        struct multiscale sizes = {factors[i], 32, 416, 320, 7};
        double base = 416.0 * 320.0, most = base;
        for (uint64_t update = 0; update < 20000; update += 10) {
            int w, h;
            multiscale_size(&sizes, update, &w, &h);
            most = (double)w * h > most ? (double)w * h : most;
        }
        double growth = multiscale_growth(&sizes); /* both sides at their largest: seldom drawn */
        CHECK_MSG(most / base <= growth && most / base > 0.9 * growth, "random=%g: %g, drawn %g",
                  (double)factors[i], growth, most / base);
    }
}

static void test_assignment(void)
{
    struct network net;
    CHECK(edited("yolov4-tiny", NULL, &net));
    const struct layer *head = network_head_layer(&net, 0);
    struct layer *layer = &net.layers[head->index];
    CHECK_NEAR(((const struct yolo_head *)layer->state)->iou_thresh, 1.0, 0.0);
    CHECK(yolo_head_assign(layer, 0.25f));
    CHECK_NEAR(((const struct yolo_head *)layer->state)->iou_thresh, 0.25, 0.0);
    CHECK(!yolo_head_assign(&net.layers[0], 0.25f));
    network_free(&net);
}

/* --freeze auto: what follows from what was found. */
static void test_freeze_advice(void)
{
    static const struct {
        struct freeze_evidence found;
        enum freeze_advice advice;
        const char *why;
    } rows[] = {
        {{false, true, 16, 16, 0, (double)NAN, (double)NAN}, ADVICE_FREE, "random numbers"},
        {{true, false, 16, 16, 0, (double)NAN, (double)NAN}, ADVICE_FREE, "no backbone"},
        {{true, true, 16, 16, 0, 10, 12}, ADVICE_FREE, "30 trial updates the loss is 12"},
        {{true, true, 16, 16, 0, 10, 9.9}, ADVICE_FREE, "has to learn"}, /* not clearly ahead */
        {{true, true, 16, 16, 0, 10, 9.5}, ADVICE_FIRST, "fits these pictures"},
        {{true, true, 16, 16, 0, (double)NAN, 9.5},
         ADVICE_FIRST,
         "fits these pictures"}, /* it diverged */
        {{true, true, 16, 16, 0, 10, (double)NAN}, ADVICE_FREE, "has to learn"},
        {{true, true, 2, 8, 0, 10, 12}, ADVICE_KEEP, "mini-batches of 2"},
        {{true, true, 2, 2, 0, 10, 12}, ADVICE_FREE, "has to learn"}, /* freezing helps nothing */
        {{true, true, 16, 16, 40, 10, 12}, ADVICE_KEEP, "only 40 updates"},
        {{true, true, 16, 16, 400, 10, 12}, ADVICE_FREE, "has to learn"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char why[256];
        enum freeze_advice advice = freeze_advice_of(&rows[i].found, why, sizeof why);
        CHECK_MSG(advice == rows[i].advice && strstr(why, rows[i].why), "row %zu: %d, %s", i,
                  (int)advice, why);
    }
}

static const struct test_case cases[] = {
    {"lengths", test_lengths},
    {"bases", test_bases},
    {"values", test_values},
    {"every base", test_every_base},
    {"nothing_said", test_nothing_said},
    {"validation", test_validation},
    {"command_line_first", test_command_line_first},
    {"cfg_second", test_cfg_second},
    {"of_init", test_of_init},
    {"darknet", test_darknet},
    {"stages", test_stages},
    {"steps_move", test_steps_move},
    {"memory", test_memory},
    {"assignment", test_assignment},
    {"measure", test_measure},
    {"growth", test_growth},
    {"freeze_advice", test_freeze_advice},
};

TEST_MAIN(cases)
