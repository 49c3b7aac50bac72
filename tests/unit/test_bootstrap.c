/* Differences between networks on draws of the pictures. */
#include "eval/bootstrap.h"

#include <string.h>

#include "base/memory.h"
#include "base/parallel.h"
#include "base/rng.h"
#include "test.h"

enum { PICTURES = 40, OBJECTS = 3, CLASSES = 2, COPIES = 3 };

static struct error err;
static char *class_names[] = {"a", "b"};

/* Pictures of three objects side by side; a network finds each with chance `skill`, else beside it. */
struct scene {
    struct eval_picture pictures[PICTURES * COPIES];
    struct eval_truth truths[PICTURES][OBJECTS];
    struct eval_detection detections[PICTURES][OBJECTS];
    struct eval_set set;
    struct evaluation evaluation;
};

static void fill(struct scene *s, double skill, uint64_t seed)
{
    memset(s, 0, sizeof *s);
    s->set = (struct eval_set){
        .pictures = s->pictures, .count = PICTURES, .names = class_names, .class_count = CLASSES};
    for (int i = 0; i < PICTURES; i++) {
        for (int k = 0; k < OBJECTS; k++) {
            struct rng rng = rng_make(seed, (uint64_t)i, (uint64_t)k);
            struct eval_box box = {k * 100.0, 0, 50, 50 + i};
            s->truths[i][k] = (struct eval_truth){
                .box = box, .area = box.w * box.h, .class_id = (i + k) % 3 == 0};
            bool is_right = (double)rng_unit(&rng) < skill;
            box.x += is_right ? 4 * (double)rng_unit(&rng) : 60;
            s->detections[i][k] = (struct eval_detection){
                .box = box, .class_id = (i + k) % 3 == 0, .score = (double)rng_unit(&rng)};
        }
        s->pictures[i] = (struct eval_picture){.id = i,
                                               .w = 400,
                                               .h = 400,
                                               .truths = s->truths[i],
                                               .truth_count = OBJECTS,
                                               .detections = s->detections[i],
                                               .detection_count = OBJECTS};
    }
}

static enum result measure(struct scene *s)
{
    const struct evaluation_options options = {.threshold = -1};
    return evaluation_measure(&s->set, &options, &s->evaluation, &err);
}

/* A class's numbers under weights are those of a set in which pictures are there so often. */
static void weights(void)
{
    static struct scene once, often;
    fill(&once, .7, 1);
    fill(&often, .7, 1);
    often.set.count = 0;
    uint32_t times[PICTURES];
    for (int i = 0; i < PICTURES; i++) {
        times[i] = (uint32_t)(i * 7 % 4 == 3 ? 3 : i * 7 % 4);
        struct eval_picture picture = {.truths = often.truths[i],
                                       .truth_count = OBJECTS,
                                       .detections = often.detections[i],
                                       .detection_count = OBJECTS};
        for (uint32_t k = 0; k < times[i] && often.set.count < PICTURES * COPIES; k++) {
            picture.id = (int64_t)often.set.count;
            often.pictures[often.set.count++] = picture;
        }
    }
    CHECK_OK(measure(&once));
    CHECK_OK(measure(&often));
    for (size_t k = 0; k < CLASSES; k++) {
        struct coco_class *class = &once.evaluation.coco.classes[k];
        uint32_t own[PICTURES * OBJECTS];
        double ap50, ap;
        for (size_t i = 0; i < class->count; i++) {
            own[i] = times[class->matches[i].image];
        }
        coco_class_weighted(class, own, (double)often.evaluation.rows[k].truths, &ap50, &ap);
        CHECK_NEAR(ap50, often.evaluation.rows[k].numbers[COCO_AP50], 1e-12);
        CHECK_NEAR(ap, often.evaluation.rows[k].numbers[COCO_AP], 1e-12);
        CHECK(ap50 != once.evaluation.rows[k].numbers[COCO_AP50]);
    }
    evaluation_free(&once.evaluation);
    evaluation_free(&often.evaluation);
}

static void intervals(void)
{
    static struct scene scenes[4];
    static const double skills[4] = {.5, .5, .9, .52};
    struct evaluation *runs[4];
    struct bootstrap_interval one[4][BOOTSTRAP_NUMBERS], three[4][BOOTSTRAP_NUMBERS];
    for (int r = 0; r < 4; r++) {
        fill(&scenes[r], skills[r], r == 1 ? 0 : (uint64_t)r);
        CHECK_OK(measure(&scenes[r]));
        runs[r] = &scenes[r].evaluation;
    }
    const struct bootstrap_options options = {.runs = runs, .count = 4, .draws = 200, .seed = 5};
    parallel_set_threads(1);
    CHECK_OK(bootstrap_differences(&options, one, &err));
    parallel_set_threads(3);
    CHECK_OK(bootstrap_differences(&options, three, &err));
    CHECK(memcmp(one, three, sizeof one) == 0);
    for (int n = 0; n < BOOTSTRAP_NUMBERS; n++) {
        double gain = runs[2]->all.numbers[n ? COCO_AP : COCO_AP50] -
                      runs[0]->all.numbers[n ? COCO_AP : COCO_AP50];
        CHECK(one[0][n].low == 0 && one[0][n].high == 0);
        CHECK(one[1][n].low == 0 && one[1][n].high == 0 && one[1][n].better == .5); /* the same */
        CHECK_MSG(one[2][n].low > 0 && one[2][n].low < gain && one[2][n].high > gain &&
                      one[2][n].better == 1,
                  "%g in [%g, %g]", gain, one[2][n].low, one[2][n].high);
        CHECK_MSG(one[3][n].low < 0 && one[3][n].high > 0, "[%g, %g]", one[3][n].low,
                  one[3][n].high); /* too near to tell */
    }
    scenes[1].set.count--;
    CHECK(bootstrap_differences(&options, one, &err) == ERR_FORMAT);
    CHECK_MSG(strstr(err.text, "not the same for all: 40 and 39"), "%s", err.text);
    scenes[1].set.count++;
    for (long k = 0;; k++) {
        mem_fail_after(k);
        enum result result = bootstrap_differences(&options, one, &err);
        mem_fail_after(-1);
        if (result == OK) {
            CHECK(k > 5);
            break;
        }
        CHECK(result == ERR_MEMORY);
    }
    for (int r = 0; r < 4; r++) {
        evaluation_free(&scenes[r].evaluation);
    }
}

static void without_objects(void)
{
    static struct scene scenes[2];
    struct evaluation *runs[2];
    struct bootstrap_interval found[2][BOOTSTRAP_NUMBERS];
    for (int r = 0; r < 2; r++) {
        fill(&scenes[r], .5, 1);
        for (int i = 0; i < PICTURES; i++) {
            scenes[r].pictures[i].truth_count = 0;
        }
        CHECK_OK(measure(&scenes[r]));
        runs[r] = &scenes[r].evaluation;
    }
    const struct bootstrap_options options = {.runs = runs, .count = 2, .draws = 10};
    CHECK_OK(bootstrap_differences(&options, found, &err));
    CHECK(isnan(found[1][0].low) && isnan(found[1][1].better));
    for (int r = 0; r < 2; r++) {
        evaluation_free(&scenes[r].evaluation);
    }
}

static const struct test_case cases[] = {
    {"weights", weights}, {"intervals", intervals}, {"without_objects", without_objects}};

TEST_MAIN(cases)
