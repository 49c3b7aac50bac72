/* What the training loop writes into results.csv: the rate that made an update, and after a
 * roll-back nothing of what was undone. */
#include "train/trainer.h"

#include <math.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "capture.h"
#include "net/network.h"
#include "picture_set.h"

static const char cfg[] =
    "[net]\nwidth=32\nheight=32\nchannels=3\n"
    "[convolutional]\nbatch_normalize=1\nfilters=4\nsize=3\nstride=4\npad=1\nactivation=leaky\n"
    "[convolutional]\nfilters=24\nsize=1\nactivation=linear\n"
    "[yolo]\nclasses=7\nnum=2\nmask=0,1\nanchors=6,6,12,14\nmax=9\n";

enum { UPDATES = 8, ROWS = 32 };

static char folder[64];

static void remove_folder(void)
{
    char command[96];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) != 0) {
        perror(command);
    }
}

/* A validation every fourth update; the one with number `bad` finds a loss that is not finite. */
struct validations {
    int made, bad;
    bool mean_first;  /* --bn-start mean */
    float first_mean; /* what the running means begin with */
    float means[4];   /* of the first layer at the end */
};

static enum result validate(void *ctx, struct network *net, struct validation *found,
                            struct error *e)
{
    struct validations *v = ctx;
    bool is_bad = ++v->made == v->bad;
    (void)net, (void)e;
    *found = (struct validation){
        .map50 = is_bad ? 0.9 : 0.5, .map = 0.25, .loss = is_bad ? (double)INFINITY : 1.0};
    return OK;
}

struct row {
    int iteration;
    double rate, map50, map; /* mAPs NaN: an empty cell */
};

static int read_rows(struct row *rows)
{
    char path[128], *text = NULL;
    size_t size;
    int count = 0;
    snprintf(path, sizeof path, "%s/results.csv", folder);
    if (file_read(path, 1 << 20, &text, &size, &err) != OK) {
        return 0;
    }
    char *line = strchr(text, '\n'); /* behind the header */
    while (line && line[1] && count < ROWS) {
        double cells[13];
        char *at = line + 1;
        for (int k = 0; k < 13; k++) {
            char *end;
            cells[k] = strtod(at, &end);
            cells[k] = end == at ? (double)NAN : cells[k];
            at += strcspn(at, ",\n") + 1;
        }
        rows[count++] = (struct row){(int)cells[0], cells[3], cells[11], cells[12]};
        line = strchr(line + 1, '\n');
    }
    mem_free(text);
    return count;
}

/* Rates 0.01, from update 3 on a tenth of it, from update 6 on a hundredth. */
static int run(struct validations *validations, struct row *rows)
{
    static const int steps[] = {3, 6};
    static const float scales[] = {0.1f, 0.1f};
    struct network net = {0};
    struct dataset set = open_set();
    struct train_outcome outcome;
    struct train_stage stage = {.title = "only",
                                .schedule = {.rate = 0.01f,
                                             .policy = RATE_STEPS,
                                             .steps = steps,
                                             .scales = scales,
                                             .step_count = 2},
                                .iterations = UPDATES};
    struct train_options options = {.folder = folder,
                                    .net = &net,
                                    .task = TASK_DETECT,
                                    .set = &set,
                                    .augment = {.max_truths = 9},
                                    .resize_step = 32,
                                    .optimizer = {.momentum = 0.9f},
                                    .stages = &stage,
                                    .stage_count = 1,
                                    .mini_batch = 2,
                                    .subdivisions = 1,
                                    .bn_momentum = 0.1f,
                                    .bn_mean_first = validations->mean_first,
                                    .seed = 5,
                                    .loader_threads = 1,
                                    .cache_bytes = 1000000,
                                    .validate_every = 4,
                                    .checkpoint_every = 2,
                                    .log_every = 1,
                                    .fingerprint = {1, 2, "seed=5\n", "only\n"},
                                    .validate = validate,
                                    .ctx = validations};
    parallel_set_threads(1);
    if (!folder[0]) {
        snprintf(folder, sizeof folder, "/tmp/test_trainer.%d", (int)getpid());
        atexit(remove_folder);
    }
    remove_folder();
    capture_begin();
    bool ok = dir_make(folder, &err) == OK &&
              network_parse("t.cfg", cfg, sizeof cfg - 1, 0, 0, &net, &err) == OK &&
              network_allocate(&net, &err) == OK &&
              kernels_select(NULL, &options.kern, &err) == OK &&
              freeze_set_make(&net, NULL, BN_AUTO, NULL, &stage.freeze, &err) == OK;
    if (ok) {
        network_initialise(&net, 3);
        float *means = layer_param(&net.layers[0], "rolling_mean")->data;
        for (int i = 0; i < 4; i++) {
            means[i] += validations->first_mean;
        }
        ok = trainer_run(&options, &outcome, &err) == OK && !outcome.diverged;
        memcpy(validations->means, means, sizeof validations->means);
    }
    capture_end();
    freeze_set_free(&stage.freeze);
    network_free(&net);
    dataset_free(&set);
    if (!ok) {
        printf("  %s\n", err.text);
    }
    return ok ? read_rows(rows) : 0;
}

static void test_rates(void)
{
    struct validations validations = {0};
    struct row rows[ROWS];
    CHECK(run(&validations, rows) == UPDATES);
    for (int i = 0; i < UPDATES && !test_failed; i++) {
        int n = i + 1;
        CHECK(rows[i].iteration == n);
        CHECK_NEAR(rows[i].rate, n < 3 ? 0.01 : n < 6 ? 0.001 : 0.0001, 1e-6 * rows[i].rate);
    }
}

/* The validation of update 4 spoils it: back to update 2, at half the rate. */
static void test_undone_validation(void)
{
    struct validations validations = {.bad = 1};
    struct row rows[ROWS];
    CHECK(run(&validations, rows) == UPDATES);
    CHECK_MSG(strstr(captured, "back to update 2, rate halved"), "%s", captured);
    for (int i = 0; i < UPDATES && !test_failed; i++) {
        int n = i + 1;
        CHECK(rows[i].iteration == n);
        CHECK_NEAR(rows[i].rate, (n < 3 ? 0.01 : n < 6 ? 0.0005 : 0.00005), 1e-6 * rows[i].rate);
        CHECK_MSG(n % 4 == 0 ? rows[i].map50 > 0.49 && rows[i].map50 < 0.51 : isnan(rows[i].map50),
                  "map50 %g in row %d", rows[i].map50, n);
        CHECK_MSG(n % 4 == 0 ? rows[i].map > 0.24 && rows[i].map < 0.26 : isnan(rows[i].map),
                  "map %g in row %d", rows[i].map, n);
    }
}

/* With a true mean first nothing is left of what the statistics began with; else .9^8 of it. */
static void test_mean_first(void)
{
    for (int mean_first = 0; mean_first < 2; mean_first++) {
        struct validations a = {.mean_first = mean_first}, b = a;
        struct row rows[ROWS];
        b.first_mean = 1.0f;
        CHECK(run(&a, rows) == UPDATES && run(&b, rows) == UPDATES);
        for (int i = 0; i < 4; i++) {
            CHECK_NEAR(b.means[i] - a.means[i], mean_first ? 0.0 : pow(0.9, UPDATES), 1e-4);
        }
    }
}

static const struct test_case cases[] = {
    {"rates", test_rates},
    {"mean_first", test_mean_first},
    {"undone_validation", test_undone_validation},
};

TEST_MAIN(cases)
