#include "data/augment.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "data/distort.h"
#include "data/view.h"

enum { BLOCK_RENDER, BLOCK_BLUR, BLOCK_SECOND };
enum { BACKGROUND_KERNEL = 17, BLUR_PER_SIDE = 8 };

void augment_scratch_free(struct augment_scratch *scratch)
{
    for (int i = 0; i < 3; i++) {
        mem_free(scratch->blocks[i]);
    }
    *scratch = (struct augment_scratch){0};
}

/* Block `which` with room for `floats`; NULL without memory. */
static float *get_block(struct augment_scratch *scratch, int which, size_t floats)
{
    if (floats > scratch->floats[which]) {
        mem_free(scratch->blocks[which]);
        scratch->blocks[which] = mem_alloc_raw(floats, sizeof(float));
        scratch->floats[which] = scratch->blocks[which] ? floats : 0;
    }
    return scratch->blocks[which];
}

/* ---- what is drawn ---- */

static bool coin(struct rng *rng)
{
    return rng_next(rng) >> 63;
}

/* s or 1 / s, as likely; s between 1 and limit. */
static float draw_factor(struct rng *rng, float limit)
{
    float s = rng_uniform(rng, 1, limit > 0 ? limit : 1);
    return coin(rng) ? s : 1 / s;
}

static struct distortion draw_colors(struct augment_job *job)
{
    const struct augment_options *o = job->options;
    struct distortion d;
    float hue = rng_uniform(&job->rng, -o->hue, o->hue);
    d.hue = hue - rintf(hue);
    d.saturation = draw_factor(&job->rng, o->saturation);
    d.exposure = draw_factor(&job->rng, o->exposure);
    return d;
}

/* Margins cut off (negative: added) on each side, in pixels of the picture. */
struct margins {
    float left, right, top, bottom;
};

/* Both ends of an axis move by the same kind of draw: the crop's size changes by up to `resize`
 * either way. */
static void draw_resize(struct augment_job *job, float w, float h, struct margins *m)
{
    float z = job->options->resize;
    if (!(z > 0) || z == 1) {
        return;
    }
    float down = z < 1 ? z : 1 / z;
    float up = z < 1 ? 1 : z;
    float low = (1 - 1 / down) / 2;
    float high = (1 - 1 / up) / 2;
    float a = rng_uniform(&job->rng, low, high);
    float b = rng_uniform(&job->rng, low, high);
    m->left += a * w;
    m->top += a * h;
    m->right += b * w;
    m->bottom += b * h;
}

/* Make the crop as wide to high as the input by adding to its short side. */
static void letterbox(float w, float h, float net_w, float net_h, struct margins *m)
{
    float crop_w = w - m->left - m->right;
    float crop_h = h - m->top - m->bottom;
    if (crop_w * net_h > crop_h * net_w) {
        float more = crop_w * net_h / net_w - crop_h;
        m->top -= more / 2;
        m->bottom -= more / 2;
    } else {
        float more = crop_h * net_w / net_h - crop_w;
        m->left -= more / 2;
        m->right -= more / 2;
    }
}

/* Mosaic: against the picture's corner that lies in the tile's own, so that more of it shows. */
static void push_to_corner(int tile, bool flip, struct margins *m)
{
    bool right = (tile % 2 == 1) != flip;
    bool bottom = tile / 2 == 1;
    float across = m->left + m->right;
    float down = m->top + m->bottom;
    m->left = right ? across : 0;
    m->right = right ? 0 : across;
    m->top = bottom ? down : 0;
    m->bottom = bottom ? 0 : down;
}

static struct view draw_view(struct augment_job *job, const struct image *image)
{
    const struct augment_options *o = job->options;
    struct rng *rng = &job->rng;
    float w = (float)image->w;
    float h = (float)image->h;
    float jitter_w = floorf(w * o->jitter);
    float jitter_h = floorf(h * o->jitter);
    struct view view = {
        .image_w = image->w, .image_h = image->h, .net_w = job->output->w, .net_h = job->output->h};
    struct margins m;
    view.flip = coin(rng) && o->flip;
    m.left = rng_uniform(rng, -jitter_w, jitter_w);
    m.right = rng_uniform(rng, -jitter_w, jitter_w);
    m.top = rng_uniform(rng, -jitter_h, jitter_h);
    m.bottom = rng_uniform(rng, -jitter_h, jitter_h);
    draw_resize(job, w, h, &m);
    if (!(w - m.left - m.right >= 1) || !(h - m.top - m.bottom >= 1)) {
        m = (struct margins){0, 0, 0, 0};
    }
    if (o->letter_box) {
        letterbox(w, h, (float)view.net_w, (float)view.net_h, &m);
    }
    if (job->pictures == 4 && coin(rng)) {
        push_to_corner(job->next, view.flip, &m);
    }
    view.left = m.left;
    view.top = m.top;
    view.w = w - m.left - m.right;
    view.h = h - m.top - m.bottom;
    return view;
}

/* ---- mosaic ---- */

/* Input pixels at either end of an axis that lie outside the picture. */
static int padding(float outside, float crop, int net)
{
    return outside > 0 ? (int)(outside * (float)net / crop) : 0;
}

static int min_int(int a, int b)
{
    return a < b ? a : b;
}

/* One axis of a tile: the near one (left, top) shows the far end of the view and the other way
 * round, moved inwards by the padding there, as far as there is room. */
static int tile_from(bool near, int cut, int net, int padding_before, int padding_after)
{
    return near ? net - cut - min_int(padding_after, net - cut) : min_int(padding_before, cut);
}

static struct region tile_region(const struct augment_job *job, const struct view *view)
{
    int net_w = view->net_w;
    int net_h = view->net_h;
    bool left = job->next % 2 == 0;
    bool top = job->next / 2 == 0;
    int before_x = padding(-view->left, view->w, net_w);
    int after_x = padding(view->left + view->w - (float)view->image_w, view->w, net_w);
    int before_y = padding(-view->top, view->h, net_h);
    int after_y = padding(view->top + view->h - (float)view->image_h, view->h, net_h);
    if (view->flip) {
        int kept = before_x;
        before_x = after_x;
        after_x = kept;
    }
    struct region region;
    region.x = left ? 0 : job->cut_x;
    region.y = top ? 0 : job->cut_y;
    region.w = left ? job->cut_x : net_w - job->cut_x;
    region.h = top ? job->cut_y : net_h - job->cut_y;
    region.from_x = tile_from(left, job->cut_x, net_w, before_x, after_x);
    region.from_y = tile_from(top, job->cut_y, net_h, before_y, after_y);
    return region;
}

/* ---- one picture ---- */

static enum result add_truth(struct truth_list *list, const struct truth *truth, struct error *err)
{
    TRY(mem_grow((void **)&list->items, list->count, &list->capacity, sizeof *list->items, err));
    list->items[list->count++] = *truth;
    return OK;
}

static enum result add_truths(struct augment_job *job, const struct view *view,
                              const struct region *region, const struct augment_labels *labels,
                              struct error *err)
{
    for (size_t i = 0; i < labels->count; i++) {
        struct truth truth = labels->truths[i];
        if ((labels->is_crowd && labels->is_crowd[i]) ||
            !view_box(view, region, &labels->truths[i].box, &truth.box)) {
            continue;
        }
        TRY(add_truth(job->truths, &truth, err));
    }
    return OK;
}

/* Darknet's three ways, as likely: none, only the background, the whole picture by the key's value
 * (as far as its smallest object bears it). */
static int draw_blur(struct augment_job *job, const struct truth *truths, size_t count,
                     bool *background)
{
    float blur = job->options->blur;
    if (!(blur >= 1)) {
        return 0;
    }
    uint64_t way = rng_below(&job->rng, 3);
    *background = way == 1 || blur < 2;
    if (way == 0) {
        return 0;
    }
    if (*background) {
        return BACKGROUND_KERNEL;
    }
    for (size_t i = 0; i < count; i++) {
        float side_w = truths[i].box.w * (float)job->output->w;
        float side_h = truths[i].box.h * (float)job->output->h;
        blur = fminf(blur, fminf(side_w, side_h) / BLUR_PER_SIDE);
    }
    int kernel = (int)fminf(blur, DISTORT_MAX_KERNEL - 1) / 2 * 2 + 1;
    return kernel >= 3 ? kernel : 0;
}

static enum result blur_and_noise(struct augment_job *job, const struct patch *patch,
                                  const struct truth *truths, size_t count, struct error *err)
{
    bool background = false;
    int kernel = draw_blur(job, truths, count, &background);
    bool noisy = job->options->gaussian_noise > 0 && coin(&job->rng);
    if (!kernel && !noisy) {
        return OK;
    }
    size_t floats = kernel ? distort_blur_scratch(patch, kernel) : 0;
    floats = floats < DISTORT_NOISE_FLOATS ? DISTORT_NOISE_FLOATS : floats;
    float *scratch = get_block(job->scratch, BLOCK_BLUR, floats);
    if (!scratch) {
        return mem_error(err, "augmentation");
    }
    if (kernel) {
        distort_blur(patch, kernel, truths, background ? count : 0, scratch);
    }
    if (noisy) {
        float sigma = fminf(job->options->gaussian_noise, 127) / 255;
        distort_noise(patch, sigma, &job->rng, scratch);
    }
    return OK;
}

static void average(const struct tensor *output, int n, const struct tensor *second)
{
    float *restrict out = tensor_at(output, n, 0, 0);
    const float *restrict in = second->data;
    size_t count = tensor_pixels(second) * second->stride;
    for (size_t i = 0; i < count; i++) {
        out[i] = 0.5f * (out[i] + in[i]);
    }
}

int augment_begin(struct augment_job *job)
{
    const struct augment_options *o = job->options;
    const struct tensor *t = job->output;
    assert((t->c == 3 || t->c == 1) && t->stride == (size_t)t->c);
    job->truths->count = 0;
    job->next = 0;
    job->pictures = 1;
    bool mosaic = o->mosaic && !o->crops && t->w >= 2 && t->h >= 2;
    if ((mosaic || (o->mixup && !o->crops)) && coin(&job->rng)) {
        job->pictures = mosaic ? 4 : 2;
    }
    if (job->pictures == 4) {
        float x = rng_uniform(&job->rng, 0.2f, 0.8f) * (float)t->w;
        float y = rng_uniform(&job->rng, 0.2f, 0.8f) * (float)t->h;
        job->cut_x = x < 1 ? 1 : (int)x;
        job->cut_y = y < 1 ? 1 : (int)y;
    }
    return job->pictures;
}

static enum result add_crop(struct augment_job *job, const struct image *image, struct error *err)
{
    const struct augment_options *o = job->options;
    const struct tensor *t = job->output;
    bool flip = coin(&job->rng) && o->flip;
    struct crop crop = crop_draw(&o->crop, &job->rng, image->w, image->h, t->w, t->h, flip);
    struct distortion colors = draw_colors(job);
    float *scratch = get_block(job->scratch, BLOCK_RENDER, crop_scratch(t->w));
    if (!scratch) {
        return mem_error(err, "augmentation");
    }
    crop_render(&crop, image, &colors, t, job->image, scratch);
    struct patch patch = {t, job->image, 0, 0, t->w, t->h};
    TRY(blur_and_noise(job, &patch, NULL, 0, err));
    job->next++;
    return OK;
}

enum result augment_add(struct augment_job *job, const struct image *image,
                        const struct augment_labels *labels, struct error *err)
{
    assert(job->next < job->pictures);
    if (job->options->crops) {
        return add_crop(job, image, err);
    }
    struct tensor second = {.n = 1,
                            .h = job->output->h,
                            .w = job->output->w,
                            .c = job->output->c,
                            .stride = (size_t)job->output->c};
    const struct tensor *output = job->output;
    int n = job->image;
    bool blends = job->pictures == 2 && job->next == 1;
    if (blends) {
        second.data = get_block(job->scratch, BLOCK_SECOND, tensor_pixels(&second) * second.stride);
        if (!second.data) {
            return mem_error(err, "augmentation");
        }
        output = &second;
        n = 0;
    }
    struct view view = draw_view(job, image);
    struct distortion colors = draw_colors(job);
    struct region region = {.w = output->w, .h = output->h};
    if (job->pictures == 4) {
        region = tile_region(job, &view);
    }
    float *scratch = get_block(job->scratch, BLOCK_RENDER, view_scratch(&view, &region));
    if (!scratch) {
        return mem_error(err, "augmentation");
    }
    view_render(&view, &region, image, &colors, output, n, scratch);
    size_t before = job->truths->count;
    TRY(add_truths(job, &view, &region, labels, err));
    struct patch patch = {output, n, region.x, region.y, region.w, region.h};
    size_t added = job->truths->count - before;
    TRY(blur_and_noise(job, &patch, added ? job->truths->items + before : NULL, added, err));
    if (blends) {
        average(job->output, job->image, &second);
    }
    job->next++;
    return OK;
}

static void limit_truths(const struct augment_options *options, struct truth_list *list)
{
    if (options->max_truths && list->count > options->max_truths) {
        list->count = options->max_truths;
    }
}

void augment_finish(struct augment_job *job)
{
    assert(job->next == job->pictures);
    struct truth_list *list = job->truths;
    for (size_t i = list->count; i > 1; i--) {
        size_t other = (size_t)rng_below(&job->rng, i);
        struct truth kept = list->items[i - 1];
        list->items[i - 1] = list->items[other];
        list->items[other] = kept;
    }
    limit_truths(job->options, list);
}

enum result augment_none(const struct augment_options *options, const struct image *image,
                         const struct augment_labels *labels, const struct tensor *output, int n,
                         struct truth_list *truths, struct image_fit *fit, struct error *err)
{
    truths->count = 0;
    enum image_way way = options->letter_box ? IMAGE_LETTERBOX : IMAGE_STRETCH;
    TRY(image_to_input(image, options->crops ? IMAGE_CROP : way, output, n, fit, err));
    float net_w = (float)fit->net_w;
    float net_h = (float)fit->net_h;
    for (size_t i = 0; i < labels->count; i++) {
        struct truth truth = labels->truths[i];
        truth.box.cx = (truth.box.cx * (float)fit->inner_w + (float)fit->offset_x) / net_w;
        truth.box.cy = (truth.box.cy * (float)fit->inner_h + (float)fit->offset_y) / net_h;
        truth.box.w *= (float)fit->inner_w / net_w;
        truth.box.h *= (float)fit->inner_h / net_h;
        bool seen = truth.box.w * net_w >= 1 && truth.box.h * net_h >= 1;
        if (seen && !(labels->is_crowd && labels->is_crowd[i])) {
            TRY(add_truth(truths, &truth, err));
        }
    }
    limit_truths(options, truths);
    return OK;
}
