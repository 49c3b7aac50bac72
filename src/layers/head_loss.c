#include "layers/head_loss.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/parallel.h"

static const double SMALLEST_PROBABILITY = 1e-8;
static const double LARGEST_EXPONENT = 100;

double probability(double p)
{
    double most = 1 - SMALLEST_PROBABILITY;
    return p < SMALLEST_PROBABILITY ? SMALLEST_PROBABILITY : p > most ? most : p;
}

double bounded_exp(double v)
{
    return exp(v < -LARGEST_EXPONENT  ? -LARGEST_EXPONENT
               : v > LARGEST_EXPONENT ? LARGEST_EXPONENT
                                      : v);
}

double logistic_slope(double p)
{
    return p * (1 - p);
}

struct term term_cross_entropy(double p, double t)
{
    double q = probability(p);
    return (struct term){.value = -t * log(q) - (1 - t) * log1p(-q), .slope = p - t};
}

struct term term_half_square(double p, double t)
{
    return (struct term){.value = (p - t) * (p - t) / 2, .slope = p - t};
}

struct term term_focal(double p, bool is_positive, bool by_logit)
{
    double q = probability(is_positive ? p : 1 - p);
    double rest = 1 - q;
    double slope = rest * log(q) - rest * rest / (2 * q); /* with respect to q */
    if (by_logit) {
        slope *= q * rest;
    }
    return (struct term){.value = -rest * rest * log(q) / 2, .slope = is_positive ? slope : -slope};
}

bool truth_is_usable(const struct truth *truth, int classes)
{
    const struct box_cxcywh_norm *b = &truth->box;
    return truth->class_id >= 0 && truth->class_id < classes && b->cx >= 0 && b->cx <= 1 &&
           b->cy >= 0 && b->cy <= 1 && b->w > 0 && b->h > 0 && isfinite(b->w) && isfinite(b->h);
}

int truth_cell(double position, int cells)
{
    int cell = (int)(position * cells);
    return cell < cells ? cell : cells - 1;
}

static size_t round_up(size_t bytes)
{
    return (bytes + MEM_ALIGN - 1) / MEM_ALIGN * MEM_ALIGN;
}

size_t head_loss_scratch(int batch, size_t work_bytes)
{
    size_t parts, works;
    if (work_bytes > SIZE_MAX - MEM_ALIGN ||
        !size_mul((size_t)batch, sizeof(struct loss_parts), &parts) ||
        !size_mul((size_t)parallel_threads(), round_up(work_bytes), &works) ||
        works > SIZE_MAX - MEM_ALIGN || parts > SIZE_MAX - MEM_ALIGN - works) {
        return SIZE_MAX;
    }
    return round_up(parts) + works;
}

struct run {
    const struct head_job *job;
    const struct layer *l;
    const struct exec *e;
    const struct truth_set *truths;
    struct loss_parts *parts; /* [images] */
    char *works;
};

float *head_gradient_at(const struct head_image *image, int y, int x)
{
    const struct tensor *gradient = &image->e->input_grads[0];
    return gradient->data ? tensor_at(gradient, image->image, y, x) : NULL;
}

static void clear_gradient(const struct head_image *image)
{
    const struct tensor *gradient = &image->e->input_grads[0];
    if (!gradient->data || image->e->grad_adds[0]) {
        return;
    }
    for (int y = 0; y < gradient->h; y++) {
        for (int x = 0; x < gradient->w; x++) {
            float *pixel = tensor_at(gradient, image->image, y, x);
            memset(pixel, 0, (size_t)gradient->c * sizeof *pixel);
        }
    }
}

static void run_image(void *ctx, size_t item, int thread)
{
    const struct run *run = ctx;
    const struct head_job *job = run->job;
    const struct truth_set *set = &run->truths[item];
    struct head_image image = {
        .l = run->l,
        .e = run->e,
        .image = (int)item,
        .truths = set->items,
        .truth_count = set->count < (size_t)job->max_truths ? (int)set->count : job->max_truths,
        .work = run->works + (size_t)thread * round_up(job->work_bytes),
    };
    clear_gradient(&image);
    job->image_loss(job->head, &image);
    run->parts[item] = image.parts;
}

void head_loss_run(const struct head_job *job, const struct layer *l, const struct exec *e,
                   const struct truth_set *truths, struct loss_parts *parts)
{
    if (!mode_rules[e->mode].keeps_backward) {
        return;
    }
    size_t images = (size_t)e->out.n;
    struct run run = {
        .job = job,
        .l = l,
        .e = e,
        .truths = truths,
        .parts = e->scratch,
        .works = (char *)e->scratch + round_up(images * sizeof(struct loss_parts)),
    };
    parallel_for(images, run_image, &run);
    for (size_t i = 0; i < images; i++) {
        loss_parts_add(parts, &run.parts[i]);
    }
}
