/* Data parallelism on OpenMP's threads, behind one function. Which thread gets which work item is open: it begins with its
 * own part of them and then takes what others have left. So a body must compute the same bits for item i whatever the thread;
 * then no result depends on the thread count. In a loop or a team denormal floats count as zero (base/denormals.h); the caller
 * has its own mode back afterwards. */
#ifndef BASE_PARALLEL_H
#define BASE_PARALLEL_H

#include <stddef.h>

/* Number of threads used by parallel_for from now on; 0 = OMP_NUM_THREADS if it is set, else the
 * cores this process may use (base/cores.h). Never more than OMP_THREAD_LIMIT. Call it outside a
 * team and before any plan is built: scratch memory is sized by parallel_threads(). */
void parallel_set_threads(int threads);

int parallel_threads(void);

/* Bytes from one thread's scratch memory to the next one's, if each thread needs so many: a multiple of 2 MB with a gap, mostly the same in
 * every loop. A line that another core has written comes slowly, be it what a thread used in the loop before or what a core reads
 * ahead of its own. */
size_t parallel_stride(size_t bytes);

/* body(ctx, i, thread) for i in [0, items), thread in [0, parallel_threads()). Returns when all are
 * done. A call from within a body, or while another thread has a team or a loop, is serial with
 * thread = 0: it may not share per-thread scratch with that other call. */
void parallel_for(size_t items, void (*body)(void *ctx, size_t item, int thread), void *ctx);

/* Run body(ctx) on the caller's thread while OpenMP's team stands by: the loops in it share that
 * one team, which costs a microsecond a loop less than a team for each of them, and far more beside
 * other work (parallel.c). Put it around whatever runs many loops. Inside another team it is a
 * plain call. */
void parallel_team(void (*body)(void *ctx), void *ctx);

/* Run body(ctx) as the only thread of a team of one, whoever else has a team: its loops are serial, and parallel_threads() is 1 in it, so
 * that a plan built in it is one for it. For threads that compute side by side. */
void parallel_alone(void (*body)(void *ctx), void *ctx);

#endif
