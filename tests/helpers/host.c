/* host LIBRARY.so FILE.cfg SIDE PASSES THREADS: a program that is not yolo, with OpenMP threads of
 * its own, loads libyolo.so and lets a network (random weights) run forward on noise
 *
 *   main     from its first thread, a region of its own before each pass
 *   thread   from an ordinary thread
 *   region   from every thread of a region of its own at the same time, a plan each
 *
 * and prints for each the hash of the last layer's bytes and the median milliseconds of a pass. THREADS as
 * parallel_set_threads takes it. Status 1 if the library cannot do it. */
#include <dlfcn.h>
#include <omp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "net/plan.h"

enum { MAX_PASSES = 1000, TEAM = 2 };

/* The library, by name. */
static struct {
    enum result (*network_read)(const char *, int, int, struct network *, struct error *);
    enum result (*network_allocate)(struct network *, struct error *);
    void (*network_initialise)(struct network *, uint64_t);
    void (*network_free)(struct network *);
    enum result (*kernels_select)(const char *, const struct kernels **, struct error *);
    enum result (*plan_build)(struct network *, const struct kernels *, const struct plan_options *,
                              struct plan **, struct error *);
    void (*plan_free)(struct plan *);
    const struct tensor *(*plan_input)(const struct plan *);
    void (*plan_forward)(struct plan *, int);
    const struct tensor *(*plan_output)(const struct plan *, int);
    void (*parallel_set_threads)(int);
} yolo;

static const struct {
    const char *name;
    void *place;
} symbols[] = {
    {"network_read", &yolo.network_read},
    {"network_allocate", &yolo.network_allocate},
    {"network_initialise", &yolo.network_initialise},
    {"network_free", &yolo.network_free},
    {"kernels_select", &yolo.kernels_select},
    {"plan_build", &yolo.plan_build},
    {"plan_free", &yolo.plan_free},
    {"plan_input", &yolo.plan_input},
    {"plan_forward", &yolo.plan_forward},
    {"plan_output", &yolo.plan_output},
    {"parallel_set_threads", &yolo.parallel_set_threads},
};

static void *load(const char *path)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    for (size_t i = 0; library && i < sizeof symbols / sizeof symbols[0]; i++) {
        void *symbol = dlsym(library, symbols[i].name);
        if (!symbol) {
            return NULL;
        }
        memcpy(symbols[i].place, &symbol, sizeof symbol);
    }
    return library;
}

struct job {
    struct network net;
    struct plan *plan;
    int passes;
    bool has_own_regions;
    double ms[MAX_PASSES];
    uint64_t hash;
};

static bool open_job(struct job *job, const char *cfg, int side, int passes)
{
    struct error err = {0};
    const struct kernels *kern;
    struct plan_options options = {.batch = 1};
    memset(job, 0, sizeof *job);
    job->passes = passes;
    if (yolo.network_read(cfg, side, side, &job->net, &err) != OK ||
        yolo.network_allocate(&job->net, &err) != OK ||
        yolo.kernels_select(NULL, &kern, &err) != OK) {
        fprintf(stderr, "host: %s\n", err.text);
        return false;
    }
    yolo.network_initialise(&job->net, 1);
    if (yolo.plan_build(&job->net, kern, &options, &job->plan, &err) != OK) {
        fprintf(stderr, "host: %s\n", err.text);
        return false;
    }
    return true;
}

static void close_job(struct job *job)
{
    yolo.plan_free(job->plan);
    yolo.network_free(&job->net);
}

static void fill(const struct tensor *image)
{
    unsigned state = 7;
    for (size_t p = 0; p < (size_t)image->h * (size_t)image->w; p++) {
        for (int c = 0; c < image->c; c++) {
            state = state * 1664525u + 1013904223u;
            image->data[p * image->stride + (size_t)c] = (float)(state >> 8) / 16777216.0f;
        }
    }
}

static uint64_t hash_of(const struct tensor *t)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (size_t p = 0; p < (size_t)t->h * (size_t)t->w; p++) {
        const unsigned char *bytes = (const unsigned char *)(t->data + p * t->stride);
        for (size_t i = 0; i < (size_t)t->c * sizeof(float); i++) {
            hash = (hash ^ bytes[i]) * 1099511628211u;
        }
    }
    return hash;
}

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void *run(void *ctx)
{
    struct job *job = ctx;
    double sum = 0;
    for (int i = 0; i < job->passes; i++) {
        if (job->has_own_regions) {
#pragma omp parallel for reduction(+ : sum)
            for (int k = 0; k < 1000; k++) {
                sum += k;
            }
        }
        fill(yolo.plan_input(job->plan));
        double start = now_ms();
        yolo.plan_forward(job->plan, 1);
        job->ms[i] = now_ms() - start;
    }
    job->hash = hash_of(yolo.plan_output(job->plan, job->net.layer_count - 1));
    return NULL;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(const char *how, struct job *job)
{
    qsort(job->ms, (size_t)job->passes, sizeof job->ms[0], by_value);
    printf("%-7s %016llx %.2f\n", how, (unsigned long long)job->hash, job->ms[job->passes / 2]);
}

int main(int argc, char **argv)
{
    static struct job jobs[TEAM];
    int passes = argc == 6 ? atoi(argv[4]) : 0, side = argc == 6 ? atoi(argv[3]) : 0;
    if (passes < 1 || passes > MAX_PASSES) {
        fprintf(stderr, "usage: host LIBRARY.so FILE.cfg SIDE PASSES THREADS\n");
        return 2;
    }
    void *library = load(argv[1]);
    if (!library) {
        fprintf(stderr, "host: %s\n", dlerror());
        return 1;
    }
    yolo.parallel_set_threads(atoi(argv[5]));
    for (int i = 0; i < TEAM; i++) {
        if (!open_job(&jobs[i], argv[2], side, passes)) {
            return 1;
        }
    }
    jobs[0].has_own_regions = true;
    run(&jobs[0]);
    report("main", &jobs[0]);
    jobs[0].has_own_regions = false;

    pthread_t thread;
    if (pthread_create(&thread, NULL, run, &jobs[0]) != 0 || pthread_join(thread, NULL) != 0) {
        return 1;
    }
    report("thread", &jobs[0]);

#pragma omp parallel for num_threads(TEAM) schedule(static, 1)
    for (int i = 0; i < TEAM; i++) {
        run(&jobs[i]);
    }
    for (int i = 0; i < TEAM; i++) {
        report("region", &jobs[i]);
        close_job(&jobs[i]);
    }
    if (dlclose(library) != 0) {
        return 1;
    }
    int members = 0; /* its own threads outlive the library */
#pragma omp parallel num_threads(TEAM) reduction(+ : members)
    members++;
    printf("%-7s %d\n", "after", members);
    return 0;
}
