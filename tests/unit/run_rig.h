/* A run on the rig of train_rig.h, saved into and resumed from a folder under /tmp. */
#ifndef TESTS_RUN_RIG_H
#define TESTS_RUN_RIG_H

#include <sys/stat.h>

#include "base/memory.h"
#include "base/parallel.h"
#include "capture.h"
#include "test.h"
#include "train/checkpoint.h"
#include "train_rig.h"

static struct error err;
static char folder[64];

static const char *const file_names[] = {"last.state", "last.weights", "best.weights"};
static const struct train_fingerprint fingerprint = {.cfg = 0x1234567890abcdef,
                                                     .dataset = 42,
                                                     .options = "batch=64\nlr=0.001\nseed=7\n",
                                                     .stages = ""};

static inline char *in_folder(const char *name)
{
    static char paths[4][160];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static inline void remove_folder(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) != 0) {
        perror(command);
    }
}

/* An empty folder. */
static inline bool set_up(void)
{
    if (!folder[0]) {
        snprintf(folder, sizeof folder, "/tmp/test_run.%d", (int)getpid());
        atexit(remove_folder);
    }
    parallel_set_threads(1); /* children of fork must not wait for threads they do not have */
    remove_folder();
    return mkdir(folder, 0700) == 0;
}

/* ---- a run ---- */

struct run {
    struct rig rig;
    struct optimizer *optimizer;
    struct train_progress progress;
};

static const struct optimizer_options options_of[] = {
    {.kind = OPTIMIZER_SGD, .momentum = 0.9f, .decay = 0.1f, .ema_decay = 0.9f},
    {.kind = OPTIMIZER_ADAMW, .decay = 0.1f, .beta1 = 0.9f, .beta2 = 0.99f, .eps = 1e-6f},
    {.kind = OPTIMIZER_ADAM,
     .decay = 0.1f,
     .beta1 = 0.9f,
     .beta2 = 0.99f,
     .eps = 1e-6f,
     .ema_decay = 0.5f},
};
enum { OPTION_SETS = 3 };

static inline bool run_start(struct run *run, const struct optimizer_options *options)
{
    *run = (struct run){.progress = {.seed = 7,
                                     .images_seen = 1000,
                                     .best_map = (double)NAN,
                                     .stage_best_map = (double)NAN,
                                     .average_loss = (double)NAN}};
    if (!rig_open(&run->rig, 40)) {
        return false;
    }
    rig_fill(&run->rig, 1);
    return rig_set_modes(&run->rig, MODE_INFER, MODE_TRAIN, MODE_TRAIN) &&
           rig_optimizer(options, &run->rig, NULL, &run->optimizer, &err) == OK;
}

static inline void run_end(struct run *run)
{
    optimizer_free(run->optimizer);
    rig_close(&run->rig);
    *run = (struct run){0};
}

static inline void run_step(struct run *run)
{
    struct train_progress *p = &run->progress;
    p->iteration++;
    p->images_seen += 64;
    p->samples += 64;
    p->mini_batches += 2;
    p->stage_iteration++;
    rig_backward(&run->rig, (unsigned)p->iteration);
    double norm = optimizer_step(run->optimizer, &run->rig.plan, 0.05f, 64);
    p->average_loss = isnan(p->average_loss) ? norm : 0.9 * p->average_loss + 0.1 * norm;
}

static inline enum result run_save(struct run *run, bool is_best)
{
    struct checkpoint_content content = {&run->progress, &fingerprint, &run->rig.f.net,
                                         run->optimizer, NULL};
    if (is_best) {
        run->progress.best_map = (double)run->progress.iteration / 1000;
        run->progress.best_iteration = run->progress.iteration;
        TRY(checkpoint_save_best(folder, &content, &err));
    }
    return checkpoint_save(folder, &content, &err);
}

/* As a new process would: a network full of other values, then everything from the folder. */
static inline enum result run_resume(struct run *run, const struct optimizer_options *options)
{
    struct checkpoint c;
    *run = (struct run){0};
    if (!rig_open(&run->rig, 40)) {
        return ERR_MEMORY;
    }
    rig_fill(&run->rig, 99);
    enum result result = checkpoint_open(folder, &c, &err);
    if (result == OK) {
        result = checkpoint_check(&c, &fingerprint, &err);
    }
    if (result == OK) {
        result = checkpoint_restore_network(&c, &run->rig.f.net, &err);
    }
    if (result == OK) {
        run->progress = c.progress;
        (void)rig_set_modes(&run->rig, MODE_INFER, MODE_TRAIN, MODE_TRAIN);
        result = rig_optimizer(options, &run->rig, NULL, &run->optimizer, &err);
    }
    if (result == OK) {
        result = checkpoint_restore_optimizer(&c, &run->rig.f.net, run->optimizer, NULL, &err);
    }
    checkpoint_close(&c);
    return result;
}

/* Same parameters, averages and counters, bit for bit. Moments show in the steps after. */
static inline bool run_equal(struct run *a, struct run *b)
{
    bool equal = true;
    size_t count;
    for (int swaps = 0; swaps < 2; swaps++) {
        float *values = rig_snapshot(&a->rig, &count);
        equal = rig_equals(&b->rig, values) && equal;
        free(values);
        optimizer_swap_ema(a->optimizer);
        optimizer_swap_ema(b->optimizer);
    }
    const struct train_progress *p = &a->progress, *q = &b->progress;
    return equal && p->seed == q->seed && p->iteration == q->iteration &&
           p->images_seen == q->images_seen && p->samples == q->samples &&
           p->mini_batches == q->mini_batches && p->stage == q->stage &&
           p->stage_iteration == q->stage_iteration && p->best_iteration == q->best_iteration &&
           p->validations_without_gain == q->validations_without_gain &&
           memcmp(&p->best_map, &q->best_map, sizeof(double)) == 0 &&
           memcmp(&p->stage_best_map, &q->stage_best_map, sizeof(double)) == 0 &&
           memcmp(&p->average_loss, &q->average_loss, sizeof(double)) == 0 &&
           memcmp(&p->seconds, &q->seconds, sizeof(double)) == 0;
}

/* ---- files ---- */

static inline char *slurp(const char *name, size_t *size)
{
    char *data = NULL;
    if (file_read(in_folder(name), 1 << 26, &data, size, &err) != OK) {
        *size = 0;
    }
    return data; /* NULL if it is not there */
}

static inline bool spill(const char *name, const void *data, size_t size)
{
    FILE *f = fopen(in_folder(name), "wb");
    bool is_written = f && fwrite(data, 1, size, f) == size;
    return f && fclose(f) == 0 && is_written;
}

static inline bool same_file(const char *name, const char *data, size_t size)
{
    size_t now_size;
    char *now = slurp(name, &now_size);
    bool same = now && data && now_size == size && memcmp(now, data, size) == 0;
    mem_free(now);
    return same;
}

static inline int count_leftovers(void)
{
    char command[128];
    int count = -1;
    snprintf(command, sizeof command, "ls %s | grep -c tmp", folder);
    FILE *p = popen(command, "r");
    if (!p || fscanf(p, "%d", &count) != 1) {
        count = -1;
    }
    if (p) {
        pclose(p);
    }
    return count;
}

#endif
