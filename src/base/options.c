#include "base/options.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/suggest.h"

enum { NAME_LIMIT = 64, MAX_NAMES = 192, MAX_IDLE = 16, HELP_COLUMN = 30, HELP_WIDTH = 100 };

static const char default_exit_codes[] =
    "0 done, 1 failed, 2 wrong usage or a wrong file, 130 interrupted";

/* What every command knows, parsed like the rest. */
struct common {
    bool help, quiet, verbose;
};

static const struct option common_options[] = {
    {"quiet", OPTION_FLAG, offsetof(struct common, quiet), 0, 0, NULL,
     "warnings and errors only on stderr", 'q'},
    {"verbose", OPTION_FLAG, offsetof(struct common, verbose), 0, 0, NULL, "more on stderr", 'v'},
    {"help", OPTION_FLAG, offsetof(struct common, help), 0, 0, NULL, "this page", 'h'},
    {0},
};

enum result string_list_add(struct string_list *list, const char *item, struct error *err)
{
    void *items = list->items;
    enum result result = mem_grow(&items, list->count, &list->capacity, sizeof *list->items, err);
    list->items = items;
    if (result == OK) {
        list->items[list->count++] = item;
    }
    return result;
}

void string_list_free(struct string_list *list)
{
    mem_free(list->items);
    *list = (struct string_list){0};
}

static char fold(char c)
{
    return c == '_' ? '-' : c;
}

/* Compare the first n characters of a with the whole of b. */
static bool same_name(const char *a, size_t n, const char *b)
{
    for (size_t i = 0; i < n; i++) {
        if (!b[i] || fold(a[i]) != fold(b[i])) {
            return false;
        }
    }
    return b[n] == '\0';
}

/* The position of word[0..n) in "a|b|c", or -1. */
static int word_index(const char *words, const char *word, size_t n)
{
    char item[NAME_LIMIT];
    for (int index = 0; words; index++) {
        size_t length = strcspn(words, "|");
        if (length < sizeof item) {
            memcpy(item, words, length);
            item[length] = '\0';
            if (same_name(word, n, item)) {
                return index;
            }
        }
        words = words[length] ? words + length + 1 : NULL;
    }
    return -1;
}

bool word_in(const char *words, const char *word)
{
    return word_index(words, word, strlen(word)) >= 0;
}

/* Copy word number `index` of "a|b|c". */
static void word_at(const char *words, int index, char *out, size_t size)
{
    for (; index > 0 && *words; index--) {
        words += strcspn(words, "|");
        words += *words == '|';
    }
    snprintf(out, size, "%.*s", (int)strcspn(words, "|"), words);
}

/* An option as it was met on the command line. */
struct match {
    const struct option *option;
    char *target;
    bool negated; /* --no-x of the flag x, or --x of the flag no-x */
};

/* A word that had no effect. */
struct idle_word {
    const char *word;
    const struct option *option;
};

struct parser {
    const struct usage *usage;
    struct common common;
    int argc, at; /* argv[at] is the next word */
    char **argv;
    struct idle_word idle[MAX_IDLE];
    size_t idle_count;
};

/* Group number i, the common one last; false behind the end. */
static bool group_at(struct parser *p, int i, struct option_group *group)
{
    int count = 0;
    while (count < OPTION_MAX_GROUPS && p->usage->groups[count].options) {
        count++;
    }
    if (i < count) {
        *group = p->usage->groups[i];
    } else if (i == count) {
        *group = (struct option_group){"Common", common_options, &p->common};
    }
    return i <= count;
}

static bool match_option(const struct option *option, const char *name, size_t n,
                         struct match *match)
{
    match->option = option;
    match->negated = false;
    if (word_index(option->names, name, n) >= 0) {
        return true;
    }
    if (option->kind != OPTION_FLAG) {
        return false;
    }
    match->negated = true;
    if (n > 3 && same_name(name, 3, "no-") && word_index(option->names, name + 3, n - 3) >= 0) {
        return true;
    }
    char positive[NAME_LIMIT];
    word_at(option->names, 0, positive, sizeof positive);
    return strncmp(positive, "no-", 3) == 0 && same_name(name, n, positive + 3);
}

/* A name of its own wins over the opposite of a flag: --images DIR beside --no-images. */
static bool find_option(struct parser *p, const char *name, size_t n, struct match *match)
{
    struct option_group group;
    bool found = false;
    for (int i = 0; n > 0 && group_at(p, i, &group); i++) {
        for (const struct option *o = group.options; o->names; o++) {
            struct match one;
            if (match_option(o, name, n, &one) && (!found || (match->negated && !one.negated))) {
                one.target = (char *)group.target + o->offset;
                *match = one;
                found = true;
            }
        }
    }
    return found;
}

static bool find_letter(struct parser *p, char letter, struct match *match)
{
    struct option_group group;
    for (int i = 0; group_at(p, i, &group); i++) {
        for (const struct option *o = group.options; o->names; o++) {
            if (o->letter == letter) {
                *match = (struct match){o, (char *)group.target + o->offset, false};
                return true;
            }
        }
    }
    return false;
}

/* Names split out of the tables. */
struct name_list {
    char text[MAX_NAMES][NAME_LIMIT];
    const char *names[MAX_NAMES];
    size_t count;
};

static void collect_names(const struct option *options, struct name_list *list)
{
    for (const struct option *o = options; o->names; o++) {
        for (int w = 0; list->count < MAX_NAMES; w++) {
            char *name = list->text[list->count];
            word_at(o->names, w, name, NAME_LIMIT);
            if (!name[0]) {
                break;
            }
            list->names[list->count++] = name;
        }
    }
}

/* The name in the list nearest to name[0..n), or NULL. */
static const char *nearest_name(const struct name_list *list, const char *name, size_t n)
{
    char typed[NAME_LIMIT];
    snprintf(typed, sizeof typed, "%.*s", (int)(n < NAME_LIMIT ? n : NAME_LIMIT - 1), name);
    return suggest(typed, list->names, list->count);
}

static enum result unknown_option(struct parser *p, const char *word, const char *name, size_t n,
                                  struct error *err)
{
    struct name_list list = {.count = 0};
    struct option_group group;
    for (int i = 0; group_at(p, i, &group); i++) {
        collect_names(group.options, &list);
    }
    const char *nearest = nearest_name(&list, name, n);
    error_set(err, ERR_ARG, "unknown option %s", word);
    if (nearest) {
        return error_hint(err, "did you mean --%s?", nearest);
    }
    return error_hint(err, "see: yolo help %s", p->usage->command);
}

static bool parse_number(const char *text, double *value)
{
    char *end;
    *value = strtod(text, &end);
    return end != text && *end == '\0' && text[strspn(text, " \t")] == text[0] && isfinite(*value);
}

/* "1.5" is hours; else numbers with h, m, s behind them, each at most once and in this order. */
static bool parse_hours(const char *text, double *hours)
{
    static const char units[] = "hms";
    static const double of_hour[] = {1.0, 60.0, 3600.0};
    if (parse_number(text, hours)) {
        return true;
    }
    *hours = 0.0;
    for (size_t next = 0; *text; next++) {
        char *end;
        double count = strtod(text, &end);
        bool is_plain = *text >= '0' && *text <= '9';
        is_plain = is_plain || *text == '.';
        const char *unit = end != text && *end ? strchr(units, *end) : NULL;
        if (!is_plain || !unit || (size_t)(unit - units) < next || !isfinite(count)) {
            return false;
        }
        next = (size_t)(unit - units);
        *hours += count / of_hour[next];
        text = end + 1;
    }
    return true;
}

static bool parse_whole(const char *text, size_t n, int *value)
{
    char digits[16];
    if (n == 0 || n >= sizeof digits) {
        return false;
    }
    memcpy(digits, text, n);
    digits[n] = '\0';
    if (strspn(digits + (digits[0] == '-' || digits[0] == '+'), "0123456789") == 0) {
        return false;
    }
    char *end;
    errno = 0;
    long whole = strtol(digits, &end, 10);
    *value = (int)whole;
    return *end == '\0' && errno == 0 && whole >= INT_MIN && whole <= INT_MAX;
}

static enum result bad_value(const struct option *option, const char *value, const char *reason,
                             struct error *err)
{
    char name[NAME_LIMIT];
    word_at(option->names, 0, name, sizeof name);
    return error_set(err, ERR_ARG, "--%s %s: %s", name, value, reason);
}

static enum result out_of_range(const struct option *option, const char *value, struct error *err)
{
    char reason[96];
    const char *unit = option->kind == OPTION_HOURS ? " hours" : "";
    bool open_above = option->max >= INT_MAX;
    if (open_above) {
        snprintf(reason, sizeof reason, "must be at least %g", option->min);
    } else {
        snprintf(reason, sizeof reason, "must lie between %g and %g%s", option->min, option->max,
                 unit);
    }
    return bad_value(option, value, reason, err);
}

static bool in_range(const struct option *option, double value)
{
    return value >= option->min && value <= option->max;
}

static enum result set_flag(const struct match *match, const char *value, struct error *err)
{
    bool on = true;
    if (value && word_in("0|false|False|no|off", value)) {
        on = false;
    } else if (value && !word_in("1|true|True|yes|on", value)) {
        return bad_value(match->option, value, "is a switch: true or false", err);
    }
    *(bool *)match->target = on != match->negated;
    return OK;
}

static enum result set_size(const struct match *match, const char *value, struct error *err)
{
    struct option_size size;
    size_t n = strcspn(value, "xX");
    if (!parse_whole(value, n, &size.w)) {
        return bad_value(match->option, value, "must be N or WIDTHxHEIGHT", err);
    }
    size.h = size.w;
    if (value[n] && !parse_whole(value + n + 1, strlen(value + n + 1), &size.h)) {
        return bad_value(match->option, value, "must be N or WIDTHxHEIGHT", err);
    }
    if (!in_range(match->option, size.w) || !in_range(match->option, size.h)) {
        return out_of_range(match->option, value, err);
    }
    *(struct option_size *)match->target = size;
    return OK;
}

static enum result set_choice(const struct match *match, const char *value, struct error *err)
{
    int index = word_index(match->option->argument, value, strlen(value));
    if (index < 0) {
        char reason[256];
        snprintf(reason, sizeof reason, "must be one of %s", match->option->argument);
        return bad_value(match->option, value, reason, err);
    }
    *(int *)match->target = index;
    return OK;
}

static enum result set_value(const struct match *match, const char *value, struct error *err)
{
    const struct option *option = match->option;
    double number;
    int whole;
    switch (option->kind) {
    case OPTION_INT:
        if (!parse_whole(value, strlen(value), &whole)) {
            return bad_value(option, value, "is not a whole number", err);
        }
        if (!in_range(option, whole)) {
            return out_of_range(option, value, err);
        }
        *(int *)match->target = whole;
        return OK;
    case OPTION_FLOAT:
        if (!parse_number(value, &number)) {
            return bad_value(option, value, "is not a number", err);
        }
        if (!in_range(option, number)) {
            return out_of_range(option, value, err);
        }
        *(float *)match->target = (float)number;
        return OK;
    case OPTION_HOURS:
        if (!parse_hours(value, &number)) {
            return bad_value(option, value, "is no time: 2h, 90m, 45s, 1h30m, or hours as 1.5",
                             err);
        }
        if (!in_range(option, number)) {
            return out_of_range(option, value, err);
        }
        *(float *)match->target = (float)number;
        return OK;
    case OPTION_STRING:
        if (!value[0]) {
            return bad_value(option, "\"\"", "is empty", err);
        }
        *(const char **)match->target = value;
        return OK;
    case OPTION_LIST:
        return string_list_add((struct string_list *)match->target, value, err);
    case OPTION_CHOICE:
        return set_choice(match, value, err);
    default:
        return set_size(match, value, err);
    }
}

static bool takes_value(const struct option *option)
{
    return option->kind != OPTION_FLAG && option->kind != OPTION_SET &&
           option->kind != OPTION_NOTHING;
}

/* An option without effect, and its value; noted once a row. */
static void pass_over(struct parser *p, const struct option *option, const char *word,
                      const char *value)
{
    double number;
    const char *next = p->at < p->argc ? p->argv[p->at] : NULL;
    bool is_number = next && parse_number(next, &number);
    bool takes_word = option->argument && option->argument[0] != '[' && next && next[0] != '-';
    if (!value && option->argument && (is_number || takes_word)) {
        p->at++;
    }
    bool is_noted = p->idle_count == MAX_IDLE;
    for (size_t i = 0; i < p->idle_count; i++) {
        is_noted = is_noted || p->idle[i].option == option;
    }
    if (!is_noted) {
        p->idle[p->idle_count++] = (struct idle_word){word, option};
    }
}

static void print_notes(const struct parser *p)
{
    for (size_t i = 0; i < p->idle_count; i++) {
        log_info("%s: %s", p->idle[i].word, p->idle[i].option->help);
    }
}

/* value: what stood behind '=', or NULL. */
static enum result apply(struct parser *p, const struct match *match, const char *value,
                         struct error *err)
{
    const struct option *option = match->option;
    char name[NAME_LIMIT];
    word_at(option->names, 0, name, sizeof name);
    if (option->kind == OPTION_FLAG) {
        return set_flag(match, value, err);
    }
    if (!takes_value(option)) {
        if (value && !option->argument) {
            return error_set(err, ERR_ARG, "--%s takes no value", name);
        }
        if (option->kind == OPTION_SET) {
            *(int *)match->target = (int)option->min;
        } else {
            pass_over(p, option, p->argv[p->at - 1], value);
        }
        return OK;
    }
    if (!value) {
        double number;
        const char *next = p->at < p->argc ? p->argv[p->at] : NULL;
        if (!next || (next[0] == '-' && next[1] && !parse_number(next, &number))) {
            return error_set(err, ERR_ARG, "--%s needs a value: --%s %s", name, name,
                             option->argument);
        }
        value = next;
        p->at++;
    }
    return set_value(match, value, err);
}

static enum result parse_word(struct parser *p, struct string_list *rest, struct error *err)
{
    const char *word = p->argv[p->at++];
    struct match match;
    double number;
    size_t dashes = word[0] != '-' ? 0 : word[1] == '-' ? 2 : 1;
    const char *name = word + dashes;
    size_t n = strcspn(name, "=");
    const char *value = name[n] ? name + n + 1 : NULL;
    if (dashes == 0) {
        bool is_option = value && find_option(p, name, n, &match);
        return is_option ? apply(p, &match, value, err) : string_list_add(rest, word, err);
    }
    if (!name[0] || parse_number(word, &number)) {
        return string_list_add(rest, word, err);
    }
    if (find_option(p, name, n, &match) ||
        (dashes == 1 && n == 1 && find_letter(p, name[0], &match))) {
        return apply(p, &match, value, err);
    }
    return unknown_option(p, word, name, n, err);
}

enum result options_assign(const struct option *options, void *target, uint64_t *given,
                           const char *word, struct error *err)
{
    struct match match;
    size_t n = strcspn(word, "=");
    for (const struct option *o = options; word[n] && o->names; o++) {
        if (match_option(o, word, n, &match) && !match.negated) {
            uint64_t bit = UINT64_C(1) << (o - options);
            if (*given & bit) {
                return error_set(err, ERR_ARG, "%s: %.*s was given before", word, (int)n, word);
            }
            *given |= bit;
            match.target = (char *)target + o->offset;
            return o->kind == OPTION_FLAG ? set_flag(&match, word + n + 1, err)
                                          : set_value(&match, word + n + 1, err);
        }
    }
    struct name_list list = {.count = 0};
    collect_names(options, &list);
    const char *nearest = nearest_name(&list, word, n);
    error_set(err, ERR_ARG, word[n] ? "unknown key %s" : "%s is no key=value", word);
    if (nearest) {
        return error_hint(err, "did you mean %s=?", nearest);
    }
    return error_hint(err, "keys: see yolo help train");
}

/* Help needs the defaults, which parsing overwrites: look for it first. */
static bool wants_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-help") == 0 ||
            strcmp(argv[i], "-h") == 0) {
            return true;
        }
    }
    return false;
}

enum result options_parse(const struct usage *usage, int argc, char **argv,
                          struct string_list *rest, bool *done, struct error *err)
{
    struct parser p = {.usage = usage, .argc = argc, .argv = argv};
    *done = wants_help(argc, argv);
    if (*done) {
        options_print_help(usage);
        return OK;
    }
    while (p.at < argc) {
        if (strcmp(argv[p.at], "--") == 0) {
            for (p.at++; p.at < argc; p.at++) {
                TRY(string_list_add(rest, argv[p.at], err));
            }
            break;
        }
        TRY(parse_word(&p, rest, err));
    }
    log_set_level(p.common.quiet ? LOG_QUIET : p.common.verbose ? LOG_VERBOSE : LOG_NORMAL);
    print_notes(&p);
    return OK;
}

enum result options_parse_few(const struct usage *usage, int argc, char **argv, const char **words,
                              size_t most, bool *done, struct error *err)
{
    struct string_list rest = {0};
    enum result result = options_parse(usage, argc, argv, &rest, done, err);
    if (result == OK && rest.count > most) {
        result = error_set(err, ERR_ARG, "%s: unexpected %s", usage->command, rest.items[most]);
    }
    for (size_t i = 0; i < most; i++) {
        words[i] = i < rest.count ? rest.items[i] : NULL;
    }
    string_list_free(&rest);
    return result;
}

static void format_default(const struct option *option, const void *target, char *text, size_t size)
{
    char word[NAME_LIMIT];
    text[0] = '\0';
    const struct option_size *wh = target;
    switch (option->kind) {
    case OPTION_FLAG:
        snprintf(text, size, "%s", *(const bool *)target ? "on" : "");
        break;
    case OPTION_INT:
        if (*(const int *)target && in_range(option, *(const int *)target)) {
            snprintf(text, size, "%d", *(const int *)target);
        }
        break;
    case OPTION_FLOAT:
    case OPTION_HOURS:
        if (*(const float *)target != 0 && in_range(option, (double)*(const float *)target)) {
            snprintf(text, size, "%g", (double)*(const float *)target);
        }
        break;
    case OPTION_STRING:
        if (*(const char *const *)target) {
            snprintf(text, size, "%s", *(const char *const *)target);
        }
        break;
    case OPTION_CHOICE:
        if (*(const int *)target >= 0) { /* -1 = not given */
            word_at(option->argument, *(const int *)target, word, sizeof word);
            snprintf(text, size, "%s", word);
        }
        break;
    case OPTION_SIZE:
        if (wh->w) {
            snprintf(text, size, "%dx%d", wh->w, wh->h);
        }
        break;
    default:
        break;
    }
}

/* The help column: words wrapped between HELP_COLUMN and HELP_WIDTH. */
static void print_wrapped(const char *text, int column)
{
    while (*text) {
        int n = (int)strcspn(text, " ");
        if (column > HELP_COLUMN && column + 1 + n > HELP_WIDTH) {
            printf("\n%*s", HELP_COLUMN, "");
            column = HELP_COLUMN;
        } else if (column > HELP_COLUMN) {
            putchar(' ');
            column++;
        }
        printf("%.*s", n, text);
        column += n;
        text += n;
        text += strspn(text, " ");
    }
    putchar('\n');
}

static void print_option(const struct option *option, const void *target)
{
    char left[256], names[160], text[512], fallback[96];
    size_t used = 0;
    names[0] = '\0';
    for (const char *c = option->names; *c && used + 4 < sizeof names; c++) {
        used += (size_t)snprintf(names + used, sizeof names - used, *c == '|' ? ", --" : "%c", *c);
    }
    int n = option->letter ? snprintf(left, sizeof left, "  -%c, --%s", option->letter, names)
                           : snprintf(left, sizeof left, "  --%s", names);
    if (option->argument && n > 0 && (size_t)n < sizeof left) {
        n += snprintf(left + n, sizeof left - (size_t)n, " %s", option->argument);
    }
    format_default(option, target, fallback, sizeof fallback);
    snprintf(text, sizeof text, fallback[0] ? "%s (default %s)" : "%s", option->help, fallback);
    if (n + 2 > HELP_COLUMN) {
        printf("%s\n%*s", left, HELP_COLUMN, "");
    } else {
        printf("%-*s", HELP_COLUMN, left);
    }
    print_wrapped(text, HELP_COLUMN);
}

void options_print_help(const struct usage *usage)
{
    struct parser p = {.usage = usage};
    printf("Usage: yolo %s%s%s [options]\n\n%s", usage->command, usage->arguments[0] ? " " : "",
           usage->arguments, usage->about);
    struct option_group group;
    for (int i = 0; group_at(&p, i, &group); i++) {
        printf("\n%s:\n", group.title);
        for (const struct option *o = group.options; o->names; o++) {
            print_option(o, (const char *)group.target + o->offset);
        }
    }
    printf("\nExample:\n  %s\n", usage->example);
    printf("\nExit codes: %s\n", usage->exit_codes ? usage->exit_codes : default_exit_codes);
}

/* what: "folder" or "file", which the path is not; other: what else it may be. */
static enum result not_there(const char *option, const char *path, const char *what,
                             const char *other, struct error *err)
{
    const char *dashes = option ? "--" : "", *blank = option ? " " : "";
    option = option ? option : "";
    return path_exists(path)
               ? error_set(err, ERR_ARG, "%s%s%s%s: is a %s, not a %s", dashes, option, blank, path,
                           other, what)
               : error_set(err, ERR_ARG, "%s%s%s%s: no such %s", dashes, option, blank, path, what);
}

enum result option_need_file(const char *option, const char *path, struct error *err)
{
    return !path || (path_exists(path) && !path_is_dir(path))
               ? OK
               : not_there(option, path, "file", "folder", err);
}

enum result option_need_folder(const char *option, const char *path, struct error *err)
{
    return !path || path_is_dir(path) ? OK : not_there(option, path, "folder", "file", err);
}
