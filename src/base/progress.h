/* How far a job of many like steps is: "evaluation: 120 of 5000, 31.0/s, 0:02:37 left". A line that
 * renews itself on a terminal, elsewhere a line of its own now and then; nothing with -q. */
#ifndef BASE_PROGRESS_H
#define BASE_PROGRESS_H

#include <stddef.h>

struct progress {
    const char *what; /* borrowed */
    size_t total;
    double start, shown; /* seconds */
};

void progress_begin(struct progress *progress, const char *what, size_t total);
/* `done` steps of total are done. */
void progress_step(struct progress *progress, size_t done);
/* Removes the line from a terminal. */
void progress_end(void);

/* Seconds as "1:02:03" in text[size]; returns text. */
const char *progress_duration(double seconds, char *text, size_t size);

#endif
