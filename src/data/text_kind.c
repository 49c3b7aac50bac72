#include "data/text_kind.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#define BLANKS " \t\r"

/* "names:" or "train: images/train", but no "C:\pictures" and no "http://". */
static bool is_yaml(const char *line)
{
    size_t key = 0;
    while (isalnum((unsigned char)line[key]) || line[key] == '_' || line[key] == '-') {
        key++;
    }
    return key > 1 && line[key] == ':' && (!line[key + 1] || strchr(BLANKS, line[key + 1]));
}

const char *text_is_structured(const char *line)
{
    line += strspn(line, BLANKS);
    if (line[0] == '{' && strchr(line, '"')) {
        return "JSON, one object a line (NDJSON)? It is not read; COCO annotations are one .json";
    }
    if (strncmp(line, "[{", 2) == 0 || strcmp(line, "{") == 0 || strcmp(line, "[") == 0) {
        return "JSON (COCO annotations are a file named .json)";
    }
    if (strncmp(line, "---", 3) == 0 || is_yaml(line)) {
        return "YAML, which is not read; a .data file has lines \"train = list.txt\", \"valid = "
               "...\", "
               "\"names = ...\" (yolo init --data-dir DIR writes one)";
    }
    return NULL;
}

const char *text_is_boxed_path(const char *line)
{
    const char *last = line + strcspn(line, BLANKS);
    last += strspn(last, BLANKS);
    size_t numbers = 0;
    for (const char *at = last; *at && !strchr(BLANKS, *at);) {
        size_t digits = strspn(at, "0123456789.-");
        at += digits;
        numbers += digits > 0;
        if (digits == 0 || (*at && *at != ',' && !strchr(BLANKS, *at))) {
            return NULL;
        }
        at += *at == ',';
    }
    return numbers == 5
               ? "lines \"path x1,y1,x2,y2,class\" of Keras ports are not read (a path a line; "
                 "the boxes belong into a label file each)"
               : NULL;
}
