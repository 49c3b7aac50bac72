/* yolo init: how long a training is to be, and what it writes into cfgs of every kind of head. */
#include "doctor/init_base.h"
#include "doctor/init_cfg.h"
#include "doctor/init_cost.h"

#include <math.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "test.h"

static struct error err;

/* ---- the length ---- */

static void test_length(void)
{
    static const struct {
        int batch, subdivisions, classes, told, passes;
        size_t images;
        int updates, burn_in;
    } rows[] = {
        {64, 1, 3, 0, 0, 0, 6000, 600},           /* pictures not known: Darknet's rule */
        {64, 1, 80, 0, 0, 0, 160000, 1000},       /* 2000 a class; the base's burn-in fits */
        {64, 1, 1, 0, 0, 4000, 6000, 600},        /* 96 passes */
        {64, 1, 1, 0, 0, 2000000, 2000000, 1000}, /* one update a picture */
        {64, 8, 7, 0, 0, 448, 2100, 210},         /* 300 passes instead of 2000 */
        {16, 1, 7, 0, 0, 448, 8400, 840},         /* 300 of 500 */
        {64, 1, 7, 0, 0, 9, 500, 50},             /* never under 500 */
        {64, 1, 7, 123, 0, 448, 123, 12},         /* as told */
        {64, 1, 7, 0, 10, 448, 70, 7},            /* 10 * 448 / 64 */
        {64, 1, 7, 0, 10, 449, 80, 8},            /* 8 updates take 449 */
        {5, 2, 7, 0, 10, 24, 60, 6},              /* 4 pictures an update */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct net_options base = {
            .batch = rows[i].batch, .subdivisions = rows[i].subdivisions, .burn_in = 1000};
        const struct init_wish wish = {.classes = rows[i].classes,
                                       .max_batches = rows[i].told,
                                       .passes = rows[i].passes,
                                       .images = rows[i].images};
        struct init_length length = init_length(&base, &wish);
        CHECK_MSG(length.updates == rows[i].updates, "row %zu: %d updates", i, length.updates);
        CHECK_MSG(length.burn_in == rows[i].burn_in, "row %zu: burn-in %d", i, length.burn_in);
        CHECK(length.why[0]);
    }
}

/* ---- cfgs ---- */

static char path[] = "/tmp/test_init_XXXXXX";

static bool open_text(const char *text, struct network *net)
{
    static bool is_made;
    int file = is_made ? -1 : mkstemp(path);
    is_made = true;
    if (file >= 0) {
        close(file);
    }
    FILE *out = fopen(path, "wb");
    bool is_written = out && fputs(text, out) >= 0 && fclose(out) == 0;
    log_set_level(LOG_QUIET);
    *net = (struct network){0};
    return is_written && network_read(path, 0, 0, net, &err) == OK;
}

/* The changed lines, joined with "|". */
static void check_edits(const char *text, const struct init_wish *wish, const char *want)
{
    struct network net;
    struct init_cfg cfg = {0};
    char *diff = NULL, got[4096] = "";
    size_t size = 0;
    CHECK_MSG(open_text(text, &net), "%s", err.text);
    enum result result = init_cfg_make(&net, wish, "new.cfg", &cfg, &err);
    CHECK_MSG(result == OK, "%s", err.text);
    FILE *out = open_memstream(&diff, &size);
    CHECK(out);
    init_cfg_diff(&cfg, &net, "new.cfg", out);
    fclose(out);
    for (char *line = strtok(diff, "\n"); line; line = strtok(NULL, "\n")) {
        if (line[0] == '+' && line[1] != '+' && line[1] != '#') {
            snprintf(got + strlen(got), sizeof got - strlen(got), "%s|", line + 1);
        }
    }
    CHECK_MSG(strcmp(got, want) == 0, "got  %s\n  want %s", got, want);
    free(diff);
    init_cfg_free(&cfg);
    network_free(&net);
}

#define NET "[net]\nwidth=64\nheight=64\nchannels=3\nbatch=64\n"
#define CONV(filters) "[convolutional]\nfilters=" #filters "\nsize=1\nactivation=linear\n"

static const struct init_wish three = {.classes = 3};

static void test_heads(void)
{
    check_edits(NET "max_batches=6000\n" CONV(30) "[yolo]\nclasses=5\nnum=3\nmask=0,1,2\n"
                                                  "anchors=1,2,3,4,5,6\n",
                &three, "filters=24|classes=3|");
    check_edits(NET "max_batches=6000\n" CONV(42) "[Gaussian_yolo]\nclasses=5\nnum=3\nmask=0,1,2\n"
                                                  "anchors=1,2,3,4,5,6\n",
                &three, "filters=36|classes=3|");
    check_edits(NET "max_batches=6000\n" CONV(20) "[region]\nclasses=5\nnum=2\ncoords=4\n"
                                                  "anchors=1,2,3,4\n",
                &three, "filters=16|classes=3|");
}

static void test_same_classes(void)
{
    static const struct init_wish five = {.classes = 5, .max_batches = 6000};
    check_edits(NET "max_batches=6000\n" CONV(30) "[yolo]\nclasses=5\nnum=3\nmask=0,1,2\n"
                                                  "anchors=1,2,3,4,5,6\n",
                &five, "");
}

/* Two heads, one of four anchors used twice and one by nobody, as in yolov4-tiny. */
static void test_crossed_masks(void)
{
#define TWO_HEADS(first, second)                                                                   \
    NET "max_batches=6000\n" CONV(8) CONV(                                                         \
        20) "[yolo]\nclasses=5\nnum=4\nmask=" first                                                \
            "\nanchors=1,2,3,4,5,6,7,8\n[route]\nlayers=0\n[maxpool]\nsize=2\nstride=2\n" CONV(    \
                20) "[yolo]\nclasses=5\nnum=4\nmask=" second "\nanchors=1,2,3,4,5,6,7,8\n"
    check_edits(TWO_HEADS("1,2", "2,3"), &three,
                "filters=16|classes=3|mask=0,1|filters=16|classes=3|");
    check_edits(TWO_HEADS("0,1", "2,3"), &three, "filters=16|classes=3|filters=16|classes=3|");
    static const struct init_wish five = {.classes = 5, .max_batches = 6000};
    check_edits(TWO_HEADS("1,2", "2,3"), &five, ""); /* trained heads stay as they are */
}

static void test_net(void)
{
    static const struct init_wish wish = {.classes = 5,
                                          .width = 96,
                                          .height = 32,
                                          .batch = 8,
                                          .subdivisions = 2,
                                          .max_batches = 1000};
    check_edits(NET "burn_in=400\nmax_batches=20000\npolicy=steps\nsteps=1000,15000,19000\n"
                    "scales=.1,.1,.1\n" CONV(30) "[yolo]\nclasses=5\nnum=3\nmask=0,1,2\n"
                                                 "anchors=1,2,3,4,5,6\n",
                &wish,
                "subdivisions=2|width=96|height=32|batch=8|burn_in=100|max_batches=1000|"
                "steps=50, 750, 950|");
}

static void test_refusals(void)
{
    struct network net;
    struct init_cfg cfg = {0};
    CHECK(open_text(NET CONV(30) "[yolo]\nclasses=5\nnum=3\nmask=0,1,2\nanchors=1,2,3,4,5,6\n"
                                 "counters_per_class=1,2,3,4,5\n",
                    &net));
    CHECK(init_cfg_make(&net, &three, "new.cfg", &cfg, &err) == ERR_CFG);
    CHECK_MSG(strstr(err.text, ":15: [yolo] counters_per_class"), "%s", err.text);
    init_cfg_free(&cfg);
    network_free(&net);
    CHECK(open_text(NET CONV(30), &net));
    CHECK(init_cfg_make(&net, &three, "new.cfg", &cfg, &err) == ERR_UNSUPPORTED);
    init_cfg_free(&cfg);
    network_free(&net);
    unlink(path);
}

/* ---- which base ---- */

static void test_bases(void)
{
    static const struct {
        size_t images;
        float side; /* of the boxes, a share of the picture */
        int cores;
        const char *weights, *chosen;
        size_t count;
    } rows[] = {
        {200, 0.3f, 2, NULL, "yolov4-tiny", 9},
        {200, 0.03f, 2, NULL, "yolov4-tiny-3l", 9}, /* 12 pixels of 416: its cells have 8 */
        {100000, 0.3f, 1, NULL, "tabletop", 9},     /* nothing is done within a day */
        {0, 0.3f, 2, NULL, "yolov4-tiny", 9},
        {200, 0.3f, 2, "a/yolov4-tiny.conv.29", "yolov4-tiny", 1},
        {200, 0.3f, 2, "a/yolov4-tiny-3l_best.weights", "yolov4-tiny-3l", 1},
        {200, 0.3f, 2, "none", "yolov4-tiny", 9},
        {200, 0.3f, 2, "a/mine.weights", NULL, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct truth truth = {.box = {0.5f, 0.5f, rows[i].side, rows[i].side}};
        struct sample sample = {.truths = &truth, .truth_count = 1};
        struct dataset set = {.samples = &sample, .sample_count = rows[i].images > 0};
        struct init_base_basis basis = {.set = &set,
                                        .images = rows[i].images,
                                        .imgsz = {416, 416},
                                        .weights = rows[i].weights,
                                        .cores = rows[i].cores,
                                        .memory = 1e15};
        struct init_bases bases;
        enum result result = init_base_choose(&basis, &bases, &err);
        if (!rows[i].chosen) {
            CHECK(result == ERR_ARG && strstr(err.text, "of which network"));
            continue;
        }
        const char *chosen = result == OK ? bases.of[bases.chosen].stem : err.text;
        CHECK_MSG(strcmp(chosen, rows[i].chosen) == 0, "row %zu: %s", i, chosen);
        CHECK(bases.count == rows[i].count);
        for (size_t k = 0; k < bases.count; k++) {
            CHECK(bases.of[k].why[0]);
            CHECK((strncmp(bases.of[k].why, "chosen", 6) == 0) == (k == bases.chosen));
        }
    }
}

/* ---- the time of an update ---- */

static void test_cost(void)
{
    static const struct {
        struct init_timing timing;
        double pictures, ms;
    } rows[] = {
        {{2, 10.0, 20.0}, 16.0, 160.0},   /* each picture costs the same */
        {{4, 100.0, 130.0}, 64.0, 730.0}, /* 90 once, 10 a picture, not 64 times 100 */
        {{4, 100.0, 130.0}, 1.5, 105.0},  /* the size makes parts of pictures */
        {{2, 80.0, 80.0}, 4.0, 100.0}, /* the first was slowed: a quarter of the share at least */
        {{2, 10.0, 50.0}, 4.0, 160.0}, /* the second was: nothing is paid once */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        double ms = init_cost_of(&rows[i].timing, rows[i].pictures);
        CHECK_MSG(fabs(ms - rows[i].ms) < 1e-9, "row %zu: %g ms", i, ms);
    }
}

static const struct test_case cases[] = {
    {"length", test_length},
    {"heads", test_heads},
    {"same_classes", test_same_classes},
    {"crossed_masks", test_crossed_masks},
    {"net", test_net},
    {"refusals", test_refusals},
    {"bases", test_bases},
    {"cost", test_cost},
};
TEST_MAIN(cases)
