/* Batch norm over whole tensors: sums per channel, and the gradient from them. The pixels are cut
 * into chunks by the shape alone; every chunk has its own double sums in the scratch, which are
 * added in the chunks' order. */
#include "kernels/norm.h"

#include <string.h>

#include "base/parallel.h"
#include "kernels/activate_private.h"
#include "kernels/blocks.h"
#include "kernels/fold.h"

/* At least GRAIN floats a chunk, at most CHUNKS chunks; a chunk is walked in blocks of BLOCK floats
 * that stay in a core's L1 between the operations on them. */
enum { GRAIN = 16 * 1024, CHUNKS = 128, BLOCK = 4 * 1024 };

struct reduce_job {
    const struct kernels *kern;
    struct tensor a, b, out;
    const struct conv_epilogue *epilogue; /* NULL: b is du already */
    const float *center;                  /* shift or mean */
    double *sums;                         /* [chunks][2][padded] */
    size_t fold;                          /* neighbours that count as one pixel (fold.h) */
    size_t pixels, channels, padded;      /* folded */
    size_t chunk_pixels, chunks;
    void (*run)(const struct reduce_job *job, const struct op_block *block, double *sums);
};

static size_t round_up(size_t value, size_t multiple)
{
    return (value + multiple - 1) / multiple * multiple;
}

static void chunks_cut(struct reduce_job *job, size_t pixels, size_t channels)
{
    size_t least = 1 + (GRAIN - 1) / (channels > 0 ? channels : 1);
    size_t even = (pixels + CHUNKS - 1) / CHUNKS;
    job->pixels = pixels;
    job->channels = channels;
    job->padded = round_up(channels, SUM_PAD);
    job->chunk_pixels = even > least ? even : least;
    job->chunks = (pixels + job->chunk_pixels - 1) / job->chunk_pixels;
}

static size_t sum_bytes(size_t pixels, size_t channels)
{
    struct reduce_job job;
    chunks_cut(&job, pixels, channels);
    size_t chunks = job.chunks > 0 ? job.chunks : 1;
    return chunks * 2 * job.padded * sizeof(double);
}

size_t op_channel_scratch_bytes(size_t pixels, size_t channels)
{
    size_t count = fold_count(pixels, channels);
    size_t folded = sum_bytes(pixels / count, count * channels);
    size_t whole = sum_bytes(pixels, channels);
    return folded > whole ? folded : whole;
}

/* Where a tensor's pixels from `first` on lie: in place, or, if they are folded and have room between them, gathered. So sums depend on
 * the shape alone, not on where a tensor lies. */
static const float *pixels_of(const struct reduce_job *job, const struct tensor *t, size_t first,
                              size_t count, float *gathered)
{
    size_t channels = (size_t)t->c;
    const float *from = t->data ? t->data + first * t->stride : NULL;
    if (!from || job->fold == 1 || t->stride == channels) {
        return from;
    }
    for (size_t p = 0; p < count; p++) {
        memcpy(gathered + p * channels, from + p * t->stride, channels * sizeof *gathered);
    }
    return gathered;
}

static void scatter(const struct tensor *t, size_t first, size_t count, const float *gathered)
{
    size_t channels = (size_t)t->c;
    for (size_t p = 0; p < count; p++) {
        memcpy(t->data + (first + p) * t->stride, gathered + p * channels,
               channels * sizeof *gathered);
    }
}

/* Folded pixels [pixel, pixel + count). */
static void reduce_block(const struct reduce_job *job, size_t pixel, size_t count, double *sums)
{
    float a[BLOCK + FOLD_CHANNELS], b[BLOCK + FOLD_CHANNELS], out[BLOCK + FOLD_CHANNELS];
    size_t first = pixel * job->fold, whole = count * job->fold;
    bool is_folded = job->fold > 1;
    bool is_scattered = is_folded && job->out.data && job->out.stride != (size_t)job->out.c;
    struct op_block block = {
        .a = pixels_of(job, &job->a, first, whole, a),
        .b = pixels_of(job, &job->b, first, whole, b),
        .out = is_scattered    ? out
               : job->out.data ? job->out.data + first * job->out.stride
                               : NULL,
        .a_stride = is_folded ? job->channels : job->a.stride,
        .b_stride = is_folded ? job->channels : job->b.stride,
        .out_stride = is_folded ? job->channels : job->out.stride,
        .pixels = count,
        .channels = job->channels,
    };
    job->run(job, &block, sums);
    if (is_scattered) {
        scatter(&job->out, first, whole, out);
    }
}

static void reduce_item(void *ctx, size_t item, int thread)
{
    (void)thread;
    const struct reduce_job *job = ctx;
    size_t first = item * job->chunk_pixels;
    size_t end = first + job->chunk_pixels < job->pixels ? first + job->chunk_pixels : job->pixels;
    size_t step = 1 + (BLOCK - 1) / job->channels;
    double *sums = job->sums + item * 2 * job->padded;
    for (size_t i = 0; i < 2 * job->padded; i++) {
        sums[i] = 0;
    }
    for (size_t pixel = first; pixel < end; pixel += step) {
        reduce_block(job, pixel, end - pixel < step ? end - pixel : step, sums);
    }
}

static void add_up(struct reduce_job *job, size_t pixels, size_t channels, void *scratch)
{
    chunks_cut(job, pixels, channels);
    job->sums = scratch;
    if (job->chunks == 0) {
        for (size_t i = 0; i < 2 * job->padded; i++) {
            job->sums[i] = 0;
        }
        return;
    }
    parallel_for(job->chunks, reduce_item, job);
    for (size_t chunk = 1; chunk < job->chunks; chunk++) {
        const double *sums = job->sums + chunk * 2 * job->padded;
        for (size_t i = 0; i < 2 * job->padded; i++) {
            job->sums[i] += sums[i];
        }
    }
}

/* Afterwards the totals stand in the first chunk's place, by the channels of `shape`, also where there are no pixels. */
static void reduce_job_run(struct reduce_job *job, const struct tensor *shape, void *scratch)
{
    float center[FOLD_CHANNELS];
    struct folded_epilogue folded;
    size_t channels = (size_t)shape->c;
    job->fold = fold_count((size_t)shape->h * (size_t)shape->w, channels);
    if (job->epilogue) {
        job->fold = fold_epilogue(job->epilogue, job->fold, channels, &folded);
        job->epilogue = &folded.f;
    }
    job->center = fold_repeat(job->center, channels, job->fold, center);
    add_up(job, tensor_pixels(shape) / job->fold, channels * job->fold, scratch);
    fold_sums(job->sums, channels, job->fold);
    fold_sums(job->sums + job->padded, channels, job->fold);
}

static void run_moments(const struct reduce_job *job, const struct op_block *block, double *sums)
{
    job->kern->train.moments(block, job->center, sums, sums + job->padded);
}

/* Around the shift s: mean = s + E[z - s], variance = E[(z - s)^2] - E[z - s]^2. */
void op_channel_moments(const struct kernels *kern, const struct tensor *z, float *mean,
                        float *variance, void *scratch)
{
    struct reduce_job job = {.kern = kern, .a = *z, .center = z->data, .run = run_moments};
    reduce_job_run(&job, z, scratch);
    size_t pixels = tensor_pixels(z);
    for (size_t c = 0; c < (size_t)z->c; c++) {
        double shift = pixels > 0 ? (double)z->data[c] : 0;
        double count = pixels > 0 ? (double)pixels : 1;
        double offset = job.sums[c] / count;
        double spread = job.sums[job.padded + c] / count - offset * offset;
        mean[c] = (float)(shift + offset);
        variance[c] = (float)(spread < 0 ? 0 : spread);
    }
}

static void run_sum(const struct reduce_job *job, const struct op_block *block, double *sums)
{
    job->kern->train.sum(block, sums);
}

void op_channel_sum(const struct kernels *kern, const struct tensor *t, float *sum, void *scratch)
{
    struct reduce_job job = {.kern = kern, .a = *t, .run = run_sum};
    reduce_job_run(&job, t, scratch);
    for (size_t c = 0; c < (size_t)t->c; c++) {
        sum[c] = (float)job.sums[c];
    }
}

bool op_remakes_gradient(enum activation act)
{
    return act == ACT_LINEAR || act == ACT_LEAKY || act == ACT_RELU;
}

/* The gradient of the block first, where it is wanted; then its sums, while it is in the cache. */
static void run_reduce(const struct reduce_job *job, const struct op_block *block, double *sums)
{
    struct op_block du = *block;
    struct reduce_factors factors = {
        .mean = job->center, .act = ACT_LINEAR, .total = sums, .products = sums + job->padded};
    if (job->epilogue && block->out) {
        block_activate_backward(job->kern, job->epilogue, block);
        du.b = block->out;
        du.b_stride = block->out_stride;
    } else if (job->epilogue) {
        factors.act = job->epilogue->act;
        factors.scale = job->epilogue->scale;
        factors.shift = job->epilogue->shift;
    }
    if (job->center) {
        job->kern->train.reduce(&du, &factors);
    } else {
        du.a = du.b;
        du.a_stride = du.b_stride;
        job->kern->train.sum(&du, sums);
    }
}

void op_activate_reduce(const struct kernels *kern, const struct conv_epilogue *f,
                        const struct tensor *z, const struct tensor *dout, const struct tensor *du,
                        const struct channel_reduction *r)
{
    struct reduce_job job = {.kern = kern, .a = *z, .b = *dout, .epilogue = f};
    if (f->act == ACT_LINEAR && (!du || dout->data == du->data)) {
        job.epilogue = NULL;
    } else if (du) {
        job.out = *du;
    }
    job.run = run_reduce;
    job.center = r->sum_du_xhat ? r->mean : NULL;
    reduce_job_run(&job, &job.b, r->scratch);
    for (size_t c = 0; c < (size_t)dout->c; c++) {
        r->sum_du[c] = (float)job.sums[c];
        if (r->sum_du_xhat) {
            r->sum_du_xhat[c] = (float)(job.sums[job.padded + c] * (double)r->inv_std[c]);
        }
    }
}

static void run_affine3(const struct block_job *job, struct op_block *block)
{
    const struct channel_affine3 *k = job->affine;
    struct affine3_factors factors = {.a = k->a, .b = k->b, .d = k->d, .act = ACT_LINEAR};
    if (job->epilogue) {
        factors.act = job->epilogue->act;
        factors.scale = job->epilogue->scale;
        factors.shift = job->epilogue->shift;
    }
    job->kern->train.affine3(block, &factors);
}

void op_channel_affine3(const struct kernels *kern, const struct channel_affine3 *k,
                        const struct conv_epilogue *f, const struct tensor *du,
                        const struct tensor *z, const struct tensor *dz)
{
    size_t channels = (size_t)dz->c, count = fold_of(du, z, dz);
    struct folded_epilogue folded;
    float a[FOLD_CHANNELS], b[FOLD_CHANNELS], d[FOLD_CHANNELS];
    if (f) { /* whose activation takes each channel by itself (op_remakes_gradient), so that the count holds */
        fold_epilogue(f, count, channels, &folded);
    }
    const struct channel_affine3 own = {fold_repeat(k->a, channels, count, a),
                                        fold_repeat(k->b, channels, count, b),
                                        fold_repeat(k->d, channels, count, d)};
    struct block_job job = {.kern = kern,
                            .a = fold_tensor(du, count),
                            .b = fold_tensor(z, count),
                            .out = fold_tensor(dz, count),
                            .affine = &own,
                            .epilogue = f ? &folded.f : NULL,
                            .run = run_affine3};
    blocks_run(&job);
}
