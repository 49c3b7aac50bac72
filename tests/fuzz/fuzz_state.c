/* last.state: the bytes as they are, and a good state with the bytes laid over it under a right
 * checksum. */
#include "fuzz.h"

#include <string.h>

#include "base/fileio.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "kernels/kernels.h"
#include "train/checkpoint.h"

/* "YOLOSTAT" and the version; length, checksum and "ENDSTATE". */
enum { HEAD_BYTES = 12, TRAILER_BYTES = 24, MAX_STATE = 1 << 20 };

static const struct train_fingerprint fingerprint = {
    .cfg = 1, .dataset = 2, .options = "batch=1\nseed=7\n", .stages = "all moves\nhead only\n"};
static struct optimizer *optimizer;
static char *good;
static size_t good_size;

static void set_up(void)
{
    struct error err;
    struct optimizer_options options = {.kind = OPTIMIZER_SGD, .momentum = 0.9f, .ema_decay = 0.9f};
    struct train_progress progress = {
        .iteration = 3, .images_seen = 3, .best_map = 0.5, .average_loss = 1};
    struct checkpoint_content content = {
        .progress = &progress, .fingerprint = &fingerprint, .net = fuzz_network()};
    fuzz_expect(kernels_select("scalar", &options.kernels, &err) == OK &&
                    optimizer_new(&options, fuzz_network(), fuzz_plan(), NULL, &optimizer, &err) ==
                        OK,
                "an optimiser");
    content.optimizer = optimizer;
    fuzz_expect(checkpoint_save(fuzz_folder(), &content, &err) == OK &&
                    file_read(fuzz_path("last.state"), MAX_STATE, &good, &good_size, &err) == OK,
                "a good state");
}

static void restore(const void *state, size_t size)
{
    struct checkpoint c;
    struct error err;
    fuzz_file("last.state", state, size);
    if (fuzz_read(checkpoint_open(fuzz_folder(), &c, &err), &err)) {
        (void)checkpoint_stages(&c);
        (void)!fuzz_read(checkpoint_check(&c, &fingerprint, &err), &err);
        if (fuzz_read(checkpoint_restore_network(&c, fuzz_network(), &err), &err)) {
            (void)!fuzz_read(
                checkpoint_restore_optimizer(&c, fuzz_network(), optimizer, NULL, &err), &err);
        }
    }
    checkpoint_close(&c);
}

static void put64(uint8_t *to, uint64_t value)
{
    for (int i = 0; i < 8; i++) {
        to[i] = (uint8_t)(value >> 8 * i);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    log_set_level(LOG_QUIET);
    parallel_set_threads(1);
    if (!optimizer) {
        set_up();
    }
    restore(data, size);
    size_t values = good_size - HEAD_BYTES - TRAILER_BYTES, changed;
    uint8_t *forged = mem_alloc(good_size + size, 1);
    memcpy(forged, good, HEAD_BYTES);
    fuzz_overlay(data, size, (const uint8_t *)good + HEAD_BYTES, values, forged + HEAD_BYTES,
                 &changed);
    uint8_t *trailer = forged + HEAD_BYTES + changed;
    put64(trailer, HEAD_BYTES + changed + TRAILER_BYTES);
    put64(trailer + 8, state_hash_of(forged, HEAD_BYTES + changed + 8));
    memcpy(trailer + 16, good + good_size - 8, 8);
    restore(forged, HEAD_BYTES + changed + TRAILER_BYTES);
    mem_free(forged);
    return 0;
}
