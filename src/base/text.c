#include "base/text.h"

#include <string.h>

/* Unicode 15, table 3-7. */
size_t text_utf8_length(const char *bytes)
{
    const unsigned char *text = (const unsigned char *)bytes;
    unsigned char lead = text[0];
    if (lead < 0x80) {
        return 1;
    }
    size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4) {
        return 0;
    }
    unsigned char low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    unsigned char high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (text[1] < low || text[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return length;
}

char *text_utf8(const char *text, char *out, size_t size)
{
    size_t used = 0;
    while (*text) {
        size_t length = text_utf8_length(text);
        const char *bytes = length ? text : "\xef\xbf\xbd";
        size_t count = length ? length : 3;
        if (used + count >= size) {
            break;
        }
        memcpy(out + used, bytes, count);
        used += count;
        text += length ? length : 1;
    }
    out[used] = 0;
    return out;
}

bool text_is_utf8(const char *text)
{
    size_t length = 1;
    for (; *text && length; text += length) {
        length = text_utf8_length(text);
    }
    return length > 0;
}

size_t text_mark(const void *text, size_t size)
{
    return size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

char *text_trim(char *text)
{
    static const char blanks[] = " \t\r\n";
    text += strspn(text, blanks);
    size_t length = strlen(text);
    while (length > 0 && strchr(blanks, text[length - 1])) {
        length--;
    }
    text[length] = 0;
    return text;
}

/* Bytes at `text` that are a control character, else 0. */
static size_t control_length(const char *text)
{
    unsigned char byte = (unsigned char)text[0], next = (unsigned char)(byte ? text[1] : 0);
    bool is_long = byte == 0xc2 && next >= 0x80 && next < 0xa0; /* U+0080..9F: xterm obeys them */
    return is_long ? 2 : byte == 0x7f || (byte > 0 && byte < 0x20);
}

bool text_fits_list(const char *path)
{
    while (*path && (*path == '\t' || control_length(path) != 1)) {
        path++;
    }
    return *path == 0;
}

char *text_mask(char *text)
{
    for (char *at = text; *at;) {
        size_t length = control_length(at);
        memset(at, '?', length);
        at += length ? length : 1;
    }
    return text;
}

void text_put(FILE *out, const char *text)
{
    while (*text) {
        size_t length = control_length(text);
        fputc(length ? '?' : *text, out);
        text += length ? length : 1;
    }
}

int text_columns(const char *text)
{
    int columns = 0;
    for (; *text; text++) {
        columns += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return columns;
}
