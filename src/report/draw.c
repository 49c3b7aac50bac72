#include "report/draw.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/memory.h"
#include "report/font.h"
#include "data/stb.h"

#include <stb/stb_truetype.h>

/* Coordinates may be anything a network makes up: everything passes through here before it is an
 * int. */
static int to_px(float v)
{
    const float far = 1e6f;
    if (!(v > -far)) { /* NaN as well */
        return (int)-far;
    }
    return v < far ? (int)lrintf(v) : (int)far;
}

static int clamp_int(int v, int low, int high)
{
    return v < low ? low : v > high ? high : v;
}

static int min_int(int a, int b)
{
    return a < b ? a : b;
}

static int max_int(int a, int b)
{
    return a > b ? a : b;
}

/* cover in [0, 256] */
static void blend(unsigned char *pixel, struct color c, int cover)
{
    int keep = 256 - cover;
    pixel[0] = (unsigned char)((c.r * cover + pixel[0] * keep + 128) >> 8);
    pixel[1] = (unsigned char)((c.g * cover + pixel[1] * keep + 128) >> 8);
    pixel[2] = (unsigned char)((c.b * cover + pixel[2] * keep + 128) >> 8);
}

static unsigned char *pixel_at(struct image *image, int x, int y)
{
    return image->rgb + ((size_t)y * (size_t)image->w + (size_t)x) * 3;
}

/* ---- colours ---- */

static double srgb_encode(double v)
{
    return v <= 0.0031308 ? 12.92 * v : 1.055 * pow(v, 1 / 2.4) - 0.055;
}

static double srgb_decode(double v)
{
    return v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4);
}

/* Oklab (Ottosson 2020) in polar form to linear sRGB: equal lightness there looks equally light. */
static void oklch_to_linear(double lightness, double chroma, double hue, double rgb[3])
{
    double a = chroma * cos(hue);
    double b = chroma * sin(hue);
    double l = pow(lightness + 0.3963377774 * a + 0.2158037573 * b, 3);
    double m = pow(lightness - 0.1055613458 * a - 0.0638541728 * b, 3);
    double s = pow(lightness - 0.0894841775 * a - 1.2914855480 * b, 3);
    rgb[0] = 4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s;
    rgb[1] = -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s;
    rgb[2] = -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s;
}

static bool in_gamut(const double rgb[3])
{
    for (int k = 0; k < 3; k++) {
        if (!(rgb[k] >= 0 && rgb[k] <= 1)) {
            return false;
        }
    }
    return true;
}

/* Golden-ratio hues never repeat and fill the circle evenly; lightness takes three turns, so that
 * classes which come close in hue differ in it. */
struct color draw_class_color(int class_id)
{
    static const double lightness[3] = {0.70, 0.80, 0.60};
    unsigned number = (unsigned)class_id;
    double turn = fmod(0.08 + (double)(number % 100000) * 0.61803398874989485, 1.0);
    double hue = turn * 6.283185307179586;
    double rgb[3];
    double chroma = 0.25;
    do { /* as colourful as the screen can show */
        oklch_to_linear(lightness[number % 3], chroma, hue, rgb);
        chroma -= 0.005;
    } while (!in_gamut(rgb) && chroma > 0);
    unsigned char out[3];
    for (int k = 0; k < 3; k++) {
        double v = rgb[k] < 0 ? 0 : rgb[k] > 1 ? 1 : rgb[k];
        out[k] = (unsigned char)(srgb_encode(v) * 255 + 0.5);
    }
    return (struct color){out[0], out[1], out[2]};
}

/* Black or white, whichever has the higher contrast (WCAG 2, relative luminance). */
static struct color ink_on(struct color c)
{
    double luminance = 0.2126 * srgb_decode(c.r / 255.0) + 0.7152 * srgb_decode(c.g / 255.0) +
                       0.0722 * srgb_decode(c.b / 255.0);
    if (luminance > 0.179) {
        return (struct color){0, 0, 0};
    }
    return (struct color){255, 255, 255};
}

/* ---- shapes ---- */

void draw_fill(struct image *image, int x1, int y1, int x2, int y2, struct color color, float alpha)
{
    if (!(alpha > 0)) {
        return;
    }
    int cover = alpha < 1 ? (int)lrintf(alpha * 256) : 256;
    x1 = max_int(x1, 0);
    y1 = max_int(y1, 0);
    x2 = min_int(x2, image->w);
    y2 = min_int(y2, image->h);
    for (int y = y1; y < y2; y++) {
        for (int x = x1; x < x2; x++) {
            blend(pixel_at(image, x, y), color, cover);
        }
    }
}

/* Four bars inside [x1, x2) x [y1, y2) that do not overlap. */
static void frame_px(struct image *image, const int box[4], int width, struct color c, float alpha)
{
    int x1 = box[0];
    int y1 = box[1];
    int x2 = box[2];
    int y2 = box[3];
    int top = min_int(y1 + width, y2);
    int bottom = max_int(y2 - width, top);
    int left = min_int(x1 + width, x2);
    int right = max_int(x2 - width, left);
    draw_fill(image, x1, y1, x2, top, c, alpha);
    draw_fill(image, x1, bottom, x2, y2, c, alpha);
    draw_fill(image, x1, top, left, bottom, c, alpha);
    draw_fill(image, right, top, x2, bottom, c, alpha);
}

void draw_frame(struct image *image, float x1, float y1, float x2, float y2, int width,
                struct color color)
{
    int box[4] = {to_px(x1), to_px(y1), to_px(x2), to_px(y2)};
    frame_px(image, box, clamp_int(width, 1, 1000000), color, 1);
}

/* A capsule: a pixel is covered by how far the line's edge lies beyond its centre. */
void draw_line(struct image *image, float x1, float y1, float x2, float y2, float width,
               struct color color)
{
    if (!isfinite(x1) || !isfinite(y1) || !isfinite(x2) || !isfinite(y2) || !(width > 0)) {
        return;
    }
    float radius = fminf(width, 1e6f) / 2;
    float reach = radius + 1;
    float dx = x2 - x1;
    float dy = y2 - y1;
    float square = dx * dx + dy * dy;
    int first = clamp_int(to_px(fminf(y1, y2) - reach), 0, image->h);
    int last = clamp_int(to_px(fmaxf(y1, y2) + reach), -1, image->h - 1);
    for (int y = first; y <= last; y++) {
        float cy = (float)y + 0.5f;
        /* The part of the line that can touch this row bounds the columns to look at. */
        float t1 = dy != 0 ? (cy - reach - y1) / dy : 0;
        float t2 = dy != 0 ? (cy + reach - y1) / dy : 1;
        float low = fminf(1, fmaxf(0, fminf(t1, t2)));
        float high = fminf(1, fmaxf(0, fmaxf(t1, t2)));
        float xa = x1 + low * dx;
        float xb = x1 + high * dx;
        int from = clamp_int(to_px(fminf(xa, xb) - reach), 0, image->w);
        int to = clamp_int(to_px(fmaxf(xa, xb) + reach), -1, image->w - 1);
        for (int x = from; x <= to; x++) {
            float px = (float)x + 0.5f - x1;
            float py = cy - y1;
            float t = square > 0 ? fminf(1, fmaxf(0, (px * dx + py * dy) / square)) : 0;
            float cover = radius + 0.5f - hypotf(px - t * dx, py - t * dy);
            cover = fminf(cover, fminf(1, width));
            if (cover > 0) {
                blend(pixel_at(image, x, y), color, (int)(cover * 256));
            }
        }
    }
}

/* ---- text ---- */

/* The next character of UTF-8 text. Each byte that belongs to no valid character is U+FFFD, a
 * control character is a blank. */
static uint32_t next_char(const unsigned char **text)
{
    const unsigned char *s = *text;
    uint32_t lead = s[0];
    *text = s + 1;
    if (lead < 0x80) {
        return lead < 0x20 || lead == 0x7f ? ' ' : lead;
    }
    int more = lead >= 0xf0 && lead < 0xf5 ? 3 : lead >= 0xe0 ? 2 : 1;
    if (lead < 0xc2 || lead >= 0xf5) {
        return 0xfffd;
    }
    static const uint32_t smallest[4] = {0, 0x80, 0x800, 0x10000};
    uint32_t code = lead & (0x3fu >> more);
    for (int i = 1; i <= more; i++) {
        if ((s[i] & 0xc0) != 0x80) { /* also the end of the text */
            return 0xfffd;
        }
        code = code << 6 | (s[i] & 0x3fu);
    }
    if (code < smallest[more] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) {
        return 0xfffd;
    }
    *text = s + 1 + more;
    return code;
}

enum { TEXT_MAX_PX = 2000 };

struct font {
    stbtt_fontinfo info;
    float scale;
    int ascent; /* pixels from the top of the line to the baseline */
};

/* Reads a few table offsets: cheap enough for every text, so that there is no state to share. */
static bool font_open(struct font *font, float height_px)
{
    font->info.userdata = NULL;
    if (!(height_px >= 1) || !stbtt_InitFont(&font->info, font_data, 0)) {
        return false;
    }
    int ascent;
    int descent;
    int gap;
    stbtt_GetFontVMetrics(&font->info, &ascent, &descent, &gap);
    font->scale = fminf(height_px, TEXT_MAX_PX) / (float)(ascent - descent);
    font->ascent = (int)lrintf((float)ascent * font->scale);
    return true;
}

/* Glyph by glyph: the pen position before it, with kerning. */
struct layout {
    const struct font *font;
    const unsigned char *rest;
    int glyph, previous;
    float x;    /* of `glyph`, from the start of the text */
    float next; /* of what follows */
};

static bool layout_next(struct layout *l)
{
    if (*l->rest == 0) {
        return false;
    }
    const stbtt_fontinfo *info = &l->font->info;
    l->previous = l->glyph;
    l->glyph = stbtt_FindGlyphIndex(info, (int)next_char(&l->rest));
    int kern = l->previous >= 0 ? stbtt_GetGlyphKernAdvance(info, l->previous, l->glyph) : 0;
    int advance;
    int bearing;
    stbtt_GetGlyphHMetrics(info, l->glyph, &advance, &bearing);
    l->x = l->next + (float)kern * l->font->scale;
    l->next = l->x + (float)advance * l->font->scale;
    return true;
}

float draw_text_width(float height_px, const char *text)
{
    struct font font;
    if (!font_open(&font, height_px)) {
        return 0;
    }
    struct layout l = {.font = &font, .rest = (const unsigned char *)text, .glyph = -1};
    while (layout_next(&l)) {
    }
    return l.next;
}

/* A glyph's place, and how much of each pixel it covers. */
struct glyph {
    const struct font *font;
    int index;
    float shift;          /* right of a whole pixel */
    unsigned char *cover; /* [h][w] */
    int w, h;
};

static void *rasterise(void *ctx)
{
    struct glyph *g = ctx;
    const struct font *font = g->font;
    stbtt_MakeGlyphBitmapSubpixel(&font->info, g->cover, g->w, g->h, g->w, font->scale, font->scale,
                                  g->shift, 0, g->index);
    return NULL;
}

/* One glyph with its pen at (x, baseline). Where memory runs out the image lacks_text. */
static void draw_glyph(struct image *image, const struct font *font, int glyph, float x,
                       int baseline, struct color color)
{
    float whole = floorf(x);
    float shift = x - whole;
    int box[4];
    stbtt_GetGlyphBitmapBoxSubpixel(&font->info, glyph, font->scale, font->scale, shift, 0, &box[0],
                                    &box[1], &box[2], &box[3]);
    int left = to_px(whole) + box[0];
    int top = baseline + box[1];
    int w = box[2] - box[0];
    int h = box[3] - box[1];
    if (w <= 0 || h <= 0 || left >= image->w || top >= image->h || left + w <= 0 || top + h <= 0) {
        return;
    }
    unsigned char *cover = mem_alloc((size_t)w * (size_t)h, 1);
    struct glyph g = {font, glyph, shift, cover, w, h};
    bool is_drawn = cover && stb_call(rasterise, &g).is_done;
    image->lacks_text = image->lacks_text || !is_drawn;
    for (int y = max_int(0, -top); is_drawn && y < h && top + y < image->h; y++) {
        for (int i = max_int(0, -left); i < w && left + i < image->w; i++) {
            int c = cover[y * w + i];
            if (c) {
                blend(pixel_at(image, left + i, top + y), color, c + (c >> 7));
            }
        }
    }
    mem_free(cover);
}

void draw_text(struct image *image, float x, float y, float height_px, const char *text,
               struct color color)
{
    struct font font;
    if (!(fabsf(x) < 1e6f) || !(fabsf(y) < 1e6f) || !font_open(&font, height_px)) {
        return;
    }
    int baseline = to_px(y) + font.ascent; /* a whole pixel: crisp feet */
    struct layout l = {.font = &font, .rest = (const unsigned char *)text, .glyph = -1};
    while (layout_next(&l) && x + l.x < (float)image->w + height_px) {
        draw_glyph(image, &font, l.glyph, x + l.x, baseline, color);
    }
}

/* ---- boxes and their labels ---- */

enum {
    LABEL_SMALL_PX = 12, /* text of labels shrinks to this for want of a place, */
    LABEL_MIN_PX = 7     /* to this in a tiny picture; smaller is not readable: left out */
};

/* The part inside the picture, at least one pixel of it: every box leaves a mark. */
static struct draw_rect visible_part(const struct image *image, const struct box_xyxy_px *box)
{
    struct draw_rect r;
    r.left = clamp_int(to_px(fminf(box->x1, box->x2)), 0, image->w - 1);
    r.top = clamp_int(to_px(fminf(box->y1, box->y2)), 0, image->h - 1);
    r.right = clamp_int(to_px(fmaxf(box->x1, box->x2)), r.left + 1, image->w);
    r.bottom = clamp_int(to_px(fmaxf(box->y1, box->y2)), r.top + 1, image->h);
    return r;
}

void draw_box(struct image *image, const struct box_xyxy_px *box, struct color color)
{
    struct draw_rect r = visible_part(image, box);
    int side = min_int(image->w, image->h);
    int room = min_int(r.right - r.left, r.bottom - r.top);
    int width = max_int(2, (int)lrintf((float)side / 300));
    width = max_int(1, min_int(width, min_int(room / 4, max_int(1, side / 16))));
    if (width > 1) { /* a thin shadow on both sides keeps the frame apart from what it surrounds */
        const int outside[4] = {r.left - 1, r.top - 1, r.right + 1, r.bottom + 1};
        frame_px(image, outside, width + 2, (struct color){0, 0, 0}, 0.35f);
    }
    const int inside[4] = {r.left, r.top, r.right, r.bottom};
    frame_px(image, inside, width, color, 1);
}

/* The text's height for this picture: by its size, less if it would not fit in. */
static float label_height(const struct draw_labels *labels, float width_per_px)
{
    const struct image *image = labels->image;
    float by_size = fmaxf(LABEL_SMALL_PX, (float)min_int(image->w, image->h) / 30);
    float height = labels->height_px > 0 ? labels->height_px : by_size;
    height = fminf(height, (float)image->w / (width_per_px + 0.6f)); /* with the tab's margins */
    height = fminf(height, (float)image->h / 2.5f);
    return floorf(height);
}

static bool is_free(const struct draw_labels *labels, const struct draw_rect *r)
{
    const struct image *image = labels->image;
    bool is_clear = r->left >= 0 && r->top >= 0 && r->right <= image->w && r->bottom <= image->h;
    for (size_t i = 0; is_clear && i < labels->count; i++) {
        const struct draw_rect *o = &labels->taken[i];
        is_clear = r->left >= o->right || r->right <= o->left || r->top >= o->bottom ||
                   r->bottom <= o->top;
    }
    return is_clear;
}

/* The first free place of w x h: above the box, below it or inside, at either side; then beside it.
 * A box that would vanish under a label inside takes one only if may_hide. False if all of that is
 * taken. */
static bool find_place(const struct draw_labels *labels, const struct draw_rect *box, int w, int h,
                       bool may_hide, struct draw_rect *place)
{
    bool has_room = box->right - box->left >= w && box->bottom - box->top >= 3 * h;
    int left = clamp_int(box->left, 0, max_int(0, labels->image->w - w));
    int right = max_int(0, box->right - w);
    const struct {
        int x, y;
        bool is_inside;
    } corners[] = {
        {left, box->top - h, false},
        {right, box->top - h, false},
        {left, box->top, true},
        {right, box->top, true},
        {left, box->bottom, false},
        {right, box->bottom, false},
        {left, box->bottom - h, true},
        {right, box->bottom - h, true},
        {box->right, box->top, false},
        {box->left - w, box->top, false},
        {box->right, box->bottom - h, false},
        {box->left - w, box->bottom - h, false},
    };
    for (size_t i = 0; i < sizeof corners / sizeof corners[0]; i++) {
        int x = corners[i].x;
        int y = corners[i].y;
        *place = (struct draw_rect){x, y, x + w, y + h};
        if ((!corners[i].is_inside || has_room || may_hide) && is_free(labels, place)) {
            return true;
        }
    }
    return false;
}

/* A label's tab: its place, and the text in it. */
struct tab {
    struct draw_rect place;
    float height;
    int margin, rise; /* from the tab's corner to the text's */
};

/* In the largest text for which there is a place; that hides no box, if there is any such. */
static bool find_tab(const struct draw_labels *labels, const struct draw_rect *box,
                     float width_per_px, struct tab *tab)
{
    float full = label_height(labels, width_per_px);
    float least = full < LABEL_SMALL_PX ? fmaxf(full, LABEL_MIN_PX) : LABEL_SMALL_PX;
    for (int may_hide = 0; may_hide < 2; may_hide++) {
        for (float height = full; height >= least; height = floorf(height * 0.8f)) {
            tab->height = height;
            tab->margin = max_int(1, (int)(height * 0.25f));
            tab->rise = (int)(height * 0.08f);
            int w = (int)ceilf(width_per_px * height) + 2 * tab->margin;
            int h = (int)height + 2 * tab->rise;
            if (find_place(labels, box, w, h, may_hide, &tab->place)) {
                return true;
            }
        }
    }
    return false;
}

void draw_label(struct draw_labels *labels, const struct box_xyxy_px *box, struct color color,
                const char *text)
{
    const float probe_px = 100;
    if (!text || !text[0] || labels->count == DRAW_LABELS_MAX) {
        return;
    }
    struct draw_rect part = visible_part(labels->image, box);
    struct tab tab;
    if (!find_tab(labels, &part, draw_text_width(probe_px, text) / probe_px, &tab)) {
        return;
    }
    const struct draw_rect *r = &tab.place;
    labels->taken[labels->count++] = *r;
    draw_fill(labels->image, r->left, r->top, r->right, r->bottom, color, 1);
    draw_text(labels->image, (float)(r->left + tab.margin), (float)(r->top + tab.rise), tab.height,
              text, ink_on(color));
}
