/* What a call writes to stderr, for tests of warnings; and where test data lies. */
#ifndef TESTS_CAPTURE_H
#define TESTS_CAPTURE_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char captured[65536];
static int captured_stderr = -1;

static inline void capture_begin(void)
{
    fflush(stderr);
    captured_stderr = dup(2);
    FILE *file = tmpfile();
    if (!file || captured_stderr < 0 || dup2(fileno(file), 2) < 0) {
        abort();
    }
    fclose(file);
}

/* Afterwards `captured` holds the text. */
static inline void capture_end(void)
{
    fflush(stderr);
    lseek(2, 0, SEEK_SET);
    ssize_t got = read(2, captured, sizeof captured - 1);
    captured[got > 0 ? got : 0] = 0;
    if (dup2(captured_stderr, 2) < 0) {
        abort();
    }
    close(captured_stderr);
}

/* path of a file of the shared test material; false if it is not there. */
static inline bool shared_path(const char *name, char *path, size_t size)
{
    const char *root = getenv("YOLO_SHARED");
    snprintf(path, size, "%s/%s", root ? root : "../shared", name);
    return access(path, R_OK) == 0;
}

#endif
