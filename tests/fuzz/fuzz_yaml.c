/* data.yaml: the tree, what it says of a set, and the classes. */
#include "fuzz.h"

#include "base/log.h"
#include "base/memory.h"
#include "cfg/data_yaml.h"
#include "data/data_source.h"
#include "data/inputs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct data_file file;
    struct data_yaml yaml;
    struct error err;
    char **names, found[4096];
    size_t count;
    log_set_level(LOG_QUIET);
    const char *path = fuzz_file("fuzz.yaml", data, size);
    if (fuzz_read(data_yaml_read(path, true, &yaml, &err), &err)) {
        for (int part = 0; part < DATA_PART_COUNT; part++) {
            for (size_t i = 0; i < data_yaml_count(&yaml, (enum data_part)part) && i < 8; i++) {
                (void)!fuzz_read(data_yaml_path(&yaml, (enum data_part)part, i, found, &err), &err);
            }
        }
    }
    data_yaml_free(&yaml);
    (void)!fuzz_read(data_source_read(path, &file, &err), &err);
    data_file_free(&file);
    if (fuzz_read(names_read(path, &names, &count, &err), &err)) {
        fuzz_expect(count > 0 && names[count - 1][0], "names without an empty one");
        mem_free(names);
    }
    return 0;
}
