/* Saved detections, for truth that is a list and truth that is COCO's. */
#include "fuzz.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "results/results_file.h"

static char truth_paths[2][4096];

static void set_up(void)
{
    static const char picture[] = "P6\n2 1\n255\nabcdef";
    static const char list[] = "a.ppm\nb.ppm\n", label[] = "0 .5 .5 .5 .5\n";
    static const char coco[] =
        "{\"images\":[{\"id\":1,\"file_name\":\"a.ppm\",\"width\":2,\"height\":1},"
        "{\"id\":2,\"file_name\":\"b.ppm\",\"width\":2,\"height\":1}],"
        "\"categories\":[{\"id\":1,\"name\":\"cat\"},{\"id\":3,\"name\":\"dog\"}],"
        "\"annotations\":[{\"id\":1,\"image_id\":1,\"category_id\":1,\"bbox\":[0,0,1,1],\"area\":1,"
        "\"iscrowd\":0}]}";
    fuzz_file("a.ppm", picture, sizeof picture - 1);
    fuzz_file("b.ppm", picture, sizeof picture - 1);
    fuzz_file("a.txt", label, sizeof label - 1);
    fuzz_file("b.txt", label, sizeof label - 1);
    snprintf(truth_paths[0], sizeof truth_paths[0], "%s",
             fuzz_file("list.txt", list, sizeof list - 1));
    snprintf(truth_paths[1], sizeof truth_paths[1], "%s",
             fuzz_file("truth.json", coco, sizeof coco - 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char cat[] = "cat", dog[] = "dog";
    static char *const names[] = {cat, dog};
    struct results_counts counts;
    struct eval_set set;
    struct error err;
    log_set_level(LOG_QUIET);
    if (!truth_paths[0][0]) {
        set_up();
    }
    const char *path = fuzz_file("results.json", data, size);
    for (int i = 0; i < 2; i++) {
        struct eval_source source = {
            .path = truth_paths[i], .names = i == 0 ? names : NULL, .class_count = i == 0 ? 2 : 0};
        fuzz_expect(eval_set_open(&source, &set, &err) == OK, "the truth is read");
        struct share_head head = {0};
        const struct results_source files = {&path, 1, &head};
        bool is_read = fuzz_read(share_head_read(path, &head, &err), &err) &&
                       fuzz_read(results_files_read(&files, &set, &counts, &err), &err);
        share_head_free(&head);
        if (is_read) {
            size_t kept = 0;
            for (size_t k = 0; k < set.count; k++) {
                kept += set.pictures[k].detection_count;
            }
            fuzz_expect(kept == counts.detections, "every detection that is counted is kept");
        }
        eval_set_free(&set);
    }
    return 0;
}
