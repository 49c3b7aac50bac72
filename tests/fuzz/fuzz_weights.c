/* A .weights file for a fixed network. */
#include "fuzz.h"

#include "base/log.h"
#include "net/weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct network *net = fuzz_network();
    struct weights_header header;
    struct error err;
    size_t loaded[8];
    int classes;
    log_set_level(LOG_QUIET);
    fuzz_expect(net->layer_count <= 8, "room for the layers");
    const char *path = fuzz_file("fuzz.weights", data, size);
    (void)!fuzz_read(weights_peek(path, &header, &err), &err);
    (void)!fuzz_read(weights_load(path, net, &err), &err);
    (void)!fuzz_read(weights_load_transfer(path, net, NULL, loaded, &classes, &err), &err);
    return 0;
}
