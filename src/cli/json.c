#include "cli/json.h"

#include <math.h>
#include <stdio.h>

#include "base/memory.h"

static bool allocation_failed;

static void *json_allocate(size_t size)
{
    void *block = mem_alloc_raw(size, 1);
    allocation_failed = allocation_failed || !block;
    return block;
}

void json_init(void)
{
    cJSON_Hooks hooks = {json_allocate, mem_free};
    cJSON_InitHooks(&hooks);
}

void json_add_rounded(cJSON *object, const char *key, double value, int digits)
{
    double scale = pow(10, digits);
    cJSON_AddNumberToObject(object, key, round(value * scale) / scale);
}

enum result json_print(cJSON *root, bool pretty, struct error *err)
{
    return json_write(root, pretty, stdout, err);
}

enum result json_write(cJSON *root, bool pretty, FILE *out, struct error *err)
{
    char *text = pretty ? cJSON_Print(root) : cJSON_PrintUnformatted(root);
    cJSON_Delete(root);
    if (!text || allocation_failed) {
        cJSON_free(text);
        return mem_error(err, "JSON output");
    }
    fprintf(out, "%s\n", text);
    cJSON_free(text);
    return OK;
}
