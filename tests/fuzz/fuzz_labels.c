/* A label file of YOLO's kind: into a data set, through the doctor, and out again as `check --fix`
 * does. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/parallel.h"
#include "doctor/fix.h"

static const char *list;

/* What fix_write makes of one picture. */
static void remove_copy(void)
{
    static const char *const made[] = {"fix/images/train/p.ppm", "fix/labels/train/p.txt",
                                       "fix/train.txt", "fix/set.names", "fix/set.data"};
    static const char *const folders[] = {"fix/images/train", "fix/images", "fix/labels/train",
                                          "fix/labels", "fix"};
    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++) {
        unlink(fuzz_path(made[i]));
    }
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        rmdir(fuzz_path(folders[i]));
    }
}

static void set_up(void)
{
    static char path[4096];
    static const char picture[] = "P6\n2 1\n255\nabcdef";
    fuzz_file("p.ppm", picture, sizeof picture - 1);
    snprintf(path, sizeof path, "%s", fuzz_file("list.txt", "p.ppm\n", 6));
    list = path;
    atexit(remove_copy);
}

static void check_boxes(const struct dataset *set)
{
    for (size_t i = 0; i < set->sample_count; i++) {
        for (size_t k = 0; k < set->samples[i].truth_count; k++) {
            struct box_cxcywh_norm box = set->samples[i].truths[k].box;
            fuzz_expect(box.w > 0 && box.h > 0 && box.w <= 1 && box.h <= 1 && box.cx >= 0 &&
                            box.cx <= 1 && box.cy >= 0 && box.cy <= 1,
                        "a box lies in its picture");
            fuzz_expect(set->samples[i].truths[k].class_id >= 0, "a class is a number from 0");
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct doctor doctor = {0};
    struct dataset set;
    struct fix_counts counts;
    struct error err;
    log_set_level(LOG_QUIET);
    parallel_set_threads(1);
    if (!list) {
        set_up();
    }
    fuzz_file("p.txt", data, size);
    struct dataset_source source = {.path = list, .class_count = 3};
    if (fuzz_read(dataset_open(&source, &set, &err), &err)) {
        check_boxes(&set);
    }
    dataset_free(&set);
    struct doctor_source doctored = {.train = list};
    if (fuzz_read(doctor_open(&doctored, &doctor, &err), &err) &&
        fuzz_read(doctor_read_pictures(&doctor, &err), &err)) {
        (void)!fuzz_read(doctor_check_boxes(&doctor, &err), &err);
        (void)!fuzz_read(doctor_check_classes(&doctor, NULL, &err), &err);
        if (doctor.class_count < 1000) { /* set.names has a line for each */
            (void)!fuzz_read(fix_write(&doctor, fuzz_path("fix"), &counts, &err), &err);
            remove_copy();
        }
    }
    doctor_close(&doctor);
    return 0;
}
