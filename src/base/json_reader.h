/* JSON in, as a stream: the caller asks for what comes next, nothing is kept. Memory does not
 * depend on the size of the file. Every fault has its place: "x.json:12: annotations[3].bbox: ...".
 *
 *   json_open(&r, path, err)
 *   if (json_begin_object(&r))
 *       while (json_next_key(&r))
 *           if (json_key_is(&r, "images")) ... else json_skip(&r);
 *   result = json_result(&r); json_close(&r);
 *
 * The first fault ends the reading: from then on every function returns false at once, so loops end
 * and one check of json_result behind them is enough. */
#ifndef BASE_JSON_READER_H
#define BASE_JSON_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

enum { JSON_MAX_DEPTH = 64, JSON_KEY_BYTES = 48, JSON_BUFFER_BYTES = 1 << 16 };

enum json_kind {
    JSON_NOTHING, /* the end of the file, or a fault */
    JSON_OBJECT,
    JSON_ARRAY,
    JSON_STRING,
    JSON_NUMBER,
    JSON_BOOL,
    JSON_NULL
};

/* An object or array that is being read. */
struct json_level {
    bool is_array;
    bool has_begun;           /* an element has been seen */
    size_t index;             /* of the element at hand */
    char key[JSON_KEY_BYTES]; /* of the element at hand; longer ones are cut */
};

struct json_reader {
    FILE *file;
    const char *path; /* borrowed */
    char *buffer;
    size_t at, filled;
    size_t line, column; /* of the next byte, from 1 */
    struct json_level levels[JSON_MAX_DEPTH];
    int depth;
    struct error *err; /* borrowed */
    enum result result;
};

/* A regular file. *r need not be initialised; json_close also after an error. ERR_IO, ERR_FORMAT,
 * ERR_MEMORY. */
NODISCARD enum result json_open(struct json_reader *r, const char *path, struct error *err);
void json_close(struct json_reader *r);

/* OK, or the first fault; *err of json_open is then filled. */
enum result json_result(const struct json_reader *r);

/* What the next value is; it is not consumed. At the top level JSON_NOTHING without a fault is the
 * end of the file. */
enum json_kind json_peek(struct json_reader *r);

/* Each false, with a fault, if the next value is of another kind. */
bool json_begin_object(struct json_reader *r);
bool json_begin_array(struct json_reader *r);

/* On to the next element; false behind the last one, which closes the object or array. The
 * element's value must then be read or skipped. */
bool json_next_key(struct json_reader *r);
bool json_next_item(struct json_reader *r);

/* Is this the key of the element at hand? */
bool json_key_is(const struct json_reader *r, const char *key);

/* A finite number. */
bool json_number(struct json_reader *r, double *value);
/* Any value: itself if it is a finite number, else NaN. False only if the JSON itself is at fault. */
bool json_number_or_nan(struct json_reader *r, double *value);
/* A whole number of at most 2^53. */
bool json_whole(struct json_reader *r, int64_t *value);
/* A number, true or false: not 0, or not false. */
bool json_flag(struct json_reader *r, bool *value);
/* An array of exactly count numbers. */
bool json_numbers(struct json_reader *r, double *values, size_t count);
/* UTF-8, with a zero byte behind it, in text[size]; longer text and text with zero bytes is a
 * fault. */
bool json_string(struct json_reader *r, char *text, size_t size);
/* Any value, whatever is in it. */
bool json_skip(struct json_reader *r);

/* The caller has found a fault in the value at hand: "path:line: place: text". Returns false. */
bool json_fault(struct json_reader *r, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The same for a key of the object just left: "path:line: place.key: text". */
bool json_fault_in(struct json_reader *r, const char *key, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Nothing but blanks follows; a fault otherwise. */
bool json_end(struct json_reader *r);

/* "annotations[3].bbox": where the reader is, "" at the top. Returns out. */
const char *json_place(const struct json_reader *r, char *out, size_t size);

#endif
