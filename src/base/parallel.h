/* Data parallelism: a pool of threads behind one function. Work items are handed out dynamically, so a body must
 * compute the same bits for item i whatever the thread; then no result depends on the thread count. */
#ifndef BASE_PARALLEL_H
#define BASE_PARALLEL_H

#include <stddef.h>

/* Number of threads used by parallel_for from now on; 0 = all cores this process may use.
 * Call before any plan is built: scratch memory is sized by parallel_threads(). */
void parallel_set_threads(int threads);

int parallel_threads(void);

/* body(ctx, i, thread) for i in [0, items), thread in [0, parallel_threads()). Returns when all are
 * done. A call from within a body, or while another thread's call runs, is serial with thread = 0: it may
 * not share per-thread scratch with that other call. */
void parallel_for(size_t items, void (*body)(void *ctx, size_t item, int thread), void *ctx);

#endif
