/* thresholds.json of a run: what --conf best reads. */
#include "fuzz.h"

#include <stdint.h>

#include "base/log.h"
#include "run/class_scores.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct class_scores scores = {0};
    struct error err;
    log_set_level(LOG_QUIET);
    if (fuzz_read(class_scores_read(fuzz_file("thresholds.json", data, size), &scores, &err),
                  &err)) {
        fuzz_expect(scores.count > 0, "a class");
        for (size_t i = 0; i < scores.count; i++) {
            double threshold = class_scores_threshold(&scores, i);
            fuzz_expect(threshold >= 0 && threshold <= 1, "a threshold of a confidence");
            fuzz_expect(class_scores_find(&scores, scores.items[i].name) <= i,
                        "a class by its name");
        }
    }
    class_scores_free(&scores);
    return 0;
}
