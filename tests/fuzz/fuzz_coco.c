/* COCO's annotation file: as it is, as a data set, as an evaluation's truth. */
#include "fuzz.h"

#include "base/log.h"
#include "eval/eval_set.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct coco_file file;
    struct dataset set;
    struct eval_set truth;
    struct error err;
    log_set_level(LOG_QUIET);
    fuzz_file("a.bmp", "BM", 2);
    const char *path = fuzz_file("coco.json", data, size);
    for (int need = COCO_IDS; need <= COCO_PICTURES; need++) {
        if (fuzz_read(coco_file_read(path, (enum coco_need)need, &file, &err), &err)) {
            (void)coco_find_name(&file, "person");
        }
        coco_file_free(&file);
    }
    struct dataset_source source = {.path = path};
    (void)!fuzz_read(dataset_open(&source, &set, &err), &err);
    dataset_free(&set);
    struct eval_source evaluated = {.path = path, .needs_files = true};
    (void)!fuzz_read(eval_set_open(&evaluated, &truth, &err), &err);
    eval_set_free(&truth);
    return 0;
}
