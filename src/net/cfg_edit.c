#include "net/cfg_edit.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/fileio.h"
#include "base/memory.h"
#include "net/network.h"

enum { EDIT_BYTES = 16384, CFG_MAX_BYTES = 64 * 1024 * 1024 };

enum result cfg_edits_add(struct cfg_edits *edits, int line, bool insert, struct error *err,
                          const char *fmt, ...)
{
    char *text = mem_alloc_raw(EDIT_BYTES, 1);
    if (!text) {
        return mem_error(err, "changing a cfg");
    }
    va_list args;
    va_start(args, fmt);
    int length = vsnprintf(text, EDIT_BYTES, fmt, args);
    va_end(args);
    enum result result =
        length < 0 || length >= EDIT_BYTES
            ? error_set(err, ERR_UNSUPPORTED, "a cfg value of more than %d bytes", EDIT_BYTES - 1)
            : mem_grow((void **)&edits->items, edits->count, &edits->capacity, sizeof *edits->items,
                       err);
    if (result != OK) {
        mem_free(text);
        return result;
    }
    edits->items[edits->count++] = (struct cfg_edit){line, insert, text};
    return OK;
}

void cfg_edits_free(struct cfg_edits *edits)
{
    for (size_t i = 0; i < edits->count; i++) {
        mem_free(edits->items[i].text);
    }
    mem_free(edits->items);
    *edits = (struct cfg_edits){0};
}

enum result cfg_edits_set(struct cfg_edits *edits, struct cfg_section *section, const char *key,
                          const char *text, struct error *err)
{
    const struct cfg_option *option = cfg_find(section, key);
    if (option) {
        return cfg_edits_add(edits, option->line, false, err, "%s", text);
    }
    return cfg_edits_add(edits, section->line, true, err, "%s=%s", key, text);
}

/* The text grows only by what is inserted, so that the room is known before. */
static void append(struct cfg_text *out, const char *bytes, size_t size)
{
    memcpy(out->bytes + out->size, bytes, size);
    out->size += size;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* One line without its '\n', its value replaced. False if it has no '='. */
static bool replace_value(struct cfg_text *out, const char *line, size_t size, const char *value)
{
    const char *equals = memchr(line, '=', size);
    if (!equals) {
        return false;
    }
    size_t begin = (size_t)(equals - line) + 1;
    const char *comment = memchr(line + begin, '#', size - begin);
    size_t end = comment ? (size_t)(comment - line) : size;
    while (begin < end && is_blank(line[begin])) {
        begin++;
    }
    while (end > begin && is_blank(line[end - 1])) {
        end--;
    }
    append(out, line, begin);
    append(out, value, strlen(value));
    append(out, line + end, size - end);
    return true;
}

static enum result copy_line(const struct cfg_edits *edits, const char *path, int number,
                             const struct cfg_text *line, struct cfg_text *out, struct error *err)
{
    const struct cfg_edit *change = NULL;
    for (size_t i = 0; i < edits->count; i++) {
        const struct cfg_edit *edit = &edits->items[i];
        change = edit->line == number && !edit->insert ? edit : change;
    }
    bool ends = line->size > 0 && line->bytes[line->size - 1] == '\n';
    size_t size = line->size - ends;
    if (!change) {
        append(out, line->bytes, size);
    } else if (!replace_value(out, line->bytes, size, change->text)) {
        return error_at(err, ERR_FORMAT, path, number, "no '=' where a value is to be changed");
    }
    bool carriage = size > 0 && line->bytes[size - 1] == '\r';
    for (size_t i = 0; i < edits->count; i++) {
        const struct cfg_edit *edit = &edits->items[i];
        if (edit->line == number && edit->insert) {
            append(out, "\n", 1);
            append(out, edit->text, strlen(edit->text));
            append(out, "\r", carriage);
        }
    }
    append(out, "\n", ends);
    return OK;
}

enum result cfg_edits_apply(const struct cfg_edits *edits, const char *path,
                            const struct cfg_text *text, struct cfg_text *out, struct error *err)
{
    size_t room = text->size + 1;
    int last = 0;
    for (size_t i = 0; i < edits->count; i++) {
        room += strlen(edits->items[i].text) + 2;
        last = edits->items[i].line > last ? edits->items[i].line : last;
    }
    *out = (struct cfg_text){mem_alloc(room, 1), 0};
    if (!out->bytes) {
        return mem_error(err, path);
    }
    int number = 0;
    enum result result = OK;
    const char *first_end = memchr(text->bytes, '\n', text->size);
    bool carriage = first_end && first_end > text->bytes && first_end[-1] == '\r';
    for (size_t i = 0; i < edits->count; i++) {
        if (edits->items[i].line == 0) {
            append(out, edits->items[i].text, strlen(edits->items[i].text));
            append(out, carriage ? "\r\n" : "\n", carriage ? 2 : 1);
        }
    }
    for (size_t at = 0; at < text->size && result == OK;) {
        const char *end = memchr(text->bytes + at, '\n', text->size - at);
        struct cfg_text line = {text->bytes + at,
                                end ? (size_t)(end - text->bytes) + 1 - at : text->size - at};
        result = copy_line(edits, path, ++number, &line, out, err);
        at += line.size;
    }
    if (result == OK && number < last) {
        result = error_at(err, ERR_FORMAT, path, last, "the file ends before this line");
    }
    if (result != OK) {
        mem_free(out->bytes);
        *out = (struct cfg_text){0};
    }
    return result;
}

enum result cfg_edits_make(const struct cfg_edits *edits, const char *path, const char *new_path,
                           struct cfg_text *text, struct cfg_text *changed, struct error *err)
{
    struct network check = {0};
    TRY(file_read(path, CFG_MAX_BYTES, &text->bytes, &text->size, err));
    TRY(cfg_edits_apply(edits, path, text, changed, err));
    enum result result = network_parse(new_path, changed->bytes, changed->size, 0, 0, &check, err);
    network_free(&check);
    return result;
}
