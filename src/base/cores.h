/* How many threads can compute at a time. */
#ifndef BASE_CORES_H
#define BASE_CORES_H

/* Physical cores among the processors that this process may run on (its affinity mask; two hardware
 * threads of a core share its arithmetic units), but no more than the CPU quota of its control
 * groups (a container's --cpus; cgroup version 1 or 2, a fraction counts as a whole core). At
 * least 1. */
int cores_usable(void);

/* The same two limits, read below `root` in place of "/", for tests. INT_MAX: no quota. */
int cores_quota(const char *root);
int cores_physical(const char *root);

#endif
