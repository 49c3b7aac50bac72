#include "base/memory_limit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/cgroup.h"
#include "base/fileio.h"
#include "base/memory.h"

enum { PATH = 4608, LINE = 256 };

/* A line "NAME   12345 kB" or "name 12345" of a file; -1 if there is none. */
static double line_value(const char *folder, const char *name, const char *key)
{
    char path[PATH], line[LINE];
    FILE *file = NULL;
    struct error unread;
    double value = -1.0;
    size_t length = strlen(key);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (file_open(path, &file, NULL, &unread) != OK) {
        return value;
    }
    while (value < 0.0 && fgets(line, sizeof line, file)) {
        if (strncmp(line, key, length) == 0 && strchr(": ", line[length])) {
            (void)sscanf(line + length + 1, "%lf", &value);
        }
    }
    fclose(file);
    return value;
}

/* Version 2 (max kills, high slows down to nothing), else version 1, which writes a huge number for none. */
static bool read_limit(const char *folder, double *limit)
{
    double high;
    bool is_set = cgroup_number(folder, "memory.max", limit);
    if (cgroup_number(folder, "memory.high", &high)) {
        *limit = is_set ? fmin(*limit, high) : high;
        is_set = true;
    }
    return is_set || cgroup_number(folder, "memory.limit_in_bytes", limit);
}

static bool read_free(const char *folder, double *bytes)
{
    double used, files;
    if (!read_limit(folder, bytes)) {
        return false;
    }
    if (!cgroup_number(folder, "memory.current", &used) &&
        !cgroup_number(folder, "memory.usage_in_bytes", &used)) {
        return true;
    }
    files = fmax(line_value(folder, "memory.stat", "inactive_file"), 0.0);
    *bytes = fmax(*bytes - used + files, 1.0);
    return true;
}

static double meminfo(const char *root, const char *key)
{
    char folder[PATH];
    snprintf(folder, sizeof folder, "%s/proc", root);
    return fmax(line_value(folder, "meminfo", key), 0.0) * 1024.0;
}

static double less_known(double machine, double group)
{
    return isinf(group) ? machine : machine > 0.0 ? fmin(machine, group) : group;
}

double memory_limit(const char *root)
{
    return less_known(memory_of_machine(), cgroup_least(root, "memory", read_limit));
}

double memory_free_now(const char *root)
{
    return less_known(meminfo(root, "MemAvailable"), cgroup_least(root, "memory", read_free));
}
