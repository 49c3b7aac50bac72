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

bool json_lacks_memory(void)
{
    return allocation_failed;
}

void json_add_rounded(cJSON *object, const char *key, double value, int digits)
{
    double scale = pow(10, digits);
    cJSON_AddNumberToObject(object, key, round(value * scale) / scale);
}

cJSON *json_exact(double value)
{
    char text[32];
    snprintf(text, sizeof text, "%.17g", value);
    return cJSON_CreateRaw(text);
}

static void put(FILE *out, const char *text, bool keeps_bytes)
{
    for (size_t length; *text; text += length) {
        unsigned char byte = (unsigned char)text[0], next = (unsigned char)text[1];
        size_t valid = byte < 0x80 ? 1 : text_utf8_length(text);
        length = valid > 0 ? valid : 1;
        if (byte < 0x7f) {
            fputc(byte, out);
        } else if (keeps_bytes && (valid == 0 || json_kept_byte(text))) {
            for (size_t i = 0; i < length; i++) {
                fprintf(out, "\\uf0%02x", (unsigned char)text[i]);
            }
        } else if (valid == 0) {
            fputs("\xef\xbf\xbd", out);
        } else if (byte == 0x7f || (byte == 0xc2 && next < 0xa0)) {
            fprintf(out, "\\u%04x", byte == 0x7f ? byte : next);
        } else {
            fwrite(text, 1, length, out);
        }
    }
}

void json_put(FILE *out, const char *text)
{
    put(out, text, false);
}

void json_put_bytes(FILE *out, const char *text)
{
    put(out, text, true);
}

unsigned char json_kept_byte(const char *text)
{
    const unsigned char *c =
        (const unsigned char *)text; /* U+F080 ... U+F0FF: ef 82 80 ... ef 83 bf */
    bool is_kept = c[0] == 0xef && (c[1] == 0x82 || c[1] == 0x83) && (c[2] & 0xc0) == 0x80;
    return is_kept ? (unsigned char)((c[1] & 1) << 6 | (c[2] & 0x3f) | 0x80) : 0;
}

void json_restore_bytes(char *text)
{
    char *to = text;
    for (unsigned char byte; *text; text += byte ? 3 : 1) {
        byte = json_kept_byte(text);
        *to++ = byte ? (char)byte : *text;
    }
    *to = 0;
}

char *json_text(cJSON *root)
{
    char *text = cJSON_PrintUnformatted(root);
    size_t size = text ? 3 * strlen(text) + 1 : 0;
    char *valid = text ? mem_alloc(size, 1) : NULL;
    cJSON_Delete(root);
    if (valid) {
        text_utf8(text, valid, size);
    }
    cJSON_free(text);
    if (allocation_failed) {
        mem_free(valid);
        return NULL;
    }
    return valid;
}

enum result json_print(cJSON *root, bool pretty, struct error *err)
{
    return json_write(root, pretty, stdout, err);
}

/* Frees text and root. */
static enum result write_text(cJSON *root, char *text, bool keeps_bytes, FILE *out,
                              struct error *err)
{
    cJSON_Delete(root);
    if (!text || allocation_failed) {
        cJSON_free(text);
        return mem_error(err, "JSON output");
    }
    put(out, text, keeps_bytes);
    fputc('\n', out);
    cJSON_free(text);
    return OK;
}

enum result json_write(cJSON *root, bool pretty, FILE *out, struct error *err)
{
    return write_text(root, pretty ? cJSON_Print(root) : cJSON_PrintUnformatted(root), false, out,
                      err);
}

enum result json_write_bytes(cJSON *root, FILE *out, struct error *err)
{
    return write_text(root, cJSON_PrintUnformatted(root), true, out, err);
}
