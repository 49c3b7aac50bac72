#include "data/view.h"

#include <math.h>
#include <string.h>

/* ---- boxes ---- */

static float clamp(float v, float low, float high)
{
    return v < low ? low : v > high ? high : v;
}

bool view_box(const struct view *view, const struct region *region,
              const struct box_cxcywh_norm *box, struct box_cxcywh_norm *out)
{
    /* In pixels of the stretched view ... */
    float scale_x = (float)view->net_w / view->w;
    float scale_y = (float)view->net_h / view->h;
    float x1 = ((box->cx - box->w / 2) * (float)view->image_w - view->left) * scale_x;
    float x2 = ((box->cx + box->w / 2) * (float)view->image_w - view->left) * scale_x;
    float y1 = ((box->cy - box->h / 2) * (float)view->image_h - view->top) * scale_y;
    float y2 = ((box->cy + box->h / 2) * (float)view->image_h - view->top) * scale_y;
    if (view->flip) {
        float mirrored = (float)view->net_w - x2;
        x2 = (float)view->net_w - x1;
        x1 = mirrored;
    }
    /* ... of the region, clipped, and of the output. */
    x1 = clamp(x1 - (float)region->from_x, 0, (float)region->w) + (float)region->x;
    x2 = clamp(x2 - (float)region->from_x, 0, (float)region->w) + (float)region->x;
    y1 = clamp(y1 - (float)region->from_y, 0, (float)region->h) + (float)region->y;
    y2 = clamp(y2 - (float)region->from_y, 0, (float)region->h) + (float)region->y;
    if (!(x2 - x1 >= 1) || !(y2 - y1 >= 1)) {
        return false;
    }
    float net_w = (float)view->net_w;
    float net_h = (float)view->net_h;
    *out = (struct box_cxcywh_norm){(x1 + x2) / 2 / net_w, (y1 + y2) / 2 / net_h, (x2 - x1) / net_w,
                                    (y2 - y1) / net_h};
    return true;
}

/* ---- pixels ---- */

/* Where one output column or row reads: source at and at + 1 with weights 1 - part and part. */
struct tap {
    int at;
    float part;
};

/* False if the centre of output pixel `i` lies outside the picture. */
static bool find_tap(float start, float step, int i, int limit, struct tap *tap)
{
    float position = start + ((float)i + 0.5f) * step - 0.5f;
    if (!(position >= -0.5f) || !(position < (float)limit - 0.5f)) {
        return false;
    }
    position = clamp(position, 0, (float)(limit - 1));
    int at = (int)position;
    bool last = at >= limit - 1;
    tap->at = last ? limit - 1 : at;
    tap->part = last ? 0 : position - (float)at;
    return true;
}

struct renderer {
    const struct image *image;
    int *offset;      /* [w], of a column's left tap in `mixed` */
    float *part;      /* [w] */
    int first, last;  /* columns [first, last) lie in the picture */
    int source_x;     /* first source column that is read */
    int source_count; /* how many are */
    float *mixed;     /* [source_count + 1][3], two source rows in one */
    float *r, *g, *b; /* [w] each, the output row */
    float mean[3];
};

static void find_mean(const struct image *image, float *mean)
{
    int side = image->w < image->h ? image->w : image->h;
    int step = side / 64 + 1;
    double sum[3] = {0, 0, 0};
    int count = 0;
    for (int y = step / 2; y < image->h; y += step) {
        const unsigned char *row = image->rgb + (size_t)y * (size_t)image->w * 3;
        for (int x = step / 2; x < image->w; x += step) {
            for (int k = 0; k < 3; k++) {
                sum[k] += row[3 * (size_t)x + (size_t)k];
            }
            count++;
        }
    }
    for (int k = 0; k < 3; k++) {
        mean[k] = (float)(sum[k] / count / 255);
    }
}

/* Columns run backwards through the picture if the view is mirrored. */
static void find_columns(struct renderer *r, const struct view *view, const struct region *region)
{
    float step = view->w / (float)view->net_w;
    int low = view->image_w;
    int high = -1;
    r->first = region->w;
    r->last = 0;
    for (int i = 0; i < region->w; i++) {
        int column = region->from_x + i;
        struct tap tap;
        if (!find_tap(view->left, step, view->flip ? view->net_w - 1 - column : column,
                      view->image_w, &tap)) {
            continue;
        }
        r->first = i < r->first ? i : r->first;
        r->last = i + 1;
        low = tap.at < low ? tap.at : low;
        high = tap.at > high ? tap.at : high;
        r->offset[i] = tap.at;
        r->part[i] = tap.part;
    }
    for (int i = r->first; i < r->last; i++) {
        r->offset[i] = 3 * (r->offset[i] - low);
    }
    high = high + 1 < view->image_w ? high + 1 : high;
    r->source_x = low;
    r->source_count = r->last > r->first ? high - low + 1 : 0;
}

static void mix_rows(const unsigned char *restrict a, const unsigned char *restrict b, float part,
                     size_t count, float *restrict out)
{
    float d = part / 255.0f;
    float e = (1 - part) / 255.0f;
    for (size_t i = 0; i < count; i++) {
        out[i] = e * (float)a[i] + d * (float)b[i];
    }
}

static void pick_columns(const struct renderer *r)
{
    const int *restrict offset = r->offset;
    const float *restrict part = r->part;
    float *restrict red = r->r;
    float *restrict green = r->g;
    float *restrict blue = r->b;
    for (int i = r->first; i < r->last; i++) {
        const float *p = r->mixed + offset[i];
        float d = part[i];
        float e = 1 - d;
        red[i] = e * p[0] + d * p[3];
        green[i] = e * p[1] + d * p[4];
        blue[i] = e * p[2] + d * p[5];
    }
}

static void fill_mean(const struct renderer *r, int from, int to)
{
    for (int i = from; i < to; i++) {
        r->r[i] = r->mean[0];
        r->g[i] = r->mean[1];
        r->b[i] = r->mean[2];
    }
}

static void render_row(const struct renderer *r, const struct view *view, int row, int w)
{
    struct tap tap;
    if (r->source_count == 0 ||
        !find_tap(view->top, view->h / (float)view->net_h, row, view->image_h, &tap)) {
        fill_mean(r, 0, w);
        return;
    }
    size_t pitch = (size_t)view->image_w * 3;
    const unsigned char *a = r->image->rgb + (size_t)tap.at * pitch + (size_t)r->source_x * 3;
    const unsigned char *b = tap.at + 1 < view->image_h ? a + pitch : a;
    mix_rows(a, b, tap.part, (size_t)r->source_count * 3, r->mixed);
    fill_mean(r, 0, r->first);
    pick_columns(r);
    fill_mean(r, r->last, w);
}

size_t view_scratch(const struct view *view, const struct region *region)
{
    return 5 * (size_t)region->w + ((size_t)view->image_w + 1) * 3;
}

void view_render(const struct view *view, const struct region *region, const struct image *image,
                 const struct distortion *colors, const struct tensor *output, int n,
                 float *scratch)
{
    size_t w = (size_t)region->w;
    struct renderer r = {.image = image,
                         .offset = (int *)(void *)scratch,
                         .part = scratch + w,
                         .r = scratch + 2 * w,
                         .g = scratch + 3 * w,
                         .b = scratch + 4 * w,
                         .mixed = scratch + 5 * w};
    find_mean(image, r.mean);
    find_columns(&r, view, region);
    /* Read with weight 0 by the last column of the picture. */
    memset(r.mixed + (size_t)r.source_count * 3, 0, 3 * sizeof *r.mixed);
    for (int y = 0; y < region->h; y++) {
        render_row(&r, view, region->from_y + y, region->w);
        distort_colors(colors, region->w, r.r, r.g, r.b);
        distort_store_row(r.r, r.g, r.b, region->w, output->c,
                          tensor_at(output, n, region->y + y, region->x));
    }
}
