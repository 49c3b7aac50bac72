/* Tables to train on: CSV, and NumPy's .npy behind a first byte of 1; then the file of their scales. */
#include "fuzz.h"

#include <math.h>

#include "base/log.h"
#include "data/table_set.h"

enum { FEATURES = 2, CLASSES = 3 };

static void check_rows(const struct dataset *set)
{
    fuzz_expect(set->sample_count > 0 && set->feature_count == FEATURES, "a table has rows");
    for (size_t i = 0; i < set->sample_count; i++) {
        for (size_t k = 0; k < FEATURES; k++) {
            fuzz_expect(isfinite(set->features[i * FEATURES + k]), "features are finite");
        }
        struct truth_set truths = dataset_targets(set, i);
        fuzz_expect(truths.value_count == CLASSES, "a row has its targets");
        for (size_t k = 0; k < CLASSES; k++) {
            fuzz_expect(isfinite(truths.values[k]), "targets are finite");
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char *names[CLASSES] = {"a", "b", "2"};
    bool is_array = size > 0 && data[0] == 1;
    const char *path =
        is_array ? fuzz_file("t.npy", data + 1, size - 1) : fuzz_file("t.csv", data, size);
    const struct dataset_source source = {.kind = DATASET_TABLE,
                                          .path = path,
                                          .features = FEATURES,
                                          .targets = CLASSES,
                                          .names = names,
                                          .name_count = CLASSES};
    struct dataset set;
    struct feature_scale scale = {0};
    struct error err;
    log_set_level(LOG_QUIET);
    if (fuzz_read(dataset_open(&source, &set, &err), &err)) {
        check_rows(&set);
        if (fuzz_read(feature_scale_of(&set, &scale, &err), &err)) {
            (void)!fuzz_read(feature_scale_apply(&scale, &set, &err), &err);
        }
        feature_scale_free(&scale);
    }
    dataset_free(&set);
    (void)!fuzz_read(feature_scale_read(path, &scale, &err), &err);
    feature_scale_free(&scale);
    return 0;
}
