/* .npz, .safetensors and .onnx, told apart by their first bytes, into a network. */
#include <string.h>

#include "fuzz.h"

#include "base/json.h"
#include "base/log.h"
#include "exchange/import.h"

static void say(void *ctx, const struct layer *l, const char *role, const char *from)
{
    (void)ctx;
    (void)l;
    fuzz_expect(role[0] && from[0], "a pair has two names");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *name = size >= 2 && memcmp(data, "PK", 2) == 0 ? "fuzz.npz"
                       : size > 8 && data[8] == '{'            ? "fuzz.safetensors"
                                                               : "fuzz.onnx";
    const struct import_options options = {.eps = -1};
    struct tensor_list list;
    struct error err;
    json_init();
    log_set_level(LOG_QUIET);
    if (fuzz_read(tensors_read(fuzz_file(name, data, size), &list, &err), &err)) {
        for (size_t i = 0; i < list.count; i++) {
            const struct tensor_entry *t = &list.items[i];
            fuzz_expect(t->count > 0 && t->name, "a tensor has values and a name");
            volatile double last = tensor_value(t, 0) + tensor_value(t, t->count - 1);
            (void)last;
        }
        (void)!fuzz_read(import_tensors(name, &list, &options, fuzz_network(), say, NULL, &err),
                         &err);
    }
    tensors_free(&list);
    return 0;
}
