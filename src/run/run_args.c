#include "run/run_args.h"

#include <limits.h>

#include "base/json_file.h"
#include "base/path.h"

enum { MAX_BYTES = 1 << 26 };

enum result run_args_save(const char *folder, const cJSON *args, struct error *err)
{
    char path[PATH_MAX];
    TRY(path_in(path, sizeof path, folder, "args.json", err));
    return json_file_write(path, args, err);
}

enum result run_args_load(const char *folder, cJSON **args, struct error *err)
{
    char path[PATH_MAX];
    TRY(path_in(path, sizeof path, folder, "args.json", err));
    TRY(json_file_read(path, MAX_BYTES, args, err));
    if (cJSON_IsObject(*args)) {
        return OK;
    }
    cJSON_Delete(*args);
    *args = NULL;
    return error_at(err, ERR_FORMAT, path, 0, "is not a JSON object");
}
