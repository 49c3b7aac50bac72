#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/fileio.h"
#include "base/memory.h"
#include "base/path.h"
#include "base/sniff.h"
#include "base/text.h"
#include "base/yaml.h"
#include "cfg/data_yaml.h"
#include "data/coco_names.h"
#include "data/inputs.h"
#include "data/ndjson.h"

enum { NAMES_MAX_BYTES = 16 * 1024 * 1024, NAME_MAX_BYTES = 255 };

/* Cut the text at its line ends in place; returns the number of lines up to the last that is not
 * empty. *binary gets the line number of the first byte that is no text, 0 if there is none. */
static size_t split_lines(char *text, size_t size, int *binary)
{
    size_t lines = 1;
    size_t last_used = 0;
    *binary = 0;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '\n') {
            text[i] = 0;
            lines++;
        } else if (c < 0x20 && c != '\t' && c != '\r') {
            *binary = (int)lines;
            return 0;
        } else if (c > ' ') {
            last_used = lines;
        }
    }
    return last_used;
}

/* Names label boxes and become folders of crops. */
static enum result check_name(const char *path, size_t line, const char *name, struct error *err)
{
    if (!name[0]) {
        return error_at(err, ERR_FORMAT, path, (int)line,
                        "an empty line where the name of class %zu should stand", line - 1);
    }
    if (strlen(name) > NAME_MAX_BYTES) {
        return error_at(err, ERR_FORMAT, path, (int)line,
                        "a name of %zu bytes (one class name a line is expected, at most %d bytes)",
                        strlen(name), NAME_MAX_BYTES);
    }
    return OK;
}

static enum result read_list(const char *path, char ***names, size_t *count, struct error *err)
{
    char *text;
    size_t size;
    TRY(file_read(path, NAMES_MAX_BYTES, &text, &size, err));
    size_t skip = text_mark(text, size);
    int binary;
    const char *kind = sniff_wide(text, size);
    size_t lines = kind ? 0 : split_lines(text + skip, size - skip, &binary);
    if (lines == 0) {
        mem_free(text);
        return kind     ? error_at(err, ERR_FORMAT, path, 0, "%s", kind)
               : binary ? error_at(err, ERR_FORMAT, path, binary, "not a text file")
                        : error_at(err, ERR_FORMAT, path, 0, "no names in the file");
    }
    /* The pointers and behind them the text: one block, one mem_free. */
    size_t pointers = lines * sizeof(char *);
    char **block = mem_alloc_raw(pointers + size - skip + 1, 1);
    if (!block) {
        mem_free(text);
        return mem_error(err, path);
    }
    char *line = (char *)block + pointers;
    memcpy(line, text + skip, size - skip + 1);
    mem_free(text);
    for (size_t i = 0; i < lines; i++) {
        char *next = line + strlen(line) + 1;
        block[i] = text_trim(line);
        enum result result = check_name(path, i + 1, block[i], err);
        if (result != OK) {
            mem_free(block);
            return result;
        }
        line = next;
    }
    *names = block;
    *count = lines;
    return OK;
}

static enum result read_yaml(const char *path, char ***names, size_t *count, struct error *err)
{
    struct data_yaml yaml;
    enum result result = data_yaml_read(path, false, &yaml, err);
    if (result == OK && !yaml.names) {
        result = error_at(err, ERR_FORMAT, path, 0, "no names: in it");
    }
    if (result == OK) {
        *names = yaml.names;
        *count = yaml.name_count;
        yaml.names = NULL;
    }
    data_yaml_free(&yaml);
    return result;
}

static enum result read_ndjson(const char *path, char ***names, size_t *count, struct error *err)
{
    struct ndjson_head head;
    enum result result = ndjson_head_read(path, &head, err);
    if (result == OK && !head.names) {
        result = error_at(err, ERR_FORMAT, path, 1, "no class_names in it");
    }
    if (result == OK) {
        *names = head.names;
        *count = head.name_count;
        head.names = NULL;
    }
    ndjson_head_free(&head);
    return result;
}

bool names_number(const char *text, size_t count, size_t *number)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    *number = value;
    return isdigit((unsigned char)*text) && !*end && strlen(text) <= 9 && value < count;
}

enum result names_read(const char *path, char ***names, size_t *count, struct error *err)
{
    return yaml_is_named(path)           ? read_yaml(path, names, count, err)
           : ndjson_is_named(path)       ? read_ndjson(path, names, count, err)
           : path_ends_in(path, ".json") ? coco_names_read(path, names, count, err)
                                         : read_list(path, names, count, err);
}

int names_line(const char *path, size_t class_id)
{
    bool is_list = !yaml_is_named(path) && !ndjson_is_named(path) && !path_ends_in(path, ".json");
    return is_list ? (int)class_id + 1 : 0;
}
