#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sched_getaffinity */
#endif
#include "base/cores.h"

#include <limits.h>
#include <math.h>
#include <omp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cgroup.h"
#include "base/fileio.h"

enum { PATH = 4608, MAX_CPUS = CPU_SETSIZE };

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

size_t cores_l2_bytes(void)
{
    long bytes = 0;
#ifdef _SC_LEVEL2_CACHE_SIZE
    bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
#endif
    return bytes > 0 ? (size_t)bytes : (size_t)512 << 10;
}

void cores_name(char *name, size_t size)
{
    static const char key[] = "model name";
    FILE *file = open_if_there("/proc/cpuinfo");
    char line[256];
    struct utsname machine;
    snprintf(name, size, "%s", uname(&machine) == 0 ? machine.machine : "processor");
    while (file && fgets(line, sizeof line, file)) {
        const char *colon = strchr(line, ':');
        if (colon && strncmp(line, key, sizeof key - 1) == 0) {
            const char *value = colon + 1 + strspn(colon + 1, " \t");
            snprintf(name, size, "%.*s", (int)strcspn(value, "\n"), value);
            break;
        }
    }
    if (file) {
        fclose(file);
    }
}

/* ---- quota ---- */

/* In cores; quota and period are microseconds. Version 2: both in cpu.max, "max" for none; version 1: a file each, -1
 * for none. */
static bool read_quota(const char *folder, double *cores)
{
    double quota, period;
    char path[PATH];
    int count = 0;
    snprintf(path, sizeof path, "%s/cpu.max", folder);
    FILE *file = open_if_there(path);
    if (file) {
        count = fscanf(file, "%lf %lf", &quota, &period);
        fclose(file);
    } else {
        count = cgroup_number(folder, "cpu.cfs_quota_us", &quota) +
                cgroup_number(folder, "cpu.cfs_period_us", &period);
    }
    *cores = count == 2 ? quota / period : 0.0;
    return count == 2 && quota > 0 && period > 0;
}

int cores_quota(const char *root)
{
    double cores = ceil(cgroup_least(root, "cpu", read_quota));
    return cores < 1 ? 1 : cores > INT_MAX / 2 ? INT_MAX : (int)cores;
}

static int sharers = 1;

void cores_share(int processes)
{
    sharers = processes;
}

int cores_usable(void)
{
    int physical = cores_physical(""), quota = cores_quota("");
    int share = (quota < physical ? quota : physical) / sharers;
    return share > 1 ? share : 1;
}
