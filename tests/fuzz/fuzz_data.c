/* Darknet's .data file. */
#include "fuzz.h"

#include "base/log.h"
#include "cfg/data_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct data_file file;
    struct error err;
    log_set_level(LOG_QUIET);
    if (fuzz_read(data_file_read(fuzz_file("fuzz.data", data, size), &file, &err), &err)) {
        for (int key = 0; key < DATA_KEY_COUNT; key++) {
            (void)!fuzz_read(data_file_need(&file, (enum data_key)key, &err), &err);
        }
    }
    data_file_free(&file);
    return 0;
}
