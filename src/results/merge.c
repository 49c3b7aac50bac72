#include "results/merge.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/fileio.h"
#include "results/paths.h"

enum { PEEK_BYTES = 512, KEY_BYTES = 32, PATH_BYTES = 4096 };

enum kind { KIND_UNKNOWN, KIND_ARRAY, KIND_JSONL, KIND_CSV, KIND_TEXT };

static const char *const kind_names[] = {"", "a JSON array", "JSON Lines", "CSV", "text"};
static const char csv_begin[] = "image,class_id,class,confidence";

struct merge {
    FILE *out;
    enum kind kind;
    const char *first;       /* the part that said so */
    const char *empty;       /* a part without a byte, or NULL */
    char header[PEEK_BYTES]; /* CSV: with its line end */
    char key[KEY_BYTES];     /* array: the first key of the first element */
    size_t elements;         /* array: written */
    struct name_set names;   /* of the parts */

    const char *path; /* the part at hand */
    FILE *in;
    char peek[PEEK_BYTES]; /* its beginning: what is read first */
    size_t peeked, at;
    int line;
    struct error *err;
};

static enum result fault(const struct merge *m, const char *text)
{
    return ferror(m->in) ? error_errno(m->err, m->path, "cannot read")
                         : error_at(m->err, ERR_FORMAT, m->path, m->line, "%s", text);
}

static enum result cut_off(const struct merge *m)
{
    return fault(m, "the file ends in the middle: its run was cut off, or is still going on");
}

static int next_byte(struct merge *m)
{
    int c = m->at < m->peeked ? (unsigned char)m->peek[m->at++] : getc(m->in);
    m->line += c == '\n';
    return c;
}

static bool is_blank(int c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static int next_dark(struct merge *m)
{
    int c;
    do {
        c = next_byte(m);
    } while (is_blank(c));
    return c;
}

/* ---- arrays ---- */

/* A text from behind its first quote to its last one; what fits of it into key[KEY_BYTES], unless that is NULL. False: the file
 * ends. */
static bool copy_text(struct merge *m, char *key)
{
    size_t length = 0;
    bool is_escaped = false;
    for (int c; (c = next_byte(m)) != EOF;) {
        fputc(c, m->out);
        if (c == '"' && !is_escaped) {
            return true;
        }
        is_escaped = c == '\\' && !is_escaped;
        if (key && length + 1 < KEY_BYTES) {
            key[length++] = (char)c;
            key[length] = 0;
        }
    }
    return false;
}

/* From behind its '{' to its '}', as it stands. Elements of one format begin with one key: "image" of records, "image_id" of
 * COCO's results. */
static enum result copy_object(struct merge *m)
{
    char key[KEY_BYTES] = "";
    bool has_key = false;
    fputs(m->elements++ > 0 ? ",\n{" : "\n{", m->out);
    for (int depth = 1; depth > 0;) {
        int c = next_byte(m);
        if (c == EOF) {
            return cut_off(m);
        }
        fputc(c, m->out);
        if (c == '"') {
            if (!copy_text(m, has_key ? NULL : key)) {
                return cut_off(m);
            }
            has_key = true;
        }
        depth += (c == '{' || c == '[') - (c == '}' || c == ']');
    }
    if (m->elements == 1) {
        strcpy(m->key, key);
    }
    return strcmp(m->key, key) == 0
               ? OK
               : error_at(
                     m->err, ERR_FORMAT, m->path, m->line,
                     "an element that begins with \"%s\", those before it with \"%s\": another "
                     "format",
                     key, m->key);
}

/* From behind its '['. */
static enum result copy_array(struct merge *m)
{
    int c = next_dark(m);
    if (c == ']') {
        return OK;
    }
    for (;; c = next_dark(m)) {
        if (c != '{') {
            return c == EOF ? cut_off(m) : fault(m, "not an array of results");
        }
        TRY(copy_object(m));
        c = next_dark(m);
        if (c == ']') {
            return OK;
        }
        if (c != ',') {
            return c == EOF ? cut_off(m) : fault(m, "not valid JSON: , or ] is expected");
        }
    }
}

static enum result copy_arrays(struct merge *m)
{
    for (int c; (c = next_dark(m)) != EOF;) {
        if (c != '[') {
            return fault(m, "something stands behind the array");
        }
        TRY(copy_array(m));
    }
    return ferror(m->in) ? fault(m, "") : OK;
}

/* ---- lines ---- */

/* One line; the header of CSV is left out. *has_ended: there is none. */
static enum result copy_line(struct merge *m, bool *has_ended)
{
    bool is_csv = m->kind == KIND_CSV, is_header = is_csv, is_quoted = false;
    size_t same = 0; /* bytes of the header that were read and not written */
    int c = 0, first = 0, last = 0;
    while (c != '\n' || is_quoted) {
        c = next_byte(m);
        *has_ended = c == EOF && !first && !ferror(m->in);
        if (c == EOF) {
            return *has_ended ? OK : cut_off(m);
        }
        if (c < 0x20 && !is_blank(c)) {
            return fault(m, "control characters: no results file");
        }
        first = first ? first : c;
        last = c == '\r' || c == '\n' ? last : c;
        if (is_header && c == (unsigned char)m->header[same]) {
            same++;
            continue;
        }
        if (is_header) {
            fwrite(m->header, 1, same, m->out);
            is_header = false;
        }
        is_quoted = is_quoted != (is_csv && c == '"');
        fputc(c, m->out);
    }
    return m->kind != KIND_JSONL || (first == '{' && last == '}')
               ? OK
               : error_at(m->err, ERR_FORMAT, m->path, m->line - 1, "not a JSON object on a line");
}

static enum result take_header(struct merge *m)
{
    const char *end = memchr(m->peek, '\n', m->peeked);
    size_t length = end ? (size_t)(end - m->peek) + 1 : 0;
    if (length == 0 || length >= sizeof m->header) {
        return cut_off(m);
    }
    if (memchr(m->peek, '"', length)) {
        return fault(m, "quotes in the header: no results file");
    }
    if (!m->header[0]) {
        memcpy(m->header, m->peek, length);
        m->header[length] = 0;
        fputs(m->header, m->out);
    }
    return length == strlen(m->header) && memcmp(m->peek, m->header, length) == 0
               ? OK
               : error_at(m->err, ERR_FORMAT, m->path, 1, "another header than that of %s",
                          m->first);
}

static enum result copy_lines(struct merge *m)
{
    bool has_ended = false;
    if (m->kind == KIND_CSV) {
        TRY(take_header(m));
    }
    while (!has_ended) {
        TRY(copy_line(m, &has_ended));
    }
    return OK;
}

/* ---- parts ---- */

/* By the first bytes. A name in text may begin with a bracket, too. */
static enum kind kind_of(const struct merge *m)
{
    size_t second = 1;
    while (second < m->peeked && is_blank(m->peek[second])) {
        second++;
    }
    char next = second < m->peeked ? m->peek[second] : ']';
    bool is_csv = m->peeked >= strlen(csv_begin) && !memcmp(m->peek, csv_begin, strlen(csv_begin));
    return m->peek[0] == '[' && (next == '{' || next == ']') ? KIND_ARRAY
           : m->peek[0] == '{' && next == '"'                ? KIND_JSONL
           : is_csv                                          ? KIND_CSV
                                                             : KIND_TEXT;
}

static enum result take_kind(struct merge *m)
{
    enum kind kind = kind_of(m);
    if (m->kind == KIND_UNKNOWN) {
        m->kind = kind;
        m->first = m->path;
        if (kind == KIND_ARRAY) {
            fputc('[', m->out);
        }
    }
    return m->kind == kind ? OK
                           : error_at(m->err, ERR_FORMAT, m->path, 1, "%s, but %s is %s",
                                      kind_names[kind], m->first, kind_names[m->kind]);
}

/* A share of a run without pictures is empty only where results have no frame. */
static enum result check_empty(const struct merge *m)
{
    bool is_array = m->kind == KIND_ARRAY;
    return !m->empty || (!is_array && m->kind != KIND_CSV)
               ? OK
               : error_at(m->err, ERR_FORMAT, m->empty, 0,
                          "empty, without even %s: its run was cut off, or is still going on",
                          is_array ? "brackets" : "a header");
}

static enum result copy_part(struct merge *m)
{
    m->line = 1;
    m->at = 0;
    m->peeked = fread(m->peek, 1, sizeof m->peek, m->in);
    if (ferror(m->in)) {
        return fault(m, "");
    }
    if (m->peeked == 0) {
        m->empty = m->path;
        return check_empty(m);
    }
    TRY(take_kind(m));
    TRY(check_empty(m));
    return m->kind == KIND_ARRAY ? copy_arrays(m) : copy_lines(m);
}

static enum result merge_part(struct merge *m, const char *path)
{
    char name[PATH_BYTES];
    if (name_set_has(&m->names, path)) {
        return error_at(m->err, ERR_ARG, path, 0, "is named twice");
    }
    TRY(name_set_add(&m->names, path, name, sizeof name, m->err));
    if (strcmp(path, "-") == 0) {
        m->path = "stdin";
        m->in = stdin;
        return copy_part(m);
    }
    m->path = path;
    TRY(file_open(path, &m->in, NULL, m->err));
    enum result result = copy_part(m);
    fclose(m->in);
    return result;
}

enum result results_merge(const char *const *paths, size_t count, FILE *out, struct error *err)
{
    struct merge m = {.out = out, .err = err};
    enum result result = OK;
    for (size_t i = 0; i < count && result == OK; i++) {
        result = merge_part(&m, paths[i]);
    }
    if (result == OK && m.kind == KIND_ARRAY) {
        fputs(m.elements > 0 ? "\n]\n" : "]\n", out);
    }
    name_set_free(&m.names);
    return result;
}
