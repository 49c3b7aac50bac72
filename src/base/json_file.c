#include "base/json_file.h"

#include "base/fileio.h"
#include "base/memory.h"

enum result json_file_read(const char *path, size_t max_bytes, cJSON **root, struct error *err)
{
    char *text;
    size_t size;
    const char *end = NULL;
    TRY(file_read(path, max_bytes, &text, &size, err));
    unsigned long failures = mem_failures();
    *root = cJSON_ParseWithLengthOpts(text, size + 1, &end, true);
    int line = 1;
    for (const char *at = text; end && at < end; at++) {
        line += *at == '\n';
    }
    mem_free(text);
    if (*root) {
        return OK;
    }
    return mem_failures() > failures ? mem_error(err, path)
                                     : error_at(err, ERR_FORMAT, path, line, "not valid JSON");
}
