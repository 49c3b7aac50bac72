#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sched_setaffinity */
#endif
#include "base/cores.h"

#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fileio.h"
#include "base/memory.h"
#include "base/memory_limit.h"
#include "test.h"

/* A tree of /proc and /sys as the kernel lays it out. */
static char root[64];

static void put(const char *name, const char *text)
{
    char path[512], folder[512];
    struct error err;
    snprintf(path, sizeof path, "%s/%s", root, name);
    snprintf(folder, sizeof folder, "%s", path);
    *strrchr(folder, '/') = '\0';
    CHECK_OK(dir_make(folder, &err));
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    fputs(text, file);
    fclose(file);
}

static void fresh(void)
{
    strcpy(root, "/tmp/test_cores_XXXXXX");
    CHECK(mkdtemp(root) != NULL);
}

static void clear(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", root);
    CHECK(system(command) == 0);
}

static void no_quota(void)
{
    fresh();
    CHECK(cores_quota(root) == INT_MAX);
    put("proc/self/cgroup", "0::/user.slice/shell\n");
    CHECK(cores_quota(root) == INT_MAX);
    put("sys/fs/cgroup/user.slice/shell/cpu.max", "max 100000\n");
    CHECK(cores_quota(root) == INT_MAX);
    clear();
}

static void unified(void)
{
    fresh();
    put("proc/self/cgroup", "0::/user.slice/shell\n");
    put("sys/fs/cgroup/user.slice/shell/cpu.max", "400000 100000\n");
    CHECK(cores_quota(root) == 4);
    put("sys/fs/cgroup/user.slice/cpu.max", "150000 100000\n"); /* a group above sets less */
    CHECK(cores_quota(root) == 2);
    put("sys/fs/cgroup/user.slice/shell/cpu.max", "20000 100000\n");
    CHECK(cores_quota(root) == 1);
    clear();
}

/* Within a container the mount's root is its own group. */
static void container(void)
{
    fresh();
    put("proc/self/cgroup", "0::/\n");
    put("sys/fs/cgroup/cpu.max", "300000 100000\n");
    CHECK(cores_quota(root) == 3);
    clear();
}

static void version_1(void)
{
    fresh();
    put("proc/self/cgroup", "9:cpuset:/box\n3:cpu,cpuacct:/box\n1:name=systemd:/box\n");
    put("sys/fs/cgroup/cpu/box/cpu.cfs_quota_us", "-1\n");
    put("sys/fs/cgroup/cpu/box/cpu.cfs_period_us", "100000\n");
    CHECK(cores_quota(root) == INT_MAX);
    put("sys/fs/cgroup/cpu/box/cpu.cfs_quota_us", "250000\n");
    CHECK(cores_quota(root) == 3);
    put("proc/self/cgroup",
        "9:cpuset:/box\n3:cpuacct:/box\n"); /* "cpu" only as part of another name */
    CHECK(cores_quota(root) == INT_MAX);
    clear();
}

/* Some systems mount "cpu,cpuacct" under that name only; and a container of version 1 sees its group
 * as the root, though the line names it as the host does. */
static void version_1_mounts(void)
{
    fresh();
    put("proc/self/cgroup", "4:cpuacct,cpu:/box\n");
    put("sys/fs/cgroup/cpuacct,cpu/box/cpu.cfs_quota_us", "100000\n");
    put("sys/fs/cgroup/cpuacct,cpu/box/cpu.cfs_period_us", "50000\n");
    CHECK(cores_quota(root) == 2);
    put("proc/self/cgroup", "0::/\n3:cpu,cpuacct:/docker/0123\n");
    put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "50000\n");
    put("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    CHECK(cores_quota(root) == 1);
    clear();
}

/* What no system writes is no quota, and harms nothing. */
static void broken(void)
{
    static char line[6000];
    fresh();
    memset(line, 'x', sizeof line - 1);
    memcpy(line, "0::/", 4);
    put("proc/self/cgroup", line);
    put("sys/fs/cgroup/cpu.max", "0 0\n");
    CHECK(cores_quota(root) == INT_MAX);
    put("proc/self/cgroup", "\n:\n::\n0::/../../outside\n5:cpu\n");
    put("sys/fs/cgroup/cpu.max", "1e300 1\n");
    CHECK(cores_quota(root) == INT_MAX);
    put("sys/fs/cgroup/cpu.max", "-5 100000\n");
    CHECK(cores_quota(root) == INT_MAX);
    clear();
}

static void siblings(void)
{
    cpu_set_t allowed, two;
    CHECK(sched_getaffinity(0, sizeof allowed, &allowed) == 0);
    int first = -1, second = -1;
    for (int cpu = 0; cpu < CPU_SETSIZE && second < 0; cpu++) {
        if (CPU_ISSET(cpu, &allowed)) {
            *(first < 0 ? &first : &second) = cpu;
        }
    }
    if (second < 0) {
        skip_part("one processor only");
        return;
    }
    CPU_ZERO(&two);
    CPU_SET(first, &two);
    CPU_SET(second, &two);
    CHECK(sched_setaffinity(0, sizeof two, &two) == 0);
    fresh();
    CHECK(cores_physical(root) == 2); /* the system does not say */
    char name[128], text[32];
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "sys/devices/system/cpu/cpu%d/topology/thread_siblings_list",
                 i ? second : first);
        snprintf(text, sizeof text, "%d,%d\n", first, second);
        put(name, text);
    }
    CHECK(cores_physical(root) == 1);
    clear();
    CHECK(sched_setaffinity(0, sizeof allowed, &allowed) == 0);
}

/* A container's memory counts where it is less than the machine's, and what it has read of files does not. */
static void memory(void)
{
    fresh();
    CHECK(memory_limit(root) == memory_of_machine());
    CHECK(memory_free_now(root) == 0); /* not known */
    put("proc/meminfo",
        "MemTotal:       8000000 kB\nMemFree:         100 kB\nMemAvailable:    2000000 kB\n");
    CHECK(memory_free_now(root) == 2000000 * 1024.0);
    put("proc/self/cgroup", "0::/box/inner\n");
    put("sys/fs/cgroup/box/memory.max", "3000000\n");
    put("sys/fs/cgroup/box/inner/memory.max", "max\n");
    CHECK(memory_limit(root) == 3000000);
    CHECK(memory_free_now(root) == 3000000);
    put("sys/fs/cgroup/box/memory.current", "2500000\n");
    CHECK(memory_free_now(root) == 500000);
    put("sys/fs/cgroup/box/memory.stat", "anon 1\nfile 900000\ninactive_file 700000\n");
    CHECK(memory_free_now(root) == 1200000);
    put("sys/fs/cgroup/box/memory.high", "2600000\n");
    CHECK(memory_limit(root) == 2600000);
    put("sys/fs/cgroup/box/memory.current", "9000000\n");
    CHECK(memory_free_now(root) == 1);
    put("proc/self/cgroup", "4:memory:/box\n2:cpu:/box\n");
    put("sys/fs/cgroup/memory/box/memory.limit_in_bytes", "1000000\n");
    put("sys/fs/cgroup/memory/box/memory.usage_in_bytes", "400000\n");
    CHECK(memory_limit(root) == 1000000);
    CHECK(memory_free_now(root) == 600000);
    put("sys/fs/cgroup/memory/box/memory.limit_in_bytes", "9223372036854771712\n"); /* none */
    CHECK(memory_limit(root) == memory_of_machine());
    clear();
}

static void name(void)
{
    char whole[128], cut[4];
    cores_name(whole, sizeof whole);
    cores_name(cut, sizeof cut);
    CHECK(whole[0] && !strchr(whole, '\n'));
    CHECK(strlen(cut) == 3 && strncmp(whole, cut, 3) == 0);
}

static const struct test_case cases[] = {
    {"no_quota", no_quota},
    {"unified", unified},
    {"container", container},
    {"version_1", version_1},
    {"version_1_mounts", version_1_mounts},
    {"broken", broken},
    {"siblings", siblings},
    {"memory", memory},
    {"name", name},
};
TEST_MAIN(cases)
