/* Result codes and the one error object.
 *
 * Every function that can fail returns an enum result and takes a struct error * as its last
 * parameter. The first failure fills the object; callers pass it up unchanged, or add context once
 * with error_prefix. Only cli/main.c turns a result into an exit code. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdarg.h>

enum result {
    OK = 0,
    ERR_MEMORY,      /* an allocation failed or a size overflowed */
    ERR_IO,          /* the operating system refused to read or write */
    ERR_FORMAT,      /* a file's content is not what its kind promises */
    ERR_CFG,         /* a network description is wrong */
    ERR_ARG,         /* wrong command line */
    ERR_UNSUPPORTED, /* valid, but not built here */
    ERR_INTERRUPTED, /* SIGINT, SIGTERM or SIGHUP */
    ERR_INTERNAL,    /* a promise of this program itself does not hold */
};

struct error {
    enum result code;
    char text[1024]; /* one line, no newline: "path:line: what is wrong (hint)" */
};

#define NODISCARD __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))

/* Fill *err with code and the formatted text; returns code. err may be NULL. */
enum result error_set(struct error *err, enum result code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* As error_set, with "path:line: " in front (line 0 leaves the line out). */
enum result error_at(struct error *err, enum result code, const char *path, int line,
                     const char *fmt, ...) PRINTF_LIKE(5, 6);

/* As error_set for ERR_IO: "path: text: <strerror(errno)>"; for ERR_MEMORY if that is ENOMEM, which says nothing
 * of the file. */
enum result error_errno(struct error *err, const char *path, const char *what);

/* Put the formatted text and ": " in front of a filled error; returns its code. */
enum result error_prefix(struct error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Append " (text)" to a filled error: the hint. Returns its code. */
enum result error_hint(struct error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Return early from a function that owns nothing. */
#define TRY(call)                                                                                  \
    do {                                                                                           \
        enum result try_result = (call);                                                           \
        if (try_result != OK) {                                                                    \
            return try_result;                                                                     \
        }                                                                                          \
    } while (0)

#endif
