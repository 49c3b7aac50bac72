/* args.json of a run that is resumed. */
#include "fuzz.h"

#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "train/args.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char resume[] = "--resume";
    struct train_args args;
    struct error err;
    bool done = false;
    log_set_level(LOG_QUIET);
    fuzz_file("args.json", data, size);
    char *argv[] = {resume, fuzz_folder(), NULL};
    fuzz_expect(train_args_parse(&args, 2, argv, &done, &err) == OK, "--resume FOLDER");
    if (fuzz_read(train_args_load(&args, fuzz_folder(), &err), &err)) {
        cJSON_Delete(train_args_json(&args));
        mem_free(train_args_fingerprint(&args, ""));
    }
    train_args_free(&args);
    return 0;
}
