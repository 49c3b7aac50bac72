/* NumPy's .npy. */
#include "fuzz.h"

#include "base/log.h"
#include "base/memory.h"
#include "data/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct npy array;
    struct error err;
    log_set_level(LOG_QUIET);
    (void)!fuzz_read(npy_read(fuzz_file("fuzz.npy", data, size), &array, &err), &err);
    npy_free(&array);
    size_t rows = 0, columns = 0;
    float *cells = NULL;
    if (fuzz_read(npy_read_table(fuzz_path("fuzz.npy"), &rows, &columns, &cells, &err), &err)) {
        fuzz_expect(rows > 0 && columns > 0 && cells, "a table has cells");
    }
    mem_free(cells);
    return 0;
}
