#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sched_getaffinity */
#endif
#include "base/cores.h"

#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fileio.h"

enum { LINE = 4096, FOLDER = LINE + 256, PATH = FOLDER + 64, MAX_CPUS = CPU_SETSIZE };

/* NULL if there is no such file. */
static FILE *open_if_there(const char *path)
{
    FILE *file = NULL;
    struct error unread;
    return file_open(path, &file, NULL, &unread) == OK ? file : NULL;
}

/* ---- physical cores ---- */

/* The lowest processor of the core that `cpu` belongs to; `cpu` itself if the system does not say.
 */
static int first_sibling(const char *root, int cpu)
{
    char path[PATH];
    snprintf(path, sizeof path, "%s/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list",
             root, cpu);
    FILE *file = open_if_there(path);
    int first = cpu;
    if (file) {
        if (fscanf(file, "%d", &first) != 1 || first < 0 || first >= MAX_CPUS) {
            first = cpu;
        }
        fclose(file);
    }
    return first;
}

int cores_physical(const char *root)
{
    cpu_set_t allowed, cores;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) {
        long online = sysconf(_SC_NPROCESSORS_ONLN);
        return online > 0 ? (int)online : 1;
    }
    CPU_ZERO(&cores);
    for (int cpu = 0; cpu < MAX_CPUS; cpu++) {
        if (CPU_ISSET(cpu, &allowed)) {
            CPU_SET(first_sibling(root, cpu), &cores);
        }
    }
    int count = CPU_COUNT(&cores);
    return count > 0 ? count : 1;
}

/* ---- quota ---- */

/* Quota and period in microseconds; version 2: both in cpu.max, "max" for none; version 1: a file
 * each, -1 for none. False if this group sets no quota. */
static bool read_quota(const char *folder, double *quota, double *period)
{
    char path[PATH];
    int count = 0;
    snprintf(path, sizeof path, "%s/cpu.max", folder);
    FILE *file = open_if_there(path);
    if (file) {
        count = fscanf(file, "%lf %lf", quota, period); /* "max" is no number */
        fclose(file);
        return count == 2 && *quota > 0 && *period > 0;
    }
    const char *names[2] = {"cpu.cfs_quota_us", "cpu.cfs_period_us"};
    double *values[2] = {quota, period};
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        file = open_if_there(path);
        if (file) {
            count += fscanf(file, "%lf", values[i]) == 1;
            fclose(file);
        }
    }
    return count == 2 && *quota > 0 && *period > 0;
}

/* The least quota of a group and those above it, in cores. `folder` is cut. */
static int quota_upwards(char *folder, size_t mount_length)
{
    int least = INT_MAX;
    for (;;) {
        double quota, period;
        if (read_quota(folder, &quota, &period)) {
            double cores = quota / period;
            int whole = cores < 1             ? 1
                        : cores > INT_MAX / 2 ? INT_MAX
                                              : (int)cores + (cores > (int)cores);
            least = whole < least ? whole : least;
        }
        char *slash = strrchr(folder, '/');
        if (!slash || (size_t)(slash - folder) < mount_length) {
            return least;
        }
        *slash = '\0';
    }
}

/* Does "name,name" hold the controller "cpu"? */
static bool names_cpu(const char *controllers, size_t length)
{
    for (size_t i = 0; i + 3 <= length; i++) {
        bool begins = i == 0 || controllers[i - 1] == ',';
        bool ends = i + 3 == length || controllers[i + 3] == ',';
        if (begins && ends && memcmp(controllers + i, "cpu", 3) == 0) {
            return true;
        }
    }
    return false;
}

/* A line of /proc/self/cgroup is "number:controllers:/group"; version 2's has no controllers. A
 * container sees its own group as the root of the mount, whatever the line says, so that one is
 * looked at as well. */
static int quota_of_line(const char *root, char *line)
{
    char *controllers = strchr(line, ':');
    char *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group) {
        return INT_MAX;
    }
    controllers++;
    size_t length = (size_t)(group - controllers);
    group++;
    group[strcspn(group, "\n")] = '\0';
    bool is_unified = length == 0;
    if (!is_unified && !names_cpu(controllers, length)) {
        return INT_MAX;
    }
    char folder[FOLDER];
    size_t mount = (size_t)snprintf(folder, sizeof folder, "%s/sys/fs/cgroup%s", root,
                                    is_unified ? "" : "/cpu");
    if (mount + strlen(group) >= sizeof folder) {
        return INT_MAX;
    }
    memcpy(folder + mount, group, strlen(group) + 1);
    return quota_upwards(folder, mount);
}

int cores_quota(const char *root)
{
    char path[PATH], line[LINE];
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *file = open_if_there(path);
    int least = INT_MAX;
    while (file && fgets(line, sizeof line, file)) {
        int quota = quota_of_line(root, line);
        least = quota < least ? quota : least;
    }
    if (file) {
        fclose(file);
    }
    return least;
}

int cores_usable(void)
{
    int physical = cores_physical(""), quota = cores_quota("");
    return quota < physical ? quota : physical;
}
