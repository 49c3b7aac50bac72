/* A file of class names. */
#include "fuzz.h"

#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "data/inputs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char **names;
    size_t count;
    struct error err;
    log_set_level(LOG_QUIET);
    if (fuzz_read(names_read(fuzz_file("fuzz.names", data, size), &names, &count, &err), &err)) {
        fuzz_expect(count > 0, "names are not empty");
        for (size_t i = 0; i < count; i++) {
            fuzz_expect(strlen(names[i]) > 0, "no name is empty");
        }
        mem_free(names);
    }
    return 0;
}
