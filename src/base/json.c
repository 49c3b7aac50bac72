#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

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

bool json_add_text(cJSON *object, const char *key, const char *text)
{
    size_t size = 3 * strlen(text) + 1;
    char *clean = json_allocate(size);
    bool done = clean && cJSON_AddStringToObject(object, key, text_utf8(text, clean, size));
    mem_free(clean);
    return done;
}

void json_add_rounded(cJSON *object, const char *key, double value, int digits)
{
    double scale = pow(10, digits);
    cJSON_AddNumberToObject(object, key, round(value * scale) / scale);
}

void json_put(FILE *out, const char *text)
{
    for (; *text; text++) {
        unsigned char byte = (unsigned char)text[0], next = (unsigned char)text[1];
        if (byte == 0x7f) {
            fputs("\\u007f", out);
        } else if (byte == 0xc2 && next >= 0x80 && next < 0xa0) {
            fprintf(out, "\\u%04x", next);
            text++;
        } else {
            fputc(byte, out);
        }
    }
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
    json_put(out, text);
    fputc('\n', out);
    cJSON_free(text);
    return OK;
}
