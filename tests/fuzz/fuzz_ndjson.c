/* Ultralytics' NDJSON: what it says of the set, its parts, its classes. */
#include "fuzz.h"

#include "base/log.h"
#include "base/memory.h"
#include "data/data_source.h"
#include "data/dataset.h"
#include "data/inputs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct data_file file;
    struct error err;
    char **names;
    size_t count;
    log_set_level(LOG_QUIET);
    fuzz_file("a.jpg", "", 0);
    const char *path = fuzz_file("fuzz.ndjson", data, size);
    (void)!fuzz_read(data_source_read(path, &file, &err), &err);
    data_file_free(&file);
    if (fuzz_read(names_read(path, &names, &count, &err), &err)) {
        fuzz_expect(count > 0 && names[count - 1][0], "names without an empty one");
        mem_free(names);
    }
    for (int part = 0; part < DATA_PART_COUNT; part++) {
        const struct dataset_source source = {
            .path = path, .part = (enum data_part)part, .class_count = 3};
        struct dataset set;
        (void)!fuzz_read(dataset_open(&source, &set, &err), &err);
        dataset_free(&set);
    }
    return 0;
}
