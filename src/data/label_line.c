#include "data/label_line.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLANKS " \t\r\v\f"
#define EXPECTED "class x y w h is expected"

enum { BOX_NUMBERS = 5, FIRST_NUMBERS = 6, POLYGON_LEAST = 7 };

/* The numbers of a line: the first ones, and the box around the pairs behind the class. */
struct numbers {
    double first[FIRST_NUMBERS];
    size_t count;
    struct edges around;
};

static void take_number(struct numbers *n, double value)
{
    struct edges *e = &n->around;
    if (n->count < FIRST_NUMBERS) {
        n->first[n->count] = value;
    }
    if (n->count == 1 || n->count == 2) {
        *(n->count == 1 ? &e->x1 : &e->y1) = value;
        *(n->count == 1 ? &e->x2 : &e->y2) = value;
    } else if (n->count > 2 && n->count % 2 == 1) {
        e->x1 = fmin(e->x1, value);
        e->x2 = fmax(e->x2, value);
    } else if (n->count > 2) {
        e->y1 = fmin(e->y1, value);
        e->y2 = fmax(e->y2, value);
    }
    n->count++;
}

/* False, with why, if a word is no finite number. */
static bool read_numbers(const char *text, struct numbers *n, char *why, size_t size)
{
    for (text += strspn(text, BLANKS); *text && *text != '\n'; text += strspn(text, BLANKS)) {
        size_t length = strcspn(text, BLANKS "\n");
        char *end;
        double value = strtod(text, &end);
        if (end != text + length || !isfinite(value)) {
            const char *hint =
                memchr(text, ',', length) ? "blanks, not commas: " EXPECTED : EXPECTED;
            snprintf(why, size, "\"%.*s\" is no number (%s)", length < 40 ? (int)length : 40, text,
                     hint);
            return false;
        }
        take_number(n, value);
        text = end;
    }
    return true;
}

bool label_line_read(const char *text, size_t key_numbers, struct label_line *line)
{
    struct numbers n = {.count = 0};
    *line = (struct label_line){.form = LABEL_UNUSABLE};
    if (!read_numbers(text, &n, line->why, sizeof line->why)) {
        return true;
    }
    const double *v = n.first;
    bool has_confidence = n.count == BOX_NUMBERS + 1 && v[5] >= 0 && v[5] <= 1;
    bool has_points = key_numbers > 0 && n.count == BOX_NUMBERS + key_numbers;
    line->class_id = v[0];
    if (n.count == BOX_NUMBERS || has_confidence || has_points) {
        line->form = has_points ? LABEL_KEY_POINTS : has_confidence ? LABEL_CONFIDENCE : LABEL_BOX;
        line->edges =
            (struct edges){v[1] - v[3] / 2, v[2] - v[4] / 2, v[1] + v[3] / 2, v[2] + v[4] / 2};
    } else if (n.count >= POLYGON_LEAST && n.count % 2 == 1) {
        line->form = LABEL_POLYGON;
        line->edges = n.around;
    } else if (n.count > 0) {
        snprintf(line->why, sizeof line->why, "%zu numbers instead of 5 (%s)", n.count,
                 n.count == BOX_NUMBERS + 1 ? "the sixth is no confidence between 0 and 1"
                 : n.count > POLYGON_LEAST  ? EXPECTED ", or class and points x y"
                                            : EXPECTED);
    }
    return n.count > 0;
}
