#include "kernels/peak.h"

#include "base/clock.h"
#include "base/parallel.h"
#include "kernels/slots.h"

enum { BURSTS = 8, ITEMS_A_THREAD = 8 };

/* Of an item: more than what dealing it out takes, less than what the system lets a thread run. */
static const double ITEM_FLOPS = 2e7;

struct burst {
    const struct kernels *kern;
    size_t rounds, items;
    double flops; /* a second, the best so far */
};

static void burst_item(void *ctx, size_t item, int thread)
{
    (void)item, (void)thread;
    const struct burst *b = ctx;
    b->kern->conv.multiply_adds(b->rounds);
}

static void run_bursts(void *ctx)
{
    struct burst *b = ctx;
    double round = 2.0 * b->kern->conv.mr * b->kern->conv.nr;
    for (int i = 0; i < BURSTS; i++) {
        double begun = clock_seconds();
        parallel_for(b->items, burst_item, b);
        double seconds = clock_seconds() - begun;
        double flops = seconds > 0 ? round * (double)b->rounds * (double)b->items / seconds : 0;
        b->flops = flops > b->flops ? flops : b->flops;
    }
}

double kernels_peak(const struct kernels *kern)
{
    double round = 2.0 * kern->conv.mr * kern->conv.nr;
    struct burst burst = {.kern = kern,
                          .rounds = (size_t)(ITEM_FLOPS / round),
                          .items = (size_t)parallel_threads() * ITEMS_A_THREAD};
    parallel_team(run_bursts, &burst);
    return burst.flops;
}
