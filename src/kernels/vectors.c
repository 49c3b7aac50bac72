#include "kernels/vectors.h"

#include <math.h>

#include "base/parallel.h"
#include "kernels/slots.h"

/* At least GRAIN floats a chunk, at most CHUNKS chunks where partial results are kept. */
enum { GRAIN = 16 * 1024, CHUNKS = 256 };

struct vector_job {
    const struct kernels *kern;
    size_t count, chunk;
    float factor;
    const float *x;
    float *y;
    const struct sgd_step *sgd;
    const struct sgd_arrays *sgd_arrays;
    const struct adam_factors *adam;
    const struct adam_arrays *adam_arrays;
    double *sums;
    bool *finite;
    void (*run)(const struct vector_job *job, size_t item, size_t first, size_t count);
};

static void vector_item(void *ctx, size_t item, int thread)
{
    (void)thread;
    const struct vector_job *job = ctx;
    size_t first = item * job->chunk, left = job->count - first;
    job->run(job, item, first, left < job->chunk ? left : job->chunk);
}

static size_t vector_job_run(struct vector_job *job, size_t count)
{
    size_t even = (count + CHUNKS - 1) / CHUNKS;
    job->count = count;
    job->chunk = even > GRAIN ? (even + SUM_PAD - 1) / SUM_PAD * SUM_PAD : GRAIN;
    size_t chunks = (count + job->chunk - 1) / job->chunk;
    parallel_for(chunks, vector_item, job);
    return chunks;
}

static void run_sum_squares(const struct vector_job *job, size_t item, size_t first, size_t count)
{
    job->sums[item] = job->kern->train.sum_squares(job->x + first, count);
}

double vec_sum_squares(const struct kernels *kern, size_t count, const float *x)
{
    double sums[CHUNKS];
    struct vector_job job = {.kern = kern, .x = x, .sums = sums, .run = run_sum_squares};
    size_t chunks = vector_job_run(&job, count);
    double total = 0;
    for (size_t i = 0; i < chunks; i++) {
        total += sums[i];
    }
    return total;
}

static void run_all_finite(const struct vector_job *job, size_t item, size_t first, size_t count)
{
    job->finite[item] = job->kern->train.all_finite(job->x + first, count);
}

bool vec_all_finite(const struct kernels *kern, size_t count, const float *x)
{
    bool finite[CHUNKS];
    struct vector_job job = {.kern = kern, .x = x, .finite = finite, .run = run_all_finite};
    size_t chunks = vector_job_run(&job, count);
    for (size_t i = 0; i < chunks; i++) {
        if (!finite[i]) {
            return false;
        }
    }
    return true;
}

static void run_lerp(const struct vector_job *job, size_t item, size_t first, size_t count)
{
    (void)item;
    job->kern->train.lerp(job->x + first, job->y + first, count, job->factor);
}

void vec_lerp(const struct kernels *kern, size_t count, float weight, const float *x,
              float *average)
{
    struct vector_job job = {.kern = kern, .factor = weight, .x = x, .y = average, .run = run_lerp};
    vector_job_run(&job, count);
}

static void run_add(const struct vector_job *job, size_t item, size_t first, size_t count)
{
    const float *restrict x = job->x + first;
    float *restrict sum = job->y + first;
    (void)item;
    for (size_t i = 0; i < count; i++) {
        sum[i] += x[i];
    }
}

void vec_accumulate(size_t count, const float *x, float *sum)
{
    struct vector_job job = {.x = x, .y = sum, .run = run_add};
    vector_job_run(&job, count);
}

static void run_sgd(const struct vector_job *job, size_t item, size_t first, size_t count)
{
    (void)item;
    const struct sgd_arrays *x = job->sgd_arrays;
    struct sgd_arrays part = {x->w + first, x->v + first, x->g + first};
    job->kern->train.sgd(job->sgd, &part, count);
}

void vec_sgd_step(const struct kernels *kern, size_t count, const struct sgd_step *s,
                  const struct sgd_arrays *x)
{
    struct vector_job job = {.kern = kern, .sgd = s, .sgd_arrays = x, .run = run_sgd};
    vector_job_run(&job, count);
}

static void run_adam(const struct vector_job *job, size_t item, size_t first, size_t count)
{
    (void)item;
    const struct adam_arrays *x = job->adam_arrays;
    struct adam_arrays part = {x->w + first, x->m + first, x->v + first, x->g + first};
    job->kern->train.adam(job->adam, &part, count);
}

void vec_adam_step(const struct kernels *kern, size_t count, const struct adam_step *s,
                   const struct adam_arrays *x)
{
    struct adam_factors factors = {
        .scale = (float)s->scale,
        .coupled = s->decoupled ? 0.0f : (float)s->decay,
        .rise1 = (float)(1 - s->beta1),
        .beta2 = (float)s->beta2,
        .rise2 = (float)(1 - s->beta2),
        .shrink = s->decoupled ? (float)(s->rate * s->decay) : 0.0f,
        .rate = (float)(s->rate / s->correction1),
        .root = (float)(1 / sqrt(s->correction2)),
        .epsilon = (float)s->epsilon,
    };
    struct vector_job job = {.kern = kern, .adam = &factors, .adam_arrays = x, .run = run_adam};
    vector_job_run(&job, count);
}
