#include "cfg/cfg.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/fileio.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/sniff.h"
#include "base/suggest.h"
#include "base/text.h"
#include "cfg/keys.h"

enum {
    MAX_FILE_BYTES = 16 << 20,
    MAX_SECTIONS = 10000,
    MAX_OPTIONS = 1000, /* per section: the duplicate search is quadratic */
};

static const char *shown(const char *text, char *buffer, size_t size)
{
    snprintf(buffer, size, "%.*s%s", (int)size - 4, text, strlen(text) > size - 4 ? "..." : "");
    return buffer;
}

/* ---- lexing ---- */

struct lexer {
    struct cfg *cfg;
    int line;
    char *text; /* the current line without blanks */
    size_t length;
    bool is_split; /* a blank stood between two digits of its value */
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static bool is_of_number(char c)
{
    return (c >= '0' && c <= '9') || c == '.';
}

static enum result lex_error(const struct lexer *x, struct error *err, const char *what)
{
    char text[64];
    return error_at(err, ERR_CFG, x->cfg->path, x->line, "'%s': %s",
                    shown(x->text, text, sizeof text), what);
}

/* Length of the decimal number that begins text; 0 if none does. No hex, inf or nan: strtod would
 * take them, atoi would not. */
static size_t number_length(const char *text, bool *has_exponent)
{
    size_t at = text[0] == '+' || text[0] == '-';
    size_t digits = 0;
    *has_exponent = false;
    for (bool seen_point = false;; at++) {
        if (text[at] >= '0' && text[at] <= '9') {
            digits++;
        } else if (text[at] == '.' && !seen_point) {
            seen_point = true;
        } else {
            break;
        }
    }
    if (digits == 0) {
        return 0;
    }
    if (text[at] == 'e' || text[at] == 'E') {
        size_t end = at + 1 + (text[at + 1] == '+' || text[at + 1] == '-');
        if (text[end] >= '0' && text[end] <= '9') {
            *has_exponent = true;
            for (at = end; text[at] >= '0' && text[at] <= '9'; at++) {
            }
        }
    }
    return at;
}

/* Layer references are counted by Darknet's parser over the whole value, comment included. */
static bool counts_behind_hash(const char *key)
{
    return strcmp(key, "layers") == 0 || strcmp(key, "from") == 0;
}

/* A '#' behind a value begins a comment. Numbers never noticed it in Darknet; words did, silently. */
static void cut_comment(const struct lexer *x, const char *key, char *value)
{
    char *hash = strchr(value, '#');
    if (!hash || hash == value) {
        return;
    }
    bool has_exponent;
    bool is_list_short = counts_behind_hash(key) && strchr(hash, ',');
    *hash = 0;
    if (number_length(value, &has_exponent) == 0 || is_list_short) {
        char text[64];
        log_warn(
            "%s:%d: %s: a comment behind a value counts as part of it in Darknet; read as '%s'",
            x->cfg->path, x->line, key, shown(value, text, sizeof text));
    }
}

static enum result add_option(struct lexer *x, const char *key, const char *value,
                              struct error *err)
{
    struct cfg_section *section = &x->cfg->sections[x->cfg->section_count - 1];
    if (section->option_count == MAX_OPTIONS) {
        return error_at(err, ERR_CFG, x->cfg->path, x->line, "over %d keys in [%.40s]", MAX_OPTIONS,
                        section->name);
    }
    TRY(mem_grow((void **)&section->options, section->option_count, &section->option_capacity,
                 sizeof *section->options, err));
    const struct cfg_option *first = NULL;
    for (size_t i = 0; i < section->option_count && !first; i++) {
        if (strcmp(section->options[i].key, key) == 0) {
            first = &section->options[i];
        }
    }
    if (first) {
        char text[64];
        log_warn("%s:%d: [%s] %s is already set in line %d, which wins: '%s'", x->cfg->path,
                 x->line, section->name, key, first->line, shown(first->value, text, sizeof text));
    }
    struct cfg_option *option = &section->options[section->option_count];
    *option = (struct cfg_option){.key = mem_strdup(key),
                                  .value = mem_strdup(value),
                                  .line = x->line,
                                  .is_used = first != NULL};
    section->option_count++;
    if (!option->key || !option->value) {
        return mem_error(err, "reading a cfg");
    }
    return OK;
}

static enum result add_section(struct cfg *cfg, const char *name, int line, struct error *err)
{
    if (cfg->section_count == MAX_SECTIONS) {
        return error_at(err, ERR_CFG, cfg->path, line, "over %d sections", MAX_SECTIONS);
    }
    TRY(mem_grow((void **)&cfg->sections, cfg->section_count, &cfg->section_capacity,
                 sizeof *cfg->sections, err));
    struct cfg_section *section = &cfg->sections[cfg->section_count];
    *section = (struct cfg_section){.name = mem_strdup(name), .line = line, .path = cfg->path};
    cfg->section_count++;
    return section->name ? OK : mem_error(err, "reading a cfg");
}

static enum result lex_header(struct lexer *x, struct error *err)
{
    char *end = strchr(x->text, ']');
    if (!end) {
        return lex_error(x, err, "']' is missing");
    }
    if (end == x->text + 1) {
        return lex_error(x, err, "the section has no name");
    }
    if (end[1] == '#' || end[1] == ';') {
        log_warn("%s:%d: the comment behind ']' would be part of the name in Darknet; ignored",
                 x->cfg->path, x->line);
    } else if (end[1]) {
        return lex_error(x, err, "text behind ']' (one key a line, below the section)");
    }
    *end = 0;
    return add_section(x->cfg, x->text + 1, x->line, err);
}

/* Blanks vanish, as in Darknet; of two numbers that makes one. */
static void warn_of_split(const struct lexer *x, const char *key, const char *value)
{
    char text[64];
    bool has_exponent;
    if (x->is_split && number_length(value, &has_exponent) > 0) {
        log_warn("%s:%d: %s: blanks inside a number vanish, as in Darknet: read as '%s' (a list "
                 "has commas)",
                 x->cfg->path, x->line, key, shown(value, text, sizeof text));
    }
}

static enum result lex_line(struct lexer *x, struct error *err)
{
    if (x->length == 0 || x->text[0] == '#' || x->text[0] == ';') {
        return OK;
    }
    if (x->text[0] == '[') {
        return lex_header(x, err);
    }
    if (x->cfg->section_count == 0) {
        return lex_error(x, err, "text before the first [section] (not a .cfg file?)");
    }
    char *equals = strchr(x->text, '=');
    if (!equals) {
        return lex_error(x, err, "expected key=value");
    }
    *equals = 0;
    const char *key = x->text;
    char *value = equals + 1;
    if (!*key) {
        *equals = '=';
        return lex_error(x, err, "no key before '='");
    }
    cut_comment(x, key, value);
    if (!*value || *value == '#') {
        return lex_error(x, err, "no value behind '=' (drop the line to get the default)");
    }
    warn_of_split(x, key, value);
    return add_option(x, key, value, err);
}

/* Take one physical line over into x->text. All blanks vanish, as in Darknet. */
static enum result take_line(struct lexer *x, const char *text, size_t size, struct error *err)
{
    bool in_value = false, is_behind_blank = false;
    x->length = 0;
    x->is_split = false;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c < 0x20 && !is_blank(text[i])) || c == 0x7f) {
            return error_at(err, ERR_CFG, x->cfg->path, x->line,
                            "byte 0x%02x: this is not a text file (a .weights file in its place?)",
                            c);
        }
        if (!is_blank(text[i])) {
            bool joins = in_value && is_behind_blank && is_of_number(text[i]);
            x->is_split = x->is_split || (joins && is_of_number(x->text[x->length - 1]));
            in_value = text[i] == '=' || (in_value && text[i] != '#');
            x->text[x->length++] = text[i];
        }
        is_behind_blank = is_blank(text[i]);
    }
    x->text[x->length] = 0;
    return OK;
}

static enum result lex(struct lexer *x, const char *text, size_t size, struct error *err)
{
    size_t at = text_mark(text, size);
    while (at < size) {
        const char *end = memchr(text + at, '\n', size - at);
        size_t length = end ? (size_t)(end - text) - at : size - at;
        x->line++;
        TRY(take_line(x, text + at, length, err));
        TRY(lex_line(x, err));
        at += length + 1;
    }
    return OK;
}

enum result cfg_parse(const char *path, const char *text, size_t size, struct cfg *cfg,
                      struct error *err)
{
    *cfg = (struct cfg){.path = mem_strdup(path)};
    if (size > MAX_FILE_BYTES) {
        cfg_free(cfg);
        return error_at(err, ERR_CFG, path, 0, "%zu bytes is no cfg (limit %d)", size,
                        MAX_FILE_BYTES);
    }
    const char *wide = sniff_wide(text, size);
    if (wide) {
        cfg_free(cfg);
        return error_at(err, ERR_CFG, path, 0, "%s", wide);
    }
    struct lexer x = {.cfg = cfg, .text = mem_alloc_raw(size + 1, 1)};
    enum result result = cfg->path && x.text ? OK : mem_error(err, "reading a cfg");
    if (result == OK) {
        result = lex(&x, text, size, err);
    }
    mem_free(x.text);
    if (result != OK) {
        cfg_free(cfg);
    }
    return result;
}

enum result cfg_read(const char *path, struct cfg *cfg, struct error *err)
{
    char *text;
    size_t size;
    *cfg = (struct cfg){0};
    TRY(file_read(path, MAX_FILE_BYTES, &text, &size, err));
    enum result result = cfg_parse(path, text, size, cfg, err);
    mem_free(text);
    return result;
}

void cfg_free(struct cfg *cfg)
{
    for (size_t s = 0; s < cfg->section_count; s++) {
        struct cfg_section *section = &cfg->sections[s];
        for (size_t i = 0; i < section->option_count; i++) {
            mem_free(section->options[i].key);
            mem_free(section->options[i].value);
        }
        mem_free(section->options);
        mem_free(section->name);
    }
    mem_free(cfg->sections);
    mem_free(cfg->path);
    *cfg = (struct cfg){0};
}

/* ---- getters ---- */

static struct cfg_option *find(struct cfg_section *section, const char *key)
{
    for (size_t i = 0; i < section->option_count; i++) {
        if (strcmp(section->options[i].key, key) == 0) {
            section->options[i].is_used = true;
            return &section->options[i];
        }
    }
    return NULL;
}

const struct cfg_option *cfg_find(struct cfg_section *section, const char *key)
{
    return find(section, key);
}

enum result cfg_error(const struct cfg_section *section, const struct cfg_option *option,
                      struct error *err, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (option) {
        return error_at(err, ERR_CFG, section->path, option->line, "[%.60s] %.60s: %s",
                        section->name, option->key, text);
    }
    return error_at(err, ERR_CFG, section->path, section->line, "[%.60s] %s", section->name, text);
}

/* The number at the beginning of text; *end is what follows it. */
static enum result read_number(const struct cfg_section *section, const struct cfg_option *option,
                               const char *text, bool whole, double *number, const char **end,
                               struct error *err)
{
    char brief[64], digits[64];
    bool has_exponent;
    size_t length = number_length(text, &has_exponent);
    *end = text + length;
    if (length == 0 || length >= sizeof digits) {
        return cfg_error(section, option, err, "'%s' is not a number",
                         shown(text, brief, sizeof brief));
    }
    memcpy(digits, text, length); /* strtod itself would go on, for one into hex */
    digits[length] = 0;
    *number = strtod(digits, NULL);
    /* Darknet reads 1e3 as 1 where it wants a whole number, its successor as 1000. */
    if (whole && (has_exponent || *number != floor(*number))) {
        return cfg_error(section, option, err, "'%s' is not a whole number",
                         shown(text, brief, sizeof brief));
    }
    return OK;
}

/* Whether text[0 .. end) "," the rest is a number as some languages write it. */
static bool has_decimal_comma(const char *text, const char *end)
{
    size_t digits = *end == ',' ? strspn(end + 1, "0123456789") : 0;
    return digits > 0 && end[1 + digits] == 0 && !memchr(text, '.', (size_t)(end - text));
}

/* A value that is one number, and nothing but that. */
static enum result single(const struct cfg_section *section, const struct cfg_option *option,
                          bool whole, double *number, struct error *err)
{
    char text[64];
    const char *value = option->value, *end;
    TRY(read_number(section, option, value, whole, number, &end, err));
    if (!*end) {
        return OK;
    }
    shown(value, text, sizeof text);
    if (!whole && has_decimal_comma(value, end)) {
        return cfg_error(section, option, err,
                         "'%s' is not a number (a decimal point, not a comma: %.*s.%.20s)", text,
                         (int)(end - value), value, end + 1);
    }
    return cfg_error(section, option, err, "'%s' is not a number: '%.20s' stands behind it", text,
                     end);
}

static enum result out_of_range(const struct cfg_section *section, const struct cfg_option *option,
                                int digits, double min, double max, struct error *err)
{
    char text[64];
    return cfg_error(section, option, err, "'%s' is out of range: %.*g to %.*g are possible",
                     shown(option->value, text, sizeof text), digits, min, digits, max);
}

enum result cfg_int(struct cfg_section *section, const char *key, int fallback, int min, int max,
                    int *value, struct error *err)
{
    const struct cfg_option *option = find(section, key);
    if (!option) {
        *value = fallback;
        return OK;
    }
    double number;
    TRY(single(section, option, true, &number, err));
    if (!(number >= min && number <= max)) {
        return out_of_range(section, option, 10, min, max, err);
    }
    *value = (int)number;
    return OK;
}

enum result cfg_float(struct cfg_section *section, const char *key, float fallback, float min,
                      float max, float *value, struct error *err)
{
    const struct cfg_option *option = find(section, key);
    if (!option) {
        *value = fallback;
        return OK;
    }
    double number;
    TRY(single(section, option, false, &number, err));
    *value = (float)number; /* before it is compared: .001 lies above .001f */
    if (!isfinite(*value)) {
        return cfg_error(section, option, err, "too large for a float");
    }
    return *value >= min && *value <= max
               ? OK
               : out_of_range(section, option, 6, (double)min, (double)max, err);
}

enum result cfg_bool(struct cfg_section *section, const char *key, bool fallback, bool *value,
                     struct error *err)
{
    int number = 0;
    TRY(cfg_int(section, key, fallback, INT_MIN, INT_MAX, &number, err));
    *value = number != 0;
    return OK;
}

static enum result unknown_word(const struct cfg_section *section, const struct cfg_option *option,
                                const struct cfg_word *words, size_t count, struct error *err)
{
    char text[64], list[400] = "";
    const char *near = NULL;
    const char **names = mem_alloc(count, sizeof *names);
    for (size_t i = 0, used = 0; names && i < count; i++, used = strlen(list)) {
        names[i] = words[i].name;
        snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", words[i].name);
    }
    if (!names) {
        return mem_error(err, "reading a cfg");
    }
    near = suggest(option->value, names, count);
    mem_free(names);
    shown(option->value, text, sizeof text);
    if (!near) {
        return cfg_error(section, option, err, "unknown value '%s' (one of %s)", text, list);
    }
    return cfg_error(section, option, err, "unknown value '%s' (did you mean %s?%s one of %s)",
                     text, near, strcasecmp(near, option->value) == 0 ? " Case matters;" : "",
                     list);
}

enum result cfg_choice(struct cfg_section *section, const char *key, const struct cfg_word *words,
                       size_t count, int fallback, int *value, struct error *err)
{
    const struct cfg_option *option = find(section, key);
    *value = fallback;
    for (size_t i = 0; option && i < count; i++) {
        if (strcmp(words[i].name, option->value) == 0) {
            *value = words[i].value;
            return OK;
        }
    }
    return option ? unknown_word(section, option, words, count, err) : OK;
}

const char *cfg_string(struct cfg_section *section, const char *key, const char *fallback)
{
    const struct cfg_option *option = find(section, key);
    return option ? option->value : fallback;
}

/* All items of a list as doubles; *values stays NULL without the key. */
static enum result list(struct cfg_section *section, const struct cfg_option *option, bool whole,
                        double limit, double **values, size_t *count, struct error *err)
{
    *values = NULL;
    *count = 0;
    size_t items = 1;
    for (const char *c = option->value; *c; c++) {
        items += *c == ',';
    }
    double *numbers = mem_alloc_raw(items, sizeof *numbers);
    if (!numbers) {
        return mem_error(err, "reading a list");
    }
    const char *at = option->value;
    enum result result = OK;
    for (size_t i = 0; i < items && result == OK; i++) {
        const char *end = at;
        if (*at == ',' || *at == 0) {
            result = cfg_error(section, option, err, "item %zu of the list is empty", i + 1);
        } else {
            result = read_number(section, option, at, whole, &numbers[i], &end, err);
        }
        if (result == OK && !(fabs(numbers[i]) <= limit)) {
            result = cfg_error(section, option, err, "item %zu of the list is too large", i + 1);
        }
        if (result == OK && *end != (i + 1 < items ? ',' : 0)) {
            result = cfg_error(section, option, err, "item %zu of the list is not a number", i + 1);
        }
        at = end + 1;
    }
    if (result != OK) {
        mem_free(numbers);
        return result;
    }
    *values = numbers;
    *count = items;
    return OK;
}

enum result cfg_ints(struct cfg_section *section, const char *key, int **values, size_t *count,
                     struct error *err)
{
    *values = NULL;
    *count = 0;
    const struct cfg_option *option = find(section, key);
    if (!option) {
        return OK;
    }
    double *numbers;
    TRY(list(section, option, true, INT_MAX, &numbers, count, err));
    *values = mem_alloc_raw(*count, sizeof **values);
    for (size_t i = 0; *values && i < *count; i++) {
        (*values)[i] = (int)numbers[i];
    }
    mem_free(numbers);
    return *values ? OK : mem_error(err, "reading a list");
}

enum result cfg_floats(struct cfg_section *section, const char *key, float **values, size_t *count,
                       struct error *err)
{
    *values = NULL;
    *count = 0;
    const struct cfg_option *option = find(section, key);
    if (!option) {
        return OK;
    }
    double *numbers;
    TRY(list(section, option, false, (double)FLT_MAX, &numbers, count, err));
    *values = mem_alloc_raw(*count, sizeof **values);
    for (size_t i = 0; *values && i < *count; i++) {
        (*values)[i] = (float)numbers[i];
    }
    mem_free(numbers);
    return *values ? OK : mem_error(err, "reading a list");
}

void cfg_warn_unused(const struct cfg *cfg)
{
    for (size_t s = 0; s < cfg->section_count; s++) {
        const struct cfg_section *section = &cfg->sections[s];
        for (size_t i = 0; i < section->option_count; i++) {
            const struct cfg_option *option = &section->options[i];
            if (option->is_used) {
                continue;
            }
            const char *near = suggest(option->key, cfg_known_keys, cfg_known_key_count);
            if (near && strcmp(near, option->key) == 0) {
                log_warn("%s:%d: [%s] %s has no effect here", cfg->path, option->line,
                         section->name, option->key);
            } else if (near) {
                log_warn("%s:%d: [%s] unknown key %s (did you mean %s?)", cfg->path, option->line,
                         section->name, option->key, near);
            } else {
                log_warn("%s:%d: [%s] unknown key %s", cfg->path, option->line, section->name,
                         option->key);
            }
        }
    }
}
