#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static void fill(struct error *err, enum result code, const char *prefix, const char *fmt,
                 va_list args)
{
    if (!err) {
        return;
    }
    err->code = code;
    size_t used = strlen(prefix);
    if (used >= sizeof err->text) {
        used = sizeof err->text - 1;
    }
    memcpy(err->text, prefix, used);
    vsnprintf(err->text + used, sizeof err->text - used, fmt, args);
    text_mask(err->text); /* one line, whatever a file put into its names */
}

enum result error_set(struct error *err, enum result code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fill(err, code, "", fmt, args);
    va_end(args);
    return code;
}

enum result error_at(struct error *err, enum result code, const char *path, int line,
                     const char *fmt, ...)
{
    char prefix[768];
    if (line > 0) {
        snprintf(prefix, sizeof prefix, "%.700s:%d: ", path, line);
    } else {
        snprintf(prefix, sizeof prefix, "%.700s: ", path);
    }
    va_list args;
    va_start(args, fmt);
    fill(err, code, prefix, fmt, args);
    va_end(args);
    return code;
}

enum result error_errno(struct error *err, const char *path, const char *what)
{
    return error_at(err, errno == ENOMEM ? ERR_MEMORY : ERR_IO, path, 0, "%s: %s", what,
                    strerror(errno));
}

enum result error_prefix(struct error *err, const char *fmt, ...)
{
    if (!err) {
        return ERR_IO;
    }
    char old[sizeof err->text];
    memcpy(old, err->text, sizeof old);
    va_list args;
    va_start(args, fmt);
    fill(err, err->code, "", fmt, args);
    va_end(args);
    size_t used = strlen(err->text);
    snprintf(err->text + used, sizeof err->text - used, ": %s", old);
    return err->code;
}

enum result error_hint(struct error *err, const char *fmt, ...)
{
    if (!err) {
        return ERR_IO;
    }
    char hint[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(hint, sizeof hint, fmt, args);
    va_end(args);
    size_t used = strlen(err->text);
    snprintf(err->text + used, sizeof err->text - used, " (%s)", text_mask(hint));
    return err->code;
}
