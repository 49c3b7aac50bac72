#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sched_getaffinity */
#endif
#include "base/cores.h"

#include <limits.h>
#include <omp.h>
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

/* ---- processors ---- */

/* All processors of OpenMP's places, if it binds threads to them; else false. libgomp binds the
 * first thread before `main`, so that thread's mask does not tell what the process may use. */
static bool places(cpu_set_t *cpus)
{
    int numbers[MAX_CPUS];
    CPU_ZERO(cpus);
    for (int place = 0; omp_get_proc_bind() != omp_proc_bind_false && place < omp_get_num_places();
         place++) {
        int count = omp_get_place_num_procs(place);
        if (count <= 0 || count > MAX_CPUS) {
            return false;
        }
        omp_get_place_proc_ids(place, numbers);
        for (int i = 0; i < count; i++) {
            CPU_SET((size_t)numbers[i], cpus);
        }
    }
    return CPU_COUNT(cpus) > 0;
}

int cores_start_thread(pthread_t *thread, void *(*body)(void *ctx), void *ctx)
{
    cpu_set_t cpus;
    if (!places(&cpus)) {
        return pthread_create(thread, NULL, body, ctx);
    }
    pthread_attr_t attributes;
    int failure = pthread_attr_init(&attributes);
    if (failure != 0) {
        return failure;
    }
    failure = pthread_attr_setaffinity_np(&attributes, sizeof cpus, &cpus);
    if (failure == 0) {
        failure = pthread_create(thread, &attributes, body, ctx);
    }
    pthread_attr_destroy(&attributes);
    return failure;
}

/* ---- physical cores ---- */

/* The lowest processor of the core that `cpu` belongs to; `cpu` itself if the system does not say. */
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
    if (!places(&allowed) && sched_getaffinity(0, sizeof allowed, &allowed) != 0) {
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

/* The least quota of a group and those above it, in cores; the tree is mounted as /sys/fs/cgroup
 * `name`. A container sees its own group as the root of the mount, whatever `group` says, so that
 * one is looked at as well. */
static int quota_of_group(const char *root, const char *name, const char *group)
{
    char folder[FOLDER];
    int mount = snprintf(folder, sizeof folder, "%s/sys/fs/cgroup%s", root, name);
    if (mount < 0 || (size_t)mount + strlen(group) >= sizeof folder) {
        return INT_MAX;
    }
    strcpy(folder + mount, group);
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
        if (!slash || slash - folder < mount) {
            return least;
        }
        *slash = '\0';
    }
}

/* Does "name,name" hold the controller "cpu"? */
static bool names_cpu(const char *controllers)
{
    for (const char *at = strstr(controllers, "cpu"); at; at = strstr(at + 1, "cpu")) {
        bool begins = at == controllers || at[-1] == ',';
        if (begins && (at[3] == ',' || at[3] == '\0')) {
            return true;
        }
    }
    return false;
}

/* A line of /proc/self/cgroup is "number:controllers:/group"; version 2's has no controllers.
 * Version 1 mounts a tree under all of its controllers' names ("cpu,cpuacct"), most systems as "cpu", too. */
static int quota_of_line(const char *root, char *line)
{
    char *controllers = strchr(line, ':');
    char *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group) {
        return INT_MAX;
    }
    *controllers = '/';
    *group++ = '\0';
    group[strcspn(group, "\n")] = '\0';
    if (controllers[1] == '\0') {
        return quota_of_group(root, "", group);
    }
    if (!names_cpu(controllers + 1)) {
        return INT_MAX;
    }
    int all = quota_of_group(root, controllers, group), cpu = quota_of_group(root, "/cpu", group);
    return all < cpu ? all : cpu;
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
