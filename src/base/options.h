/* Command lines: one table per command makes both the parser and the --help page.
 *
 * Spellings of one and the same option: --long value, --long=value, long=value (only if the command
 * knows the name; else the word is a positional), Darknet's -long value; '-' and '_' are the same
 * in names. A lone "-" and every word after "--" are positionals. A word that begins with '-' is
 * taken as a value only if it is "-" or a number; --long=-word takes anything. Given twice, the
 * last one wins (OPTION_LIST collects). Flags: --x, --no-x, x=true|false. Every command also knows
 * -h --help, -q --quiet and -v --verbose. */
#ifndef BASE_OPTIONS_H
#define BASE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Target types; the target's value before parsing is the default that --help shows (none if it is
 * zero, or outside [min, max]: not given). */
enum option_kind {
    OPTION_FLAG,   /* bool */
    OPTION_SET,    /* int, takes no value: becomes (int)min; for alternatives like
                       --letterbox|--stretch */
    OPTION_INT,    /* int in [min, max] */
    OPTION_FLOAT,  /* float in [min, max], finite */
    OPTION_HOURS,  /* float, hours in [min, max]: 1.5, or with units 2h, 90m, 45s, 1h30m */
    OPTION_STRING, /* const char *, points into argv; may not be empty */
    OPTION_LIST,   /* struct string_list, repeatable */
    OPTION_CHOICE, /* int: the number of the word within `argument`, "text|json|csv" */
    OPTION_SIZE,   /* struct option_size: "N" or "WxH", both in [min, max] */
    OPTION_NOTHING, /* accepted without effect; the help text, which is then also a note, says why. With an
                       argument it takes the next word along, with one in brackets only a number */
};

/* Strings that belong to argv. Freed with string_list_free; a zeroed struct is an empty list. */
struct string_list {
    const char **items;
    size_t count, capacity;
};

struct option_size {
    int w, h; /* 0, 0 = not given */
};

struct option {
    const char *names; /* "conf|thresh": the first is shown, all are accepted; written with '-' */
    enum option_kind kind;
    size_t offset; /* of the target in its group's struct: offsetof */
    double min, max;
    const char *argument; /* its name on the help page; OPTION_CHOICE: the words */
    const char *help;
    char letter; /* 'o' = also -o; 0 = none */
};

struct option_group {
    const char *title;            /* heading on the help page */
    const struct option *options; /* ends with names == NULL */
    void *target;
};

enum { OPTION_MAX_GROUPS = 10 };

struct usage {
    const char *command;
    const char *arguments;  /* "INPUT..." or "" */
    const char *about;      /* what it does, one or more lines, each ending with a newline */
    const char *example;    /* one command line */
    const char *exit_codes; /* NULL = the common ones */
    struct option_group groups[OPTION_MAX_GROUPS]; /* ends with options == NULL, or is full */
};

/* Parse argv[0 .. argc), the words behind the command's name. Positionals are appended to *rest in
 * order. With --help the page is printed to stdout and *done becomes true: the command returns OK
 * at once. ERR_ARG names the offending word. Sets the log level. */
NODISCARD enum result options_parse(const struct usage *usage, int argc, char **argv,
                                    struct string_list *rest, bool *done, struct error *err);

/* The same for a command of at most `most` positionals: words[most] points to them, NULL where there are fewer.
 * ERR_ARG names the first beyond. */
NODISCARD enum result options_parse_few(const struct usage *usage, int argc, char **argv,
                                        const char **words, size_t most, bool *done,
                                        struct error *err);

/* One word "key=value" of a table without OPTION_SET and OPTION_NOTHING, of at most 64 rows.
 * Strings point into the word. *given: a bit a row that had its value already, 0 before the first
 * word. ERR_ARG names what is wrong with the word, given twice too; an unknown key gets the nearest
 * one as a hint. */
NODISCARD enum result options_assign(const struct option *options, void *target, uint64_t *given,
                                     const char *word, struct error *err);

void options_print_help(const struct usage *usage);

NODISCARD enum result string_list_add(struct string_list *list, const char *item,
                                      struct error *err);
void string_list_free(struct string_list *list);

/* A file named on the command line that is not there, or is a folder, is a wrong command line: ERR_ARG
 * "--cfg x: no such file". option NULL: the path is an argument. path NULL: fine. */
NODISCARD enum result option_need_file(const char *option, const char *path, struct error *err);
/* The same for a folder. */
NODISCARD enum result option_need_folder(const char *option, const char *path, struct error *err);

/* True if `word` is one of the words of "a|b|c"; '-' equals '_'. */
bool word_in(const char *words, const char *word);

#endif
