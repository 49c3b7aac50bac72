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

bool truth_is_usable(const struct truth *truth, const struct head_info *head)
{
    const struct box_cxcywh_norm *b = &truth->box;
    return truth->class_id >= head->first_class && truth->class_id < head->class_end &&
           b->cx >= 0 && b->cx <= 1 && b->cy >= 0 && b->cy <= 1 && b->w > 0 && b->h > 0 &&
           isfinite(b->w) && isfinite(b->h);
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

/* SIZE_MAX on overflow. */
static size_t scratch_bytes(int batch, size_t work_bytes)
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

void head_loss_plan(const struct plan_limits *limits, size_t work_bytes, struct layer_plan *p)
{
    p->place = PLACE_IN_PLACE;
    if (mode_rules[limits->mode].keeps_backward) {
        p->scratch_bytes = scratch_bytes(limits->batch, work_bytes);
    }
}

struct run {
    void (*image_loss)(struct head_image *image);
    size_t work_bytes;
    const struct layer *l;
    const struct exec *e;
    const struct truth_set *truths;
    struct loss_parts *parts; /* [images] */
    char *works;
};

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
    const struct truth_set *set = &run->truths[item];
    int max_truths = head_info_of(run->l)->max_truths;
    struct head_image image = {
        .l = run->l,
        .e = run->e,
        .image = (int)item,
        .truths = set->items,
        .truth_count = set->count < (size_t)max_truths ? (int)set->count : max_truths,
        .work = run->works + (size_t)thread * round_up(run->work_bytes),
    };
    clear_gradient(&image);
    run->image_loss(&image);
    run->parts[item] = image.parts;
}

void head_loss_run(void (*image_loss)(struct head_image *image), size_t work_bytes,
                   const struct layer *l, const struct exec *e, const struct truth_set *truths,
                   struct loss_parts *parts)
{
    if (!mode_rules[e->mode].keeps_backward) {
        return;
    }
    size_t images = (size_t)e->out.n;
    struct run run = {
        .image_loss = image_loss,
        .work_bytes = work_bytes,
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

size_t head_place_count(const struct layer *l)
{
    return (size_t)l->out.h * (size_t)l->out.w * (size_t)head_info_of(l)->slots;
}

struct head_place head_place_of(const struct head_image *image, int y, int x, int slot)
{
    const struct head_info *info = head_info_of(image->l);
    const struct tensor *out = &image->e->out, *gradient = &image->e->input_grads[0];
    int offset = slot * info->entries;
    size_t cell = (size_t)y * (size_t)out->w + (size_t)x;
    return (struct head_place){
        .x = x,
        .y = y,
        .slot = slot,
        .index = cell * (size_t)info->slots + (size_t)slot,
        .values = tensor_at(out, image->image, y, x) + offset,
        .gradient = gradient->data ? tensor_at(gradient, image->image, y, x) + offset : NULL,
    };
}

static void for_every_place(const struct head_image *image,
                            void (*visit)(void *ctx, const struct head_place *at), void *ctx)
{
    for (int y = 0; y < image->e->out.h; y++) {
        for (int x = 0; x < image->e->out.w; x++) {
            for (int slot = 0; slot < head_info_of(image->l)->slots; slot++) {
                struct head_place at = head_place_of(image, y, x, slot);
                visit(ctx, &at);
            }
        }
    }
}

void head_image_run(struct head_image *image, const struct head_steps *steps, void *ctx)
{
    for_every_place(image, steps->match, ctx);
    for (int t = 0; t < image->truth_count; t++) {
        if (truth_is_usable(&image->truths[t], head_info_of(image->l))) {
            image->parts.truths++;
            steps->assign(ctx, t);
        }
    }
    for_every_place(image, steps->add_terms, ctx);
}
