/* Augmentation: boxes stay on their pixels through every way of cutting and moving; colours, blur,
 * noise. */
#include "data/augment.h"

#include "base/memory.h"
#include "data/view.h"
#include "test.h"

static struct error err;

enum { CLASSES = 6 };

static const float class_color[CLASSES][3] = {
    {1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {1, 1, 0}, {1, 0, 1}, {0, 1, 1},
};

/* A dark grey picture with one rectangle of pixels [x1, x2) x [y1, y2). */
struct scene {
    struct image image;
    struct truth truth;
};

static void paint(struct scene *s, int w, int h, const int *edges, int class_id)
{
    if (image_new(w, h, &s->image, &err) != OK) {
        abort();
    }
    memset(s->image.rgb, 64, (size_t)w * (size_t)h * 3);
    for (int y = edges[1]; y < edges[3]; y++) {
        for (int x = edges[0]; x < edges[2]; x++) {
            for (int k = 0; k < 3; k++) {
                s->image.rgb[(y * w + x) * 3 + k] = class_color[class_id][k] > 0 ? 255 : 0;
            }
        }
    }
    float fw = (float)w;
    float fh = (float)h;
    s->truth.class_id = class_id;
    s->truth.box = (struct box_cxcywh_norm){
        (float)(edges[0] + edges[2]) / 2 / fw, (float)(edges[1] + edges[3]) / 2 / fh,
        (float)(edges[2] - edges[0]) / fw, (float)(edges[3] - edges[1]) / fh};
}

static void paint_four(struct scene scenes[4])
{
    static const int edges[4][4] = {
        {60, 40, 100, 80}, {10, 60, 70, 120}, {0, 0, 50, 50}, {120, 20, 180, 80}};
    static const int sizes[4][2] = {{160, 120}, {90, 200}, {300, 120}, {200, 200}};
    for (int i = 0; i < 4; i++) {
        paint(&scenes[i], sizes[i][0], sizes[i][1], edges[i], i);
    }
}

static void free_four(struct scene scenes[4])
{
    for (int i = 0; i < 4; i++) {
        image_free(&scenes[i].image);
    }
}

static struct tensor new_tensor(int w, int h, int c)
{
    struct tensor t = {.n = 2, .h = h, .w = w, .c = c, .stride = (size_t)c};
    t.data = mem_alloc(tensor_pixels(&t), (size_t)c * sizeof(float));
    for (size_t i = 0; i < tensor_pixels(&t) * (size_t)c; i++) {
        t.data[i] = NAN; /* what is not written shows */
    }
    return t;
}

/* Make image 1 of the tensor; returns how many pictures it took, 0 without success. */
static int make(const struct augment_options *options, const struct scene *scenes, uint64_t seed,
                const struct tensor *t, struct truth_list *truths)
{
    struct augment_scratch scratch = {0};
    struct augment_job job = {.options = options,
                              .output = t,
                              .image = 1,
                              .rng = rng_make(seed, 1, 2),
                              .scratch = &scratch,
                              .truths = truths};
    int pictures = augment_begin(&job);
    for (int i = 0; i < pictures; i++) {
        struct augment_labels labels = {&scenes[i].truth, NULL, 1};
        if (augment_add(&job, &scenes[i].image, &labels, &err) != OK) {
            return 0;
        }
    }
    augment_finish(&job);
    augment_scratch_free(&scratch);
    return pictures;
}

/* Bounds of the pixels of image 1 that have more than half of the class's colour. */
static int find_color(const struct tensor *t, int class_id, float bounds[4])
{
    int count = 0;
    bounds[0] = bounds[1] = 1e9f;
    bounds[2] = bounds[3] = -1;
    for (int y = 0; y < t->h; y++) {
        for (int x = 0; x < t->w; x++) {
            const float *p = tensor_at(t, 1, y, x);
            bool is_it = true;
            for (int k = 0; k < 3; k++) {
                float middle = (64 / 255.0f + class_color[class_id][k]) / 2;
                is_it = is_it && (class_color[class_id][k] > 0 ? p[k] > middle : p[k] < middle);
            }
            if (is_it) {
                count++;
                bounds[0] = fminf(bounds[0], (float)x);
                bounds[1] = fminf(bounds[1], (float)y);
                bounds[2] = fmaxf(bounds[2], (float)(x + 1));
                bounds[3] = fmaxf(bounds[3], (float)(y + 1));
            }
        }
    }
    return count;
}

static bool all_in_unit(const struct tensor *t)
{
    const float *p = tensor_at(t, 1, 0, 0);
    for (int i = 0; i < t->h * t->w * t->c; i++) {
        if (!(p[i] >= 0 && p[i] <= 1)) {
            return false;
        }
    }
    return true;
}

static void edges_px(const struct tensor *t, const struct box_cxcywh_norm *b, float edges[4])
{
    edges[0] = (b->cx - b->w / 2) * (float)t->w;
    edges[1] = (b->cy - b->h / 2) * (float)t->h;
    edges[2] = (b->cx + b->w / 2) * (float)t->w;
    edges[3] = (b->cy + b->h / 2) * (float)t->h;
}

/* Every truth bounds its colour; a colour without truth is all but gone. Two thirds of a picture
 * are bounded by rounding alone; enlarging it blurs an edge over as many pixels as one source pixel
 * takes. */
static bool boxes_fit(const struct tensor *t, const struct truth_list *truths, int pictures)
{
    const float slack = 1.01f;
    for (int c = 0; c < pictures; c++) {
        const struct truth *truth = NULL;
        for (size_t i = 0; i < truths->count; i++) {
            truth = truths->items[i].class_id == c ? &truths->items[i] : truth;
        }
        float bounds[4];
        int count = find_color(t, c, bounds);
        if (!truth) {
            if (count > 0 && bounds[2] - bounds[0] > 2 && bounds[3] - bounds[1] > 2) {
                printf("    class %d has %d pixels and no box\n", c, count);
                return false;
            }
            continue;
        }
        float edges[4];
        edges_px(t, &truth->box, edges);
        bool small = edges[2] - edges[0] < 3 || edges[3] - edges[1] < 3;
        for (int k = 0; k < 4 && !(count == 0 && small); k++) {
            if (!(fabsf(edges[k] - bounds[k]) <= slack)) {
                printf("    class %d edge %d: box %g, pixels %g\n", c, k, (double)edges[k],
                       (double)bounds[k]);
                return false;
            }
        }
    }
    return true;
}

/* ---- boxes follow pixels ---- */

static void test_boxes_follow(void)
{
    static const struct augment_options table[] = {
        {.saturation = 1, .exposure = 1},
        {.saturation = 1, .exposure = 1, .flip = true},
        {.saturation = 1, .exposure = 1, .jitter = 0.3f},
        {.saturation = 1, .exposure = 1, .resize = 1.5f, .jitter = 0.2f, .flip = true},
        {.saturation = 1, .exposure = 1, .resize = 0.7f, .jitter = 0.1f},
        {.saturation = 1, .exposure = 1, .letter_box = true},
        {.saturation = 1, .exposure = 1, .letter_box = true, .jitter = 0.3f, .flip = true},
        {.saturation = 1, .exposure = 1, .mosaic = true},
        {.saturation = 1,
         .exposure = 1,
         .mosaic = true,
         .jitter = 0.3f,
         .resize = 1.5f,
         .flip = true},
        {.saturation = 1,
         .exposure = 1,
         .mosaic = true,
         .letter_box = true,
         .jitter = 0.2f,
         .resize = 1.3f,
         .flip = true},
    };
    struct scene scenes[4];
    paint_four(scenes);
    struct truth_list truths = {0};
    int mosaics = 0;
    int boxes = 0;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        for (uint64_t seed = 0; seed < 150; seed++) {
            struct tensor t = new_tensor(seed % 2 ? 160 : 96, seed % 3 ? 128 : 192, 3);
            int pictures =
                make(&table[i], scenes + (table[i].mosaic ? 0 : seed % 4), seed, &t, &truths);
            CHECK(pictures == 1 || (table[i].mosaic && pictures == 4));
            CHECK_MSG(all_in_unit(&t), "options %zu seed %d", i, (int)seed);
            if (pictures == 4) {
                mosaics++;
                CHECK_MSG(boxes_fit(&t, &truths, 4), "options %zu seed %d", i, (int)seed);
            } else if (!table[i].mosaic) {
                /* One picture: its class is its number. */
                float bounds[4];
                float edges[4];
                int count = find_color(&t, (int)(seed % 4), bounds);
                CHECK_MSG(truths.count == 1 || count < 200, "options %zu seed %d: %d pixels", i,
                          (int)seed, count);
                if (truths.count == 1 && count > 20) {
                    edges_px(&t, &truths.items[0].box, edges);
                    for (int k = 0; k < 4; k++) {
                        CHECK_MSG(fabsf(edges[k] - bounds[k]) <= 1.01f, "options %zu seed %d", i,
                                  (int)seed);
                    }
                }
            }
            boxes += (int)truths.count;
            mem_free(t.data);
        }
    }
    CHECK_MSG(mosaics > 150 && boxes > 1000, "%d mosaics, %d boxes", mosaics, boxes);
    mem_free(truths.items);
    free_four(scenes);
}

/* With letter_box squares stay squares, in a mosaic, too (unless an edge cuts them). */
static void test_letterbox_aspect(void)
{
    const struct augment_options options = {.saturation = 1,
                                            .exposure = 1,
                                            .mosaic = true,
                                            .letter_box = true,
                                            .jitter = 0.2f,
                                            .flip = true};
    struct scene scenes[4];
    paint_four(scenes);
    struct truth_list truths = {0};
    int whole = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct tensor t = new_tensor(160, 96, 3);
        int pictures = make(&options, scenes, seed, &t, &truths);
        for (size_t i = 0; pictures == 4 && i < truths.count; i++) {
            float w = truths.items[i].box.w * 160;
            float h = truths.items[i].box.h * 96;
            whole += fabsf(w - h) < 0.01f;
        }
        mem_free(t.data);
    }
    CHECK_MSG(whole > 40, "%d whole squares", whole);
    mem_free(truths.items);
    free_four(scenes);
}

/* letter_box alone: the whole picture in the middle. */
static void test_letterbox_centre(void)
{
    const struct augment_options options = {.saturation = 1, .exposure = 1, .letter_box = true};
    static const int sizes[3][2] = {{200, 50}, {50, 200}, {160, 96}};
    struct truth_list truths = {0};
    for (int i = 0; i < 3; i++) {
        int w = sizes[i][0];
        int h = sizes[i][1];
        struct scene scene;
        paint(&scene, w, h, (const int[]){0, 0, w, h}, 0);
        struct tensor t = new_tensor(160, 96, 3);
        CHECK(make(&options, &scene, 1, &t, &truths) == 1 && truths.count == 1);
        double scale = fmin(160.0 / w, 96.0 / h);
        CHECK_NEAR(truths.items[0].box.cx, 0.5, 1e-5);
        CHECK_NEAR(truths.items[0].box.cy, 0.5, 1e-5);
        CHECK_NEAR(truths.items[0].box.w * 160, w * scale, 1e-3);
        CHECK_NEAR(truths.items[0].box.h * 96, h * scale, 1e-3);
        mem_free(t.data);
        image_free(&scene.image);
    }
    mem_free(truths.items);
}

/* A plain mosaic: each tile shows the opposite corner of its picture. */
static void test_mosaic_tiles(void)
{
    const struct augment_options options = {.saturation = 1, .exposure = 1, .mosaic = true};
    struct scene scenes[4];
    for (int i = 0; i < 4; i++) {
        paint(&scenes[i], 100, 80, (const int[]){0, 0, 100, 80}, i);
        for (int k = 0; k < 100 * 80; k++) { /* a pixel tells where it is from */
            scenes[i].image.rgb[3 * k] = (unsigned char)(k % 100);
            scenes[i].image.rgb[3 * k + 1] = (unsigned char)(k / 100);
            scenes[i].image.rgb[3 * k + 2] = (unsigned char)i;
        }
    }
    struct truth_list truths = {0};
    int mosaics = 0;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct tensor t = new_tensor(100, 80, 3);
        bool is_mosaic = make(&options, scenes, seed, &t, &truths) == 4;
        int cut_x = 0;
        int cut_y = 0;
        while (is_mosaic && cut_x < 100 && tensor_at(&t, 1, 0, cut_x)[2] < 0.5f / 255) {
            cut_x++;
        }
        while (is_mosaic && cut_y < 80 && tensor_at(&t, 1, cut_y, 0)[2] < 0.5f / 255) {
            cut_y++;
        }
        for (int i = 0; is_mosaic && i < 100 * 80; i++) {
            int x = i % 100;
            int y = i / 100;
            const float *p = tensor_at(&t, 1, y, x);
            CHECK_NEAR(p[0] * 255, x < cut_x ? x + 100 - cut_x : x - cut_x, 1e-2);
            CHECK_NEAR(p[1] * 255, y < cut_y ? y + 80 - cut_y : y - cut_y, 1e-2);
            CHECK_NEAR(p[2] * 255, (x >= cut_x) + 2 * (y >= cut_y), 1e-2);
        }
        if (is_mosaic) {
            mosaics++;
            CHECK(cut_x >= 20 && cut_x < 80 && cut_y >= 16 && cut_y < 64);
        }
        mem_free(t.data);
    }
    CHECK(mosaics > 4);
    mem_free(truths.items);
    for (int i = 0; i < 4; i++) {
        image_free(&scenes[i].image);
    }
}

/* Narrow pictures with letter_box: tiles move inwards over the padding, so that each shows its
 * picture whole; about half of them stand in the tile's outer corner, mirrored or not. */
static void test_mosaic_padding(void)
{
    const struct augment_options options = {
        .saturation = 1, .exposure = 1, .mosaic = true, .letter_box = true, .flip = true};
    struct scene scene;
    paint(&scene, 32, 128, (const int[]){0, 0, 32, 128}, 0);
    struct truth labels_of[2] = {scene.truth, {{0.25f, 0.5f, 0.5f, 1}, 1}}; /* whole, left half */
    const struct augment_labels labels = {labels_of, NULL, 2};
    struct tensor t = new_tensor(128, 128, 3);
    struct truth_list truths = {0};
    struct augment_scratch scratch = {0};
    int outer[2] = {0, 0};
    int whole[2] = {0, 0};
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct augment_job job = {.options = &options,
                                  .output = &t,
                                  .rng = rng_make(seed, 0, 0),
                                  .scratch = &scratch,
                                  .truths = &truths};
        if (augment_begin(&job) != 4 || job.cut_x < 33 || job.cut_x > 95) {
            continue;
        }
        for (size_t i = 0; i < 4; i++) {
            CHECK_OK(augment_add(&job, &scene.image, &labels, &err));
            CHECK(truths.count == 2 * i + 2);
            const struct box_cxcywh_norm *box = &truths.items[2 * i].box;
            CHECK_NEAR(box->w * 128, 32, 1e-3);
            int flipped = truths.items[2 * i + 1].box.cx > box->cx;
            float edge = (i % 2 ? 1 - box->cx - box->w / 2 : box->cx - box->w / 2) * 128;
            whole[flipped]++;
            outer[flipped] += fabsf(edge) < 1e-3f;
        }
    }
    for (int i = 0; i < 2; i++) {
        CHECK_MSG(whole[i] > 50 && 3 * outer[i] > whole[i] && 3 * outer[i] < 2 * whole[i],
                  "%d of %d", outer[i], whole[i]);
    }
    augment_scratch_free(&scratch);
    mem_free(truths.items);
    mem_free(t.data);
    image_free(&scene.image);
}

/* Without any option a picture of the input's size arrives as it is. */
static void test_identity(void)
{
    const struct augment_options options = {.saturation = 1, .exposure = 1, .resize = 1};
    struct scene scene;
    paint(&scene, 40, 30, (const int[]){3, 4, 20, 25}, 2);
    unsigned state = 3;
    for (int i = 0; i < 40 * 30 * 3; i++) {
        scene.image.rgb[i] = (unsigned char)(int)(128 + 127 * test_noise(&state));
    }
    struct tensor t = new_tensor(40, 30, 3);
    struct truth_list truths = {0};
    CHECK(make(&options, &scene, 9, &t, &truths) == 1);
    const float *out = tensor_at(&t, 1, 0, 0);
    for (int i = 0; i < 40 * 30 * 3; i++) {
        CHECK_NEAR(out[i], scene.image.rgb[i] / 255.0, 1e-5);
    }
    CHECK(isnan(t.data[0])); /* the other image is not touched */
    CHECK(truths.count == 1);
    CHECK_NEAR(truths.items[0].box.cx, scene.truth.box.cx, 1e-6);
    CHECK_NEAR(truths.items[0].box.h, scene.truth.box.h, 1e-6);
    mem_free(truths.items);
    mem_free(t.data);
    image_free(&scene.image);
}

/* Bilinear with centres at half integers, against the formula in double; one channel as well. */
static void test_sampling(void)
{
    struct image image;
    CHECK_OK(image_new(13, 7, &image, &err));
    unsigned state = 8;
    for (int i = 0; i < 13 * 7 * 3; i++) {
        image.rgb[i] = (unsigned char)(int)(128 + 127 * test_noise(&state));
    }
    const struct view view = {13, 7, 20, 18, 2.3f, -1.4f, 9.5f, 7.7f, true};
    const struct region region = {3, 2, 11, 13, 5, 4};
    const struct distortion none = {0, 1, 1};
    float *scratch = mem_alloc(view_scratch(&view, &region), sizeof(float));
    for (int c = 1; c <= 3; c += 2) {
        struct tensor t = new_tensor(20, 18, c);
        view_render(&view, &region, &image, &none, &t, 1, scratch);
        for (int y = 0; y < 13; y++) {
            for (int x = 0; x < 11; x++) {
                double sx = 2.3 + (20 - 1 - (5 + x) + 0.5) * 9.5 / 20 - 0.5;
                double sy = -1.4 + (4 + y + 0.5) * 7.7 / 18 - 0.5;
                if (sx < -0.5 || sx >= 12.5 || sy < -0.5 || sy >= 6.5) {
                    continue;
                }
                sx = fmin(fmax(sx, 0), 12);
                sy = fmin(fmax(sy, 0), 6);
                int x0 = (int)fmin(sx, 11);
                int y0 = (int)fmin(sy, 5);
                double v[3];
                for (int k = 0; k < 3; k++) {
                    const unsigned char *p = image.rgb + (y0 * 13 + x0) * 3 + k;
                    double top = p[0] + (sx - x0) * (p[3] - p[0]);
                    double bottom = p[39] + (sx - x0) * (p[42] - p[39]);
                    v[k] = (top + (sy - y0) * (bottom - top)) / 255;
                }
                v[0] = c == 3 ? v[0] : (77 * v[0] + 150 * v[1] + 29 * v[2]) / 256;
                const float *out = tensor_at(&t, 1, 2 + y, 3 + x);
                for (int k = 0; k < c; k++) {
                    CHECK_NEAR(out[k], v[k], 1e-5);
                }
            }
        }
        CHECK(isnan(tensor_at(&t, 1, 2, 2)[0]) && isnan(tensor_at(&t, 1, 2, 14)[0]));
        CHECK(isnan(tensor_at(&t, 1, 1, 3)[0]) && isnan(tensor_at(&t, 1, 15, 3)[0]));
        mem_free(t.data);
    }
    mem_free(scratch);
    image_free(&image);
}

/* Tiny pictures and inputs: nothing is read or written outside (for the sanitizers). */
static void test_small(void)
{
    const struct augment_options options = {.saturation = 2,
                                            .exposure = 2,
                                            .hue = 0.5f,
                                            .mosaic = true,
                                            .letter_box = true,
                                            .jitter = 0.9f,
                                            .resize = 3,
                                            .flip = true,
                                            .blur = 5,
                                            .gaussian_noise = 20};
    struct truth_list truths = {0};
    for (int side = 1; side < 5; side++) {
        for (uint64_t seed = 0; seed < 100; seed++) {
            struct scene scenes[4];
            for (int i = 0; i < 4; i++) {
                paint(&scenes[i], 1 + i % 2 * side, 1 + (int)(seed % 3), (const int[]){0, 0, 1, 1},
                      i);
            }
            struct tensor t = new_tensor(side, 1 + (int)(seed % 4), seed % 2 ? 1 : 3);
            CHECK(make(&options, scenes, seed, &t, &truths) > 0);
            CHECK(all_in_unit(&t));
            mem_free(t.data);
            free_four(scenes);
        }
    }
    mem_free(truths.items);
}

/* ---- what stays and what goes ---- */

static void test_dropping(void)
{
    const struct view view = {100, 100, 50, 50, 0, 0, 100, 100, false};
    const struct region left = {0, 0, 20, 50, 10, 0}; /* shows input columns 10 to 30 of the view */
    struct box_cxcywh_norm out;
    struct box_cxcywh_norm box = {0.4f, 0.5f, 0.2f, 0.2f}; /* columns 15 to 25 */
    CHECK(view_box(&view, &left, &box, &out));
    CHECK_NEAR(out.cx * 50, 10, 1e-4);
    CHECK_NEAR(out.w * 50, 10, 1e-4);
    box = (struct box_cxcywh_norm){0.6f, 0.5f, 0.2f, 0.2f}; /* 25 to 35: cut at 30 */
    CHECK(view_box(&view, &left, &box, &out));
    CHECK_NEAR(out.cx * 50, 17.5, 1e-4);
    CHECK_NEAR(out.w * 50, 5, 1e-4);
    box = (struct box_cxcywh_norm){0.8f, 0.5f, 0.2f, 0.2f}; /* under another tile */
    CHECK(!view_box(&view, &left, &box, &out));
    box = (struct box_cxcywh_norm){0.4f, 0.5f, 0.019f, 0.2f}; /* less than a pixel */
    CHECK(!view_box(&view, &left, &box, &out));
    box = (struct box_cxcywh_norm){0.4f, 0.5f, 0.021f, 0.2f};
    CHECK(view_box(&view, &left, &box, &out));
}

static void test_limit_and_crowds(void)
{
    struct augment_options options = {.saturation = 1, .exposure = 1, .max_truths = 5};
    struct scene scene;
    paint(&scene, 40, 30, (const int[]){3, 4, 20, 25}, 2);
    struct truth many[20];
    bool crowd[20] = {false};
    for (int i = 0; i < 20; i++) {
        many[i] = scene.truth;
        many[i].class_id = i;
        crowd[i] = i % 2 == 0;
    }
    struct tensor t = new_tensor(40, 30, 3);
    struct augment_scratch scratch = {0};
    struct truth_list truths = {0};
    int seen[20] = {0};
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct augment_job job = {.options = &options,
                                  .output = &t,
                                  .rng = rng_make(seed, 0, 0),
                                  .scratch = &scratch,
                                  .truths = &truths};
        struct augment_labels labels = {many, crowd, 20};
        CHECK(augment_begin(&job) == 1);
        CHECK_OK(augment_add(&job, &scene.image, &labels, &err));
        augment_finish(&job);
        CHECK(truths.count == 5);
        for (int i = 0; i < 5; i++) {
            seen[truths.items[i].class_id]++;
        }
    }
    for (int i = 0; i < 20; i++) {
        CHECK_MSG((seen[i] > 0) == (i % 2 == 1), "truth %d was kept %d times", i, seen[i]);
    }
    augment_scratch_free(&scratch);
    mem_free(truths.items);
    mem_free(t.data);
    image_free(&scene.image);
}

static void test_mixup(void)
{
    const struct augment_options options = {.saturation = 1, .exposure = 1, .mixup = true};
    struct scene scenes[2];
    paint(&scenes[0], 32, 32, (const int[]){0, 0, 32, 32}, 0);
    paint(&scenes[1], 32, 32, (const int[]){0, 0, 32, 32}, 1);
    struct truth_list truths = {0};
    int mixed = 0;
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct tensor t = new_tensor(32, 32, 3);
        int pictures = make(&options, scenes, seed, &t, &truths);
        CHECK(truths.count == (size_t)pictures);
        const float *p = tensor_at(&t, 1, 7, 9);
        if (pictures == 2) {
            mixed++;
            CHECK_NEAR(p[0], 0.5, 1e-6);
            CHECK_NEAR(p[1], 0.5, 1e-6);
            CHECK(truths.items[0].class_id != truths.items[1].class_id);
        } else {
            CHECK_NEAR(p[0], 1, 1e-6);
        }
        mem_free(t.data);
    }
    CHECK_MSG(mixed > 10 && mixed < 30, "%d of 40", mixed);
    for (int i = 0; i < 2; i++) {
        image_free(&scenes[i].image);
    }
    mem_free(truths.items);
}

static void test_none(void)
{
    struct augment_options options = {.is_off = true, .letter_box = true};
    struct scene scene;
    paint(&scene, 200, 100, (const int[]){50, 20, 150, 60}, 3);
    struct truth labels_of[2] = {scene.truth, {{0.5f, 0.5f, 0.001f, 0.5f}, 1}};
    struct augment_labels labels = {labels_of, NULL, 2};
    struct tensor t = new_tensor(64, 64, 3);
    struct tensor expected = new_tensor(64, 64, 3);
    struct truth_list truths = {0};
    struct image_fit fit;
    CHECK_OK(augment_none(&options, &scene.image, &labels, &t, 1, &truths, &fit, &err));
    CHECK(fit.inner_h == 32 && fit.offset_y == 16);
    CHECK(truths.count == 1 && boxes_fit(&t, &truths, 4));
    float edges[4];
    edges_px(&t, &truths.items[0].box, edges);
    CHECK_NEAR(edges[0], 16, 1e-4);
    CHECK_NEAR(edges[1], 16 + 6.4, 1e-4);
    CHECK_NEAR(edges[3], 16 + 19.2, 1e-4);
    CHECK_OK(image_to_input(&scene.image, IMAGE_LETTERBOX, &expected, 1, &fit, &err));
    CHECK(memcmp(tensor_at(&t, 1, 0, 0), tensor_at(&expected, 1, 0, 0), 64 * 64 * 12) == 0);
    mem_free(truths.items);
    mem_free(t.data);
    mem_free(expected.data);
    image_free(&scene.image);
}

/* ---- blur ---- */

static void test_blur_follows_objects(void)
{
    /* Small objects forbid a wide kernel: 14 pixels bear 14 / 8, less than the smallest kernel. */
    const struct augment_options options = {.saturation = 1, .exposure = 1, .blur = 20};
    struct scene scene;
    paint(&scene, 64, 64, (const int[]){24, 24, 38, 38}, 0);
    struct truth_list truths = {0};
    int blurred = 0;
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct tensor t = new_tensor(64, 64, 3);
        CHECK(make(&options, &scene, seed, &t, &truths) == 1);
        CHECK_NEAR(tensor_at(&t, 1, 24, 24)[0], 1, 1e-5);
        blurred += tensor_at(&t, 1, 23, 30)[0] > 0.3f;
        mem_free(t.data);
    }
    CHECK_MSG(blurred > 8 && blurred <= 60, "%d of 60", blurred); /* a third or two */
    mem_free(truths.items);
    image_free(&scene.image);
}

static const struct test_case cases[] = {
    {"boxes_follow", test_boxes_follow},
    {"letterbox_aspect", test_letterbox_aspect},
    {"letterbox_centre", test_letterbox_centre},
    {"mosaic_tiles", test_mosaic_tiles},
    {"mosaic_padding", test_mosaic_padding},
    {"identity", test_identity},
    {"sampling", test_sampling},
    {"small", test_small},
    {"dropping", test_dropping},
    {"limit_and_crowds", test_limit_and_crowds},
    {"mixup", test_mixup},
    {"none", test_none},
    {"blur_follows_objects", test_blur_follows_objects},
};
TEST_MAIN(cases)
