/* The file of a quantisation: what stands in it behind the hashes of network and weights, which are those of the fixed network, as is the
 * last line. What passes the check runs. */
#include "fuzz.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/memory.h"
#include "kernels/kernels.h"

enum { HEAD = 80, END = 32 };

static const char *whole_file(const uint8_t *data, size_t size)
{
    const struct network *net = fuzz_network();
    char *text = mem_alloc(HEAD + size + END, 1);
    fuzz_expect(text != NULL, "room for the file");
    int head = snprintf(text, HEAD, "yolo int8 2\nnetwork %016" PRIx64 "\nweights %016" PRIx64 "\n",
                        quant_network_hash(net), quant_weights_hash(net));
    if (size > 0) {
        memcpy(text + head, data, size);
    }
    size_t used = (size_t)head + size;
    used += (size_t)snprintf(text + used, END, "end %016" PRIx64 "\n", hash_text(text));
    const char *path = fuzz_file("fuzz.int8", text, used);
    mem_free(text);
    return path;
}

static void run(const struct quantization *q)
{
    struct plan_options options = {.batch = 1, .quant = q};
    struct detection_list list = {0};
    struct plan *plan = NULL;
    const struct kernels *kern;
    struct error err;
    fuzz_expect(kernels_select(NULL, &kern, &err) == OK, "kernels of this processor");
    if (fuzz_read(plan_build(fuzz_network(), kern, &options, &plan, &err), &err)) {
        fuzz_fill(plan_input(plan));
        plan_forward(plan, 1);
        (void)!fuzz_read(plan_detect(plan, 0, 0.01f, &list, &err), &err);
    }
    detection_list_free(&list);
    plan_free(plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct quantization q = {0};
    struct error err;
    log_set_level(LOG_QUIET);
    const char *path = whole_file(data, size);
    if (fuzz_read(quant_read(path, &q, &err), &err) &&
        fuzz_read(quant_check(&q, fuzz_network(), path, &err), &err)) {
        run(&q);
        fuzz_expect(quant_write(fuzz_path("again.int8"), &q, &err) == OK, "it is written again");
    }
    quant_free(&q);
    return 0;
}
