/* NumPy's .npy. */
#include "fuzz.h"

#include "base/log.h"
#include "data/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct npy array;
    struct error err;
    log_set_level(LOG_QUIET);
    (void)!fuzz_read(npy_read(fuzz_file("fuzz.npy", data, size), &array, &err), &err);
    npy_free(&array);
    return 0;
}
