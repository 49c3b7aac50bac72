#include "base/json_file.h"

#include "base/fileio.h"
#include "base/json.h"
#include "base/memory.h"

enum result json_file_write(const char *path, const cJSON *root, struct error *err)
{
    struct atomic_file file;
    char *text = cJSON_Print(root);
    if (!text || json_lacks_memory()) {
        cJSON_free(text);
        return mem_error(err, path);
    }
    enum result result = atomic_open(&file, path, err);
    if (result == OK) {
        json_put_bytes(file.stream, text);
        fputc('\n', file.stream);
        result = atomic_commit(&file, err);
    }
    cJSON_free(text);
    return result;
}

static void restore_bytes(cJSON *item)
{
    for (; item; item = item->next) {
        if (cJSON_IsString(item)) {
            json_restore_bytes(item->valuestring);
        }
        restore_bytes(item->child);
    }
}

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
        restore_bytes(*root);
        return OK;
    }
    return mem_failures() > failures ? mem_error(err, path)
                                     : error_at(err, ERR_FORMAT, path, line, "not valid JSON");
}
