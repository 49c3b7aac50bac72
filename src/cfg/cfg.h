/* Darknet's .cfg text: sections of key=value lines that remember where they stand.
 *
 * Lexing follows Darknet: all blanks inside a line vanish; empty lines and lines that begin with # or ;
 * are skipped; [name] begins a section; a line splits at its first '='. Where Darknet accepts nonsense
 * silently (numbers with garbage behind them, duplicate or unknown keys, text behind ']'), this reader
 * reports path:line: an error if the meaning is in doubt, else a warning. A '#' behind a value or
 * header begins a comment; where Darknet takes it into the meaning, with a warning. */
#ifndef CFG_CFG_H
#define CFG_CFG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct cfg_option {
    char *key, *value;
    int line;
    bool is_used; /* set by every getter; cfg_warn_unused reports the rest */
};

struct cfg_section {
    char *name; /* without brackets */
    int line;
    struct cfg_option *options;
    size_t option_count, option_capacity;
    const char *path; /* of the file, for messages */
};

struct cfg {
    char *path;
    struct cfg_section *sections;
    size_t section_count, section_capacity;
};

/* Reads and lexes a .cfg. Free with cfg_free, which accepts a zeroed struct. */
NODISCARD enum result cfg_read(const char *path, struct cfg *cfg, struct error *err);
/* The same from memory; `path` is only for messages. text need not end with a newline. */
NODISCARD enum result cfg_parse(const char *path, const char *text, size_t size, struct cfg *cfg,
                                struct error *err);
void cfg_free(struct cfg *cfg);

/* First option with that key, or NULL; marks it used. */
const struct cfg_option *cfg_find(struct cfg_section *section, const char *key);

/* Value or default. A value that is not a number and nothing else, is not finite, or lies outside
 * [min, max] is ERR_CFG with path:line. Integers written as 3.0 are accepted, 3.5 is not. */
NODISCARD enum result cfg_int(struct cfg_section *section, const char *key, int fallback, int min,
                              int max, int *value, struct error *err);
NODISCARD enum result cfg_float(struct cfg_section *section, const char *key, float fallback,
                                float min, float max, float *value, struct error *err);
/* 0 or nonzero. */
NODISCARD enum result cfg_bool(struct cfg_section *section, const char *key, bool fallback,
                               bool *value, struct error *err);
/* A word of a list. Several words may mean the same value. */
struct cfg_word {
    const char *name;
    int value;
};
/* What the key's word means among words[count], or fallback. Another word is ERR_CFG with path:line, the nearest
 * one that is known, and all of them. */
NODISCARD enum result cfg_choice(struct cfg_section *section, const char *key,
                                 const struct cfg_word *words, size_t count, int fallback,
                                 int *value, struct error *err);
/* The string, or fallback; points into the cfg. */
const char *cfg_string(struct cfg_section *section, const char *key, const char *fallback);

/* Comma-separated numbers. *values (mem_free) and *count; a missing key gives count 0. Empty items and
 * garbage are ERR_CFG; a trailing '#' comment is cut (with a warning where Darknet would count it). */
NODISCARD enum result cfg_ints(struct cfg_section *section, const char *key, int **values,
                               size_t *count, struct error *err);
NODISCARD enum result cfg_floats(struct cfg_section *section, const char *key, float **values,
                                 size_t *count, struct error *err);

/* ERR_CFG at the option's line, or at the section's when the option is NULL:
 * "path:line: [section] key: text". */
enum result cfg_error(const struct cfg_section *section, const struct cfg_option *option,
                      struct error *err, const char *fmt, ...) PRINTF_LIKE(4, 5);

/* Warn once per key that nobody read ("did you mean" for a near miss), with path:line. */
void cfg_warn_unused(const struct cfg *cfg);

#endif
