/* How many threads can compute at a time, with how much cache, and where those may run that only wait. */
#ifndef BASE_CORES_H
#define BASE_CORES_H

#include <pthread.h>
#include <stddef.h>

/* Physical cores among the processors that this process may run on (its affinity mask, or OpenMP's
 * places where threads are bound to them): two hardware threads of a core share its arithmetic
 * units. No more than the CPU quota of its control groups (a container's --cpus; cgroup version 1
 * or 2, a fraction counts as a whole core). At least 1. */
int cores_usable(void);
/* So many processes like this one have them together: from here on cores_usable is this one's share. */
void cores_share(int processes);

/* The same two limits, read below `root` in place of "/", for tests. INT_MAX: no quota. */
int cores_quota(const char *root);
int cores_physical(const char *root);

/* Bytes of a core's second-level cache, 512 KB where the system does not tell. */
size_t cores_l2_bytes(void);

/* What the system calls the processor, as "AMD EPYC 7763 64-Core Processor"; the kind of machine, as "aarch64", where it has no
 * name. Cut to `size` bytes. */
void cores_name(char *name, size_t size);

/* Begin an ordinary thread, one that mostly waits for files. Where OpenMP binds threads to places
 * (OMP_PROC_BIND), pthread_create would confine it to its maker's place, often one core; this
 * thread may run on all of them. Returns what pthread_create does. */
int cores_start_thread(pthread_t *thread, void *(*body)(void *ctx), void *ctx);

#endif
