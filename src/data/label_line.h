/* Lines of YOLO label files, as people's tools write them. */
#ifndef DATA_LABEL_LINE_H
#define DATA_LABEL_LINE_H

#include <stdbool.h>
#include <stddef.h>

/* Of a file; polygons of a crowded picture take some. */
enum { LABEL_MAX_BYTES = 16 * 1024 * 1024 };

/* A box by its edges, fractions of the picture. */
struct edges {
    double x1, y1, x2, y2;
};

enum label_form {
    LABEL_UNUSABLE,   /* no numbers, or a number of them that means nothing */
    LABEL_BOX,        /* class x y w h */
    LABEL_CONFIDENCE, /* class x y w h confidence, as detectors save what they found */
    LABEL_KEY_POINTS, /* class x y w h and numbers of key points */
    LABEL_POLYGON,    /* class and three or more points x y; an oriented box is one of four */
};

struct label_line {
    enum label_form form;
    double class_id;    /* as written: any finite number */
    struct edges edges; /* of a polygon the smallest box around it; not clipped, maybe empty */
    char why[160];      /* LABEL_UNUSABLE: what is wrong */
};

/* Read one line, which ends at a line feed or at the end of the text. False for a blank one. key_numbers: how many
 * numbers of key points stand behind a box; 0: none. */
bool label_line_read(const char *text, size_t key_numbers, struct label_line *line);

#endif
