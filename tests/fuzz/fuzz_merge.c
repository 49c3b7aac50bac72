/* What `yolo merge` joins: one part, or two where a byte of zero divides the input. */
#include "fuzz.h"

#include <stdio.h>
#include <string.h>

#include "base/fileio.h"
#include "base/memory.h"
#include "results/merge.h"

static bool merge(const char *const *paths, size_t count, const char *to)
{
    struct error err;
    FILE *out = fopen(to, "wb");
    fuzz_expect(out != NULL, "the output can be opened");
    bool is_done = fuzz_read(results_merge(paths, count, out, &err), &err);
    fuzz_expect(fclose(out) == 0, "the output is written");
    return is_done;
}

static bool are_same(const char *one, const char *other)
{
    char *bytes[2];
    size_t sizes[2];
    struct error err;
    fuzz_expect(file_read(one, 1 << 30, &bytes[0], &sizes[0], &err) == OK &&
                    file_read(other, 1 << 30, &bytes[1], &sizes[1], &err) == OK,
                "the outputs are read");
    bool same = sizes[0] == sizes[1] && memcmp(bytes[0], bytes[1], sizes[0]) == 0;
    mem_free(bytes[0]);
    mem_free(bytes[1]);
    return same;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *zero = size > 0 ? memchr(data, 0, size) : NULL;
    size_t first = zero ? (size_t)(zero - data) : size;
    const char *parts[2];
    parts[0] = fuzz_file("one", data, first);
    parts[1] = zero ? fuzz_file("two", zero + 1, size - first - 1) : NULL;
    const char *whole = fuzz_path("whole"), *again = fuzz_path("again");
    if (merge(parts, zero ? 2 : 1, whole) &&
        !zero) { /* lines of two texts may begin as JSON does */
        fuzz_expect(merge(&whole, 1, again), "what was merged can be merged");
        fuzz_expect(are_same(whole, again), "and stays as it is");
    }
    return 0;
}
