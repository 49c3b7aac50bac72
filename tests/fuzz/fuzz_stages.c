/* A stage as it is written on the command line, and a plan of stages in JSON. */
#include "fuzz.h"

#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "train/stage_words.h"

static void parse(const char *text)
{
    struct stage_spec spec;
    struct error err;
    long first, last;
    if (fuzz_read(stage_spec_parse(text, &spec, &err), &err) && spec.epochs) {
        (void)stage_span_parse(spec.epochs, &first, &last);
    }
    stage_spec_free(&spec);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct string_list list = {0};
    cJSON *owner = NULL;
    struct error err;
    log_set_level(LOG_QUIET);
    if (fuzz_read(stage_file_read(fuzz_file("stages.json", data, size), &list, &owner, &err),
                  &err)) {
        for (size_t i = 0; i < list.count; i++) {
            parse(list.items[i]);
        }
    }
    string_list_free(&list);
    cJSON_Delete(owner);
    char *text = mem_alloc(size + 1, 1);
    if (size > 0) {
        memcpy(text, data, size);
    }
    parse(text);
    mem_free(text);
    return 0;
}
