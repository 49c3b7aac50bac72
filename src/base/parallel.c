#include "base/parallel.h"

#include <omp.h>

static int thread_count;

void parallel_set_threads(int threads)
{
    thread_count = threads > 0 ? threads : omp_get_num_procs();
    omp_set_dynamic(0);
}

int parallel_threads(void)
{
    if (thread_count == 0) {
        parallel_set_threads(0);
    }
    return thread_count;
}

void parallel_for(size_t items, void (*body)(void *ctx, size_t item, int thread), void *ctx)
{
    int threads = parallel_threads();
    if (threads == 1 || items < 2 || omp_in_parallel()) {
        for (size_t i = 0; i < items; i++) {
            body(ctx, i, 0);
        }
        return;
    }
#pragma omp parallel num_threads(threads)
    {
        int thread = omp_get_thread_num();
#pragma omp for schedule(dynamic, 1)
        for (size_t i = 0; i < items; i++) {
            body(ctx, i, thread);
        }
    }
}
