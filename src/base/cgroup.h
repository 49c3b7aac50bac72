/* Limits that the control groups of this process set (a container's --cpus, --memory). */
#ifndef BASE_CGROUP_H
#define BASE_CGROUP_H

#include <stdbool.h>

/* Reads a group's limit from the files in its folder; false if it sets none. */
typedef bool (*cgroup_reader)(const char *folder, double *limit);

/* The least limit of the process's groups and of those above them, INFINITY if none sets one. Control groups of version 2,
 * and of version 1 those of `controller` ("cpu", "memory"). root: "", or a folder in place of "/", for tests. */
double cgroup_least(const char *root, const char *controller, cgroup_reader reader);

/* The first number of a file in a group's folder; false if there is no such file, or none in it. */
bool cgroup_number(const char *folder, const char *name, double *number);

#endif
