#include "base/json_reader.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fileio.h"
#include "base/text.h"
#include "base/memory.h"
#include "base/sniff.h"

enum { END = -1, TOKEN_BYTES = 400, PLACE_BYTES = 512 };

enum result json_open(struct json_reader *r, const char *path, struct error *err)
{
    *r = (struct json_reader){.path = path, .line = 1, .column = 1, .err = err};
    r->buffer = mem_alloc_raw(JSON_BUFFER_BYTES, 1);
    if (!r->buffer) {
        return r->result = mem_error(err, path);
    }
    r->result = file_open(path, &r->file, NULL, err);
    if (r->result != OK) {
        return r->result;
    }
    r->filled = fread(r->buffer, 1, JSON_BUFFER_BYTES, r->file);
    r->at = text_mark(r->buffer, r->filled);
    return OK;
}

void json_close(struct json_reader *r)
{
    if (r->file) {
        fclose(r->file);
    }
    mem_free(r->buffer);
    r->file = NULL;
    r->buffer = NULL;
}

enum result json_result(const struct json_reader *r)
{
    return r->result;
}

/* ---- places and faults ---- */

const char *json_place(const struct json_reader *r, char *out, size_t size)
{
    size_t used = 0;
    out[0] = 0;
    for (int i = 0; i < r->depth && used < size; i++) {
        const struct json_level *level = &r->levels[i];
        int n = 0;
        if (level->is_array && level->has_begun) {
            n = snprintf(out + used, size - used, "[%zu]", level->index);
        } else if (!level->is_array && level->key[0]) {
            n = snprintf(out + used, size - used, "%s%s", used ? "." : "", level->key);
        }
        used += n > 0 ? (size_t)n : 0;
    }
    return out;
}

static bool fault(struct json_reader *r, const char *key, const char *fmt, va_list args)
{
    char place[PLACE_BYTES], text[PLACE_BYTES];
    if (r->result == OK) {
        vsnprintf(text, sizeof text, fmt, args);
        json_place(r, place, sizeof place);
        r->result =
            error_at(r->err, ERR_FORMAT, r->path, (int)r->line, "%s%s%s%s%s", place,
                     place[0] && key[0] ? "." : "", key, place[0] || key[0] ? ": " : "", text);
    }
    return false;
}

bool json_fault(struct json_reader *r, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fault(r, "", fmt, args);
    va_end(args);
    return false;
}

bool json_fault_in(struct json_reader *r, const char *key, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fault(r, key, fmt, args);
    va_end(args);
    return false;
}

/* ---- bytes ---- */

/* The next byte without taking it, or END. */
static int look(struct json_reader *r)
{
    if (r->result != OK) {
        return END;
    }
    if (r->at == r->filled) {
        r->at = 0;
        r->filled = fread(r->buffer, 1, JSON_BUFFER_BYTES, r->file);
        if (r->filled == 0) {
            if (ferror(r->file)) {
                r->result = error_errno(r->err, r->path, "cannot read");
            }
            return END;
        }
    }
    return (unsigned char)r->buffer[r->at];
}

static void take(struct json_reader *r)
{
    if (r->buffer[r->at++] == '\n') {
        r->line++;
        r->column = 0;
    }
    r->column++;
}

static int look_past_blanks(struct json_reader *r)
{
    int c = look(r);
    while (c == ' ' || c == '\n' || c == '\r' || c == '\t') {
        take(r);
        c = look(r);
    }
    return c;
}

static bool syntax(struct json_reader *r, const char *expected)
{
    int c = look(r);
    bool is_start = r->line == 1 && r->at < 4 && r->column == r->at + 1;
    const char *wide = is_start ? sniff_wide(r->buffer, r->filled) : NULL;
    if (wide) {
        return json_fault(r, "%s", wide);
    }
    if (c == END) {
        return json_fault(r, "not valid JSON: the file ends where %s is expected (cut off?)",
                          expected);
    }
    return json_fault(r, "not valid JSON: byte %zu of the line, where %s is expected", r->column,
                      expected);
}

bool json_end(struct json_reader *r)
{
    if (look_past_blanks(r) != END) {
        return json_fault(r, "not valid JSON: byte %zu of the line, where the end is expected",
                          r->column);
    }
    return r->result == OK;
}

/* ---- structure ---- */

enum json_kind json_peek(struct json_reader *r)
{
    int c = look_past_blanks(r);
    switch (c) {
    case '{':
        return JSON_OBJECT;
    case '[':
        return JSON_ARRAY;
    case '"':
        return JSON_STRING;
    case 't':
    case 'f':
        return JSON_BOOL;
    case 'n':
        return JSON_NULL;
    case 'N':
    case 'I':
        json_fault(r, "not a finite number (JSON knows no NaN and no Infinity)");
        return JSON_NOTHING;
    default:
        break;
    }
    if (c == '-' || (c >= '0' && c <= '9')) {
        return JSON_NUMBER;
    }
    if (c != END || r->depth > 0) {
        syntax(r, "a value");
    }
    return JSON_NOTHING;
}

static bool begin(struct json_reader *r, enum json_kind kind, const char *what)
{
    enum json_kind found = json_peek(r);
    if (found != kind) {
        return found == JSON_NOTHING ? syntax(r, what) : json_fault(r, "not %s", what);
    }
    if (r->depth == JSON_MAX_DEPTH) {
        return json_fault(r, "nested deeper than %d levels", JSON_MAX_DEPTH);
    }
    take(r);
    r->levels[r->depth++] = (struct json_level){.is_array = kind == JSON_ARRAY};
    return true;
}

bool json_begin_object(struct json_reader *r)
{
    return begin(r, JSON_OBJECT, "a JSON object");
}

bool json_begin_array(struct json_reader *r)
{
    return begin(r, JSON_ARRAY, "an array");
}

/* Take the separator before the next element. False at the closing bracket, which is taken too,
 * and after a fault. */
static bool next_element(struct json_reader *r, int closing)
{
    if (r->result != OK) {
        return false;
    }
    struct json_level *level = &r->levels[r->depth - 1];
    int c = look_past_blanks(r);
    if (c == closing) {
        take(r);
        r->depth--;
        return false;
    }
    if (!level->has_begun) {
        level->has_begun = true;
        return true;
    }
    if (c != ',') {
        return syntax(r, closing == ']' ? "',' or ']'" : "',' or '}'");
    }
    take(r);
    level->index++;
    level->key[0] = 0;
    return true;
}

bool json_next_item(struct json_reader *r)
{
    return next_element(r, ']');
}

/* ---- text ---- */

static void put(char *text, size_t size, size_t *used, unsigned byte)
{
    if (*used + 1 < size) {
        text[*used] = (char)byte;
    }
    (*used)++;
}

static void put_utf8(char *text, size_t size, size_t *used, unsigned code)
{
    if (code < 0x80) {
        put(text, size, used, code);
    } else if (code < 0x800) {
        put(text, size, used, 0xc0 | code >> 6);
        put(text, size, used, 0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        put(text, size, used, 0xe0 | code >> 12);
        put(text, size, used, 0x80 | (code >> 6 & 0x3f));
        put(text, size, used, 0x80 | (code & 0x3f));
    } else {
        put(text, size, used, 0xf0 | code >> 18);
        put(text, size, used, 0x80 | (code >> 12 & 0x3f));
        put(text, size, used, 0x80 | (code >> 6 & 0x3f));
        put(text, size, used, 0x80 | (code & 0x3f));
    }
}

static bool hex4(struct json_reader *r, unsigned *code)
{
    *code = 0;
    for (int i = 0; i < 4; i++) {
        int c = look(r);
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0) {
            return syntax(r, "a hexadecimal digit");
        }
        *code = *code << 4 | (unsigned)digit;
        take(r);
    }
    return true;
}

static bool escape(struct json_reader *r, char *text, size_t size, size_t *used);

/* Read the second half of a surrogate pair behind the \uXXXX that begins it. Half a pair alone
 * becomes U+FFFD; what stands behind it counts for itself. */
static bool second_half(struct json_reader *r, unsigned high, char *text, size_t size, size_t *used)
{
    while (look(r) == '\\') {
        unsigned low;
        take(r);
        if (look(r) != 'u') {
            put_utf8(text, size, used, 0xfffd);
            return escape(r, text, size, used);
        }
        take(r);
        if (!hex4(r, &low)) {
            return false;
        }
        if (low >= 0xdc00 && low < 0xe000) {
            put_utf8(text, size, used, 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00));
            return true;
        }
        put_utf8(text, size, used, 0xfffd);
        if (low < 0xd800 || low >= 0xdc00) {
            put_utf8(text, size, used, low);
            return true;
        }
        high = low; /* may itself begin a pair */
    }
    put_utf8(text, size, used, 0xfffd);
    return r->result == OK;
}

/* Behind a backslash. */
static bool escape(struct json_reader *r, char *text, size_t size, size_t *used)
{
    static const char letters[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    int c = look(r);
    const char *known = c > 0 ? strchr(letters, c) : NULL;
    if (known) {
        take(r);
        put(text, size, used, (unsigned char)values[known - letters]);
        return true;
    }
    if (c != 'u') {
        return syntax(r, "a known escape behind '\\'");
    }
    take(r);
    unsigned code;
    if (!hex4(r, &code)) {
        return false;
    }
    if (code >= 0xd800 && code < 0xdc00) {
        return second_half(r, code, text, size, used);
    }
    put_utf8(text, size, used, code >= 0xdc00 && code < 0xe000 ? 0xfffd : code);
    return true;
}

/* The text between quotes, as much of it as fits; *length is its whole length. */
static bool read_text(struct json_reader *r, char *text, size_t size, size_t *length)
{
    size_t used = 0;
    if (look_past_blanks(r) != '"') {
        return syntax(r, "'\"'");
    }
    take(r);
    for (int c = look(r); c != '"'; c = look(r)) {
        if (c == END || c < 0x20) {
            return syntax(r, "the end of a text");
        }
        take(r);
        if (c != '\\') {
            put(text, size, &used, (unsigned)c);
        } else if (!escape(r, text, size, &used)) {
            return false;
        }
    }
    take(r);
    text[used < size ? used : size - 1] = 0;
    *length = used;
    return true;
}

bool json_next_key(struct json_reader *r)
{
    size_t length;
    if (!next_element(r, '}')) {
        return false;
    }
    struct json_level *level = &r->levels[r->depth - 1];
    char key[JSON_KEY_BYTES];
    if (!read_text(r, key, sizeof key, &length)) {
        return false;
    }
    memcpy(level->key, key, sizeof key);
    if (look_past_blanks(r) != ':') {
        return syntax(r, "':'");
    }
    take(r);
    return true;
}

bool json_key_is(const struct json_reader *r, const char *key)
{
    return strcmp(r->levels[r->depth - 1].key, key) == 0;
}

bool json_string(struct json_reader *r, char *text, size_t size)
{
    size_t length;
    if (json_peek(r) != JSON_STRING) {
        return json_fault(r, "is not a text");
    }
    if (!read_text(r, text, size, &length)) {
        return false;
    }
    if (length >= size) {
        return json_fault(r, "a text of %zu bytes, at most %zu are expected", length, size - 1);
    }
    return strlen(text) == length || json_fault(r, "a text with a zero byte in it");
}

/* ---- numbers and words ---- */

static const char *digits(const char *s)
{
    while (*s >= '0' && *s <= '9') {
        s++;
    }
    return s;
}

/* -? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)? */
static bool is_number(const char *s)
{
    s += *s == '-';
    const char *end = digits(s);
    if (end == s || (*s == '0' && end > s + 1)) {
        return false;
    }
    s = end;
    if (*s == '.') {
        end = digits(s + 1);
        if (end == s + 1) {
            return false;
        }
        s = end;
    }
    if (*s == 'e' || *s == 'E') {
        s++;
        s += *s == '-' || *s == '+';
        end = digits(s);
        if (end == s) {
            return false;
        }
        s = end;
    }
    return *s == 0;
}

static bool read_number(struct json_reader *r, double *value)
{
    char token[TOKEN_BYTES];
    size_t length = 0;
    for (int c = look(r); c > 0 && strchr("+-.eE0123456789", c); c = look(r)) {
        if (length + 1 == sizeof token) {
            return json_fault(r, "a number of more than %zu digits", length);
        }
        token[length++] = (char)c;
        take(r);
    }
    token[length] = 0;
    if (!is_number(token)) {
        bool is_infinite = strcmp(token, "-") == 0 && look(r) == 'I';
        return is_infinite ? json_fault(r, "not a finite number (JSON knows no Infinity)")
                           : json_fault(r, "not valid JSON: \"%s\" is no number", token);
    }
    *value = strtod(token, NULL);
    return true;
}

bool json_number(struct json_reader *r, double *value)
{
    if (json_peek(r) != JSON_NUMBER) {
        return json_fault(r, "is not a number");
    }
    if (!read_number(r, value)) {
        return false;
    }
    return isfinite(*value) || json_fault(r, "is not a finite number");
}

bool json_whole(struct json_reader *r, int64_t *value)
{
    const double exact = 9007199254740992.0; /* 2^53 */
    double number;
    if (json_peek(r) != JSON_NUMBER) {
        return json_fault(r, "is not a whole number");
    }
    if (!read_number(r, &number)) {
        return false;
    }
    if (!(fabs(number) <= exact) || number != floor(number)) {
        return json_fault(r, "is not a whole number");
    }
    *value = (int64_t)number;
    return true;
}

static bool word(struct json_reader *r, const char *text)
{
    for (; *text; text++) {
        if (look(r) != *text) {
            return syntax(r, "true, false or null");
        }
        take(r);
    }
    return true;
}

bool json_flag(struct json_reader *r, bool *value)
{
    double number = 0;
    switch (json_peek(r)) {
    case JSON_NUMBER:
        *value = read_number(r, &number) && number != 0;
        return r->result == OK;
    case JSON_BOOL:
        *value = look(r) == 't';
        return word(r, *value ? "true" : "false");
    default:
        return json_fault(r, "is neither 0 nor 1");
    }
}

bool json_numbers(struct json_reader *r, double *values, size_t count)
{
    size_t found = 0;
    if (json_peek(r) != JSON_ARRAY) {
        return json_fault(r, "is not an array of %zu numbers", count);
    }
    json_begin_array(r);
    while (json_next_item(r)) {
        double value;
        if (!json_number(r, &value)) {
            return false;
        }
        if (found < count) {
            values[found] = value;
        }
        found++;
    }
    if (r->result != OK) {
        return false;
    }
    return found == count ||
           json_fault(r, "is not an array of %zu numbers (it has %zu)", count, found);
}

/* ---- passing over ---- */

static bool skip_simple(struct json_reader *r, enum json_kind kind)
{
    char text[8];
    size_t length;
    double number;
    switch (kind) {
    case JSON_STRING:
        return read_text(r, text, sizeof text, &length);
    case JSON_NUMBER:
        return read_number(r, &number);
    case JSON_BOOL:
        return word(r, look(r) == 't' ? "true" : "false");
    case JSON_NULL:
        return word(r, "null");
    default:
        return syntax(r, "a value");
    }
}

bool json_skip(struct json_reader *r)
{
    int outer = r->depth;
    do {
        enum json_kind kind = json_peek(r);
        if (kind == JSON_OBJECT) {
            json_begin_object(r);
        } else if (kind == JSON_ARRAY) {
            json_begin_array(r);
        } else if (!skip_simple(r, kind)) {
            return false;
        }
        /* On to the next value inside, leaving what is closed. */
        while (r->depth > outer &&
               !(r->levels[r->depth - 1].is_array ? json_next_item(r) : json_next_key(r))) {
            if (r->result != OK) {
                return false;
            }
        }
    } while (r->depth > outer);
    return r->result == OK;
}

bool json_number_or_nan(struct json_reader *r, double *value)
{
    *value = (double)NAN;
    if (json_peek(r) != JSON_NUMBER) {
        return json_skip(r);
    }
    if (!read_number(r, value)) {
        return false;
    }
    if (!isfinite(*value)) {
        *value = (double)NAN;
    }
    return true;
}
