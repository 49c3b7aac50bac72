/* A list of pictures: as inputs, and as a data set. a.bmp and b.bmp, with labels, lie beside it. */
#include "fuzz.h"

#include "base/log.h"
#include "data/dataset.h"
#include "data/inputs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct input_item item; /* large */
    static bool is_ready;
    struct inputs *inputs;
    struct dataset set;
    struct error err;
    log_set_level(LOG_QUIET);
    if (!is_ready) {
        fuzz_file("a.bmp", "BM", 2);
        fuzz_file("b.bmp", "BM", 2);
        fuzz_file("a.txt", "0 .5 .5 .2 .2\n", 14);
        is_ready = true;
    }
    const char *path = fuzz_file("list.txt", data, size);
    if (fuzz_read(inputs_open_list(path, &inputs, &err), &err)) {
        for (int got; (got = inputs_next(inputs, &item, &err)) != 0;) {
            (void)!fuzz_read(got > 0 ? OK : ERR_FORMAT, &err);
        }
        inputs_close(inputs);
    }
    struct dataset_source source = {.path = path};
    (void)!fuzz_read(dataset_open(&source, &set, &err), &err);
    dataset_free(&set);
    return 0;
}
