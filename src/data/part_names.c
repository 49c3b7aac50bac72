#include "data/part_names.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

enum { NAME_SIZE = 256 };

static const struct {
    const char *word;
    enum set_part part;
} words[] = {
    {"train", PART_TRAIN},  {"training", PART_TRAIN},     {"trainval", PART_TRAIN},
    {"val", PART_VALID},    {"valid", PART_VALID},        {"validation", PART_VALID},
    {"test", PART_TEST},    {"testing", PART_TEST},       {"dev", PART_UNKNOWN},
    {"eval", PART_UNKNOWN}, {"evaluation", PART_UNKNOWN}, {"holdout", PART_UNKNOWN},
    {"fold", PART_UNKNOWN}, {"split", PART_UNKNOWN},      {"subset", PART_UNKNOWN},
    {"part", PART_UNKNOWN},
};

enum set_part part_of_word(const char *word)
{
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcasecmp(word, words[i].word) == 0) {
            return words[i].part;
        }
    }
    return PART_NONE;
}

const char *part_name(enum set_part part, size_t which)
{
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (words[i].part == part && which-- == 0) {
            return words[i].word;
        }
    }
    return NULL;
}

static bool cut_end(char *name, const char *end)
{
    size_t length = strlen(name);
    size_t tail = strlen(end);
    bool fits = length > tail && strcasecmp(name + length - tail, end) == 0;
    if (fits) {
        name[length - tail] = 0;
    }
    return fits;
}

static void cut_separators(char *name)
{
    size_t length = strlen(name);
    while (length > 0 && strchr("_-. ", name[length - 1])) {
        name[--length] = 0;
    }
}

enum set_part set_part_of(const char *name, size_t length)
{
    static const char *const before[] = {"obj_", "images_", "images-"};
    static const char *const behind[] = {"_data", "_set", "-set", "set", "_images", "-images"};
    char stem[NAME_SIZE];
    if (length == 0 || length >= sizeof stem) {
        return PART_NONE;
    }
    memcpy(stem, name, length);
    stem[length] = 0;
    char *word = stem;
    for (size_t i = 0; i < sizeof before / sizeof before[0]; i++) {
        size_t n = strlen(before[i]);
        if (word == stem && strncasecmp(stem, before[i], n) == 0) {
            word += n;
        }
    }
    size_t digits = strlen(word); /* a year, or the number of a fold */
    while (digits > 0 && isdigit((unsigned char)word[digits - 1])) {
        digits--;
    }
    size_t count = strlen(word) - digits;
    word[digits] = 0;
    cut_separators(word);
    for (size_t i = 0; i < sizeof behind / sizeof behind[0]; i++) {
        if (cut_end(word, behind[i])) {
            cut_separators(word);
            break;
        }
    }
    enum set_part part = part_of_word(word);
    bool is_year = count == 0 || count == 4;
    return is_year || part == PART_NONE ? part : PART_UNKNOWN;
}
