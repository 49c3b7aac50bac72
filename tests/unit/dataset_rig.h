/* Files of data sets in a folder under /tmp, and the faults that are found in them. */
#ifndef TESTS_DATASET_RIG_H
#define TESTS_DATASET_RIG_H

#include <stdarg.h>
#include <sys/stat.h>

#include "base/fileio.h"
#include "base/path.h"
#include "base/memory.h"
#include "capture.h"
#include "data/dataset.h"
#include "test.h"

static struct error err;
static char root[] = "/tmp/test_dataset_XXXXXX";

/* ---- files ---- */

static inline const char *in_root(const char *name)
{
    static char paths[8][4096];
    static unsigned turn;
    static bool made;
    if (!made && !mkdtemp(root)) {
        perror(root);
    }
    made = true;
    char *path = paths[turn++ % 8];
    path_join(path, sizeof paths[0], root, name);
    return path;
}

static inline const char *put_bytes(const char *name, const void *bytes, size_t size)
{
    const char *path = in_root(name);
    char folder[4096];
    snprintf(folder, sizeof folder, "%.*s", (int)(path_base(path) - path), path);
    FILE *f = dir_make(folder, &err) == OK ? fopen(path, "wb") : NULL;
    if (!f || fwrite(bytes, 1, size, f) != size || fclose(f) != 0) {
        perror(path);
        abort();
    }
    return path;
}

static inline const char *put(const char *name, const char *text)
{
    return put_bytes(name, text, strlen(text));
}

/* ---- faults as they come ---- */

struct seen {
    enum label_fault fault;
    char path[1024];
    int line;
    char text[1024];
};

static struct seen seen[64];
static size_t seen_count;

static inline void see(void *ctx, enum label_fault fault, const char *path, int line,
                       const char *text)
{
    if (ctx == &seen_count && seen_count < 64) {
        struct seen *s = &seen[seen_count++];
        s->fault = fault;
        s->line = line;
        snprintf(s->path, sizeof s->path, "%s", path);
        snprintf(s->text, sizeof s->text, "%s", text);
    }
}

static inline enum result open_set(const char *path, size_t classes, struct dataset *set)
{
    seen_count = 0;
    struct dataset_source source = {
        .path = path, .class_count = classes, .sink = see, .sink_ctx = &seen_count};
    return dataset_open(&source, set, &err);
}

static inline bool was_seen(enum label_fault fault, const char *path, int line, const char *text)
{
    for (size_t i = 0; i < seen_count; i++) {
        const struct seen *s = &seen[i];
        if (s->fault == fault && s->line == line && strcmp(s->path, path) == 0 &&
            strstr(s->text, text)) {
            return true;
        }
    }
    for (size_t i = 0; i < seen_count; i++) {
        printf("    fault %d %s:%d: %s\n", (int)seen[i].fault, seen[i].path, seen[i].line,
               seen[i].text);
    }
    return false;
}

static inline bool error_is(const char *path, const char *text)
{
    bool fits = strncmp(err.text, path, strlen(path)) == 0 && strstr(err.text, text);
    if (!fits) {
        printf("    error: %s\n", err.text);
    }
    return fits;
}

/* A set of one picture whose label file is `text`; the label's path is *label. */
static inline enum result open_label(const void *text, size_t size, size_t classes,
                                     const char **label, struct dataset *set)
{
    static int number;
    char name[64];
    char line[4200];
    snprintf(name, sizeof name, "faults/%d.JPG", ++number);
    snprintf(line, sizeof line, "%s\n", put(name, "not looked at"));
    snprintf(name, sizeof name, "faults/%d.txt", number);
    *label = put_bytes(name, text, size);
    return open_set(put("faults.txt", line), classes, set);
}

#endif
