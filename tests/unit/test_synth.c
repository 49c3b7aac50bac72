/* Synthetic pictures: same bytes for any number of threads, boxes that are exact, labels worth
 * learning. */
#include <stdint.h>

#include "base/memory.h"
#include "base/parallel.h"
#include "cfg/data_file.h"
#include "data/dataset.h"
#include "data/image.h"
#include "synth/models.h"
#include "synth/scene.h"
#include "synth/synth.h"
#include "test.h"

enum { W = 160, H = 120, PICTURES = 24 };

static uint64_t hash_bytes(uint64_t hash, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    }
    return hash;
}

struct series {
    const struct textures *textures;
    uint64_t seed;
    enum synth_set set;
    enum synth_backgrounds backgrounds;
    uint64_t hashes[PICTURES];
    bool failed[PICTURES];
};

static void render_one(void *ctx, size_t item, int thread)
{
    (void)thread;
    struct series *series = ctx;
    struct synth_request request = {series->set, series->seed, 0, item, W, H, series->backgrounds};
    struct synth_picture picture;
    struct error err;
    series->failed[item] = synth_render(series->textures, &request, &picture, &err) != OK;
    if (series->failed[item]) {
        return;
    }
    uint64_t hash = hash_bytes(0xcbf29ce484222325u, picture.image.rgb, (size_t)W * H * 3);
    hash = hash_bytes(hash, picture.boxes, sizeof picture.boxes[0] * (size_t)picture.box_count);
    series->hashes[item] = hash_bytes(hash, picture.ids, (size_t)W * H);
    synth_picture_free(&picture);
}

/* Textures, too, are made anew with the given number of threads. */
static bool render_series(struct series *series, int threads)
{
    struct textures *textures;
    struct error err;
    parallel_set_threads(threads);
    if (textures_new(&textures, &err) != OK) {
        return false;
    }
    series->textures = textures;
    parallel_for(PICTURES, render_one, series);
    textures_free(textures);
    for (int i = 0; i < PICTURES; i++) {
        if (series->failed[i]) {
            return false;
        }
    }
    return true;
}

static void test_threads(void)
{
    for (int i = 0; i < 4; i++) {
        enum synth_set set = i < 2 ? SYNTH_BASE : SYNTH_TARGET;
        struct series one = {.seed = 1, .set = set}, three, other;
        one.backgrounds = i % 2 ? SYNTH_MIXED : SYNTH_ROOMS;
        three = one;
        other = one;
        other.seed = 2;
        CHECK(render_series(&one, 1));
        CHECK(render_series(&three, 3));
        CHECK(render_series(&other, 3));
        for (int k = 0; k < PICTURES; k++) {
            CHECK_MSG(one.hashes[k] == three.hashes[k], "series %d, picture %d", i, k);
            CHECK_MSG(one.hashes[k] != other.hashes[k], "series %d, picture %d", i, k);
            CHECK(k == 0 || one.hashes[k] != one.hashes[k - 1]);
        }
    }
}

/* The box of every number in the id buffer, found the slow way. */
static void check_boxes(const struct synth_picture *picture, int w, int h)
{
    for (int k = 0; k < picture->box_count; k++) {
        int x1 = w, y1 = h, x2 = 0, y2 = 0;
        for (int y = 0; y < h; y++) {
            for (int x = 0; x < w; x++) {
                int id = picture->ids[y * w + x];
                CHECK(id <= picture->box_count);
                if (id == k + 1) {
                    x1 = x < x1 ? x : x1;
                    y1 = y < y1 ? y : y1;
                    x2 = x + 1 > x2 ? x + 1 : x2;
                    y2 = y + 1 > y2 ? y + 1 : y2;
                }
            }
        }
        const struct synth_box *box = &picture->boxes[k];
        CHECK_MSG(box->x1 == x1 && box->y1 == y1 && box->x2 == x2 && box->y2 == y2,
                  "box %d: %d %d %d %d, pixels: %d %d %d %d", k, box->x1, box->y1, box->x2, box->y2,
                  x1, y1, x2, y2);
        CHECK(x1 >= 0 && y1 >= 0 && x2 <= w && y2 <= h);
        CHECK(x2 - x1 >= SYNTH_MIN_SIDE && y2 - y1 >= SYNTH_MIN_SIDE);
    }
}

static void test_boxes(void)
{
    struct textures *textures;
    struct error err;
    CHECK_OK(textures_new(&textures, &err));
    for (int set = SYNTH_BASE; set <= SYNTH_TARGET; set++) {
        int seen[16] = {0}, several = 0;
        for (int i = 0; i < 40; i++) {
            struct synth_request request = {(enum synth_set)set, 5, 1, (uint64_t)i, W, H,
                                            SYNTH_ROOMS};
            struct synth_picture picture;
            CHECK_OK(synth_render(textures, &request, &picture, &err));
            check_boxes(&picture, W, H);
            if (test_failed) {
                return;
            }
            several += picture.box_count > 3;
            for (int k = 0; k < picture.box_count; k++) {
                int class_id = picture.boxes[k].class_id;
                CHECK(class_id >= 0 && class_id < SYNTH_CLASSES);
                seen[class_id]++;
            }
            synth_picture_free(&picture);
        }
        for (int k = 0; k < SYNTH_CLASSES; k++) {
            CHECK_MSG(seen[k] > 0, "no %s", synth_class_name((enum synth_set)set, k));
        }
        CHECK(several > 5);
    }
    textures_free(textures);
}

/* Mean squared difference of the green of pixels `step` apart in a row. */
static double difference_at(const struct image *image, int step)
{
    double sum = 0;
    for (int y = 0; y < image->h; y++) {
        for (int x = 0; x + step < image->w; x++) {
            size_t at = ((size_t)y * (size_t)image->w + (size_t)x) * 3 + 1;
            double difference = image->rgb[at] - image->rgb[at + 3 * (size_t)step];
            sum += difference * difference;
        }
    }
    return sum / ((double)image->h * (image->w - step));
}

/* Photographs have nothing on them, are of all kinds, and their differences grow slowly with the
 * distance, as where amplitudes fall as 1/f: neither noise (no growth) nor a gradient (as its
 * square). */
static void test_photos(void)
{
    struct textures *textures;
    struct error err;
    CHECK_OK(textures_new(&textures, &err));
    double near = 0, far = 0, lowest = 1e9, highest = 0;
    for (int i = 0; i < 40; i++) {
        struct synth_request request = {SYNTH_BASE, 3, 0, (uint64_t)i, W, H, SYNTH_PHOTOS};
        struct synth_picture picture;
        CHECK_OK(synth_render(textures, &request, &picture, &err));
        CHECK(picture.box_count == 0);
        for (int k = 0; k < W * H; k++) {
            CHECK(picture.ids[k] == 0);
        }
        double one = difference_at(&picture.image, 1);
        near += one;
        far += difference_at(&picture.image, 16);
        lowest = one < lowest ? one : lowest;
        highest = one > highest ? one : highest;
        synth_picture_free(&picture);
    }
    CHECK_MSG(far / near > 2 && far / near < 16, "growth %g", far / near);
    CHECK_MSG(lowest < 60 && highest > 600, "smooth %g, busy %g", lowest, highest);
    textures_free(textures);
}

/* A share of mixed pictures is empty; the others' boxes are exact. */
static void test_mixed(void)
{
    struct textures *textures;
    struct error err;
    CHECK_OK(textures_new(&textures, &err));
    int empty = 0;
    for (int i = 0; i < 60; i++) {
        struct synth_request request = {SYNTH_BASE, 4, 0, (uint64_t)i, W, H, SYNTH_MIXED};
        struct synth_picture picture;
        CHECK_OK(synth_render(textures, &request, &picture, &err));
        check_boxes(&picture, W, H);
        empty += picture.box_count == 0;
        synth_picture_free(&picture);
    }
    CHECK_MSG(empty > 10 && empty < 35, "%d of 60 empty", empty);
    textures_free(textures);
}

/* Half the mixed pictures are rooms, and in all of them more cones lie. */
static void test_mixed_scenes(void)
{
    int rooms = 0, lying[2] = {0}, cones[2] = {0};
    struct scene *scene = mem_alloc(1, sizeof *scene);
    CHECK(scene);
    for (int i = 0; i < 4000; i++) {
        bool is_mixed = i % 2 == 1;
        struct synth_request request = {SYNTH_BASE, 4, 0, (uint64_t)i, W, H, SYNTH_ROOMS};
        request.backgrounds = is_mixed ? SYNTH_MIXED : SYNTH_ROOMS;
        scene_make(&request, scene);
        rooms += is_mixed && !scene->is_painted;
        CHECK(is_mixed || (!scene->is_painted && scene->object_count > 0));
        for (int k = 0; k < scene->object_count; k++) {
            bool is_cone = scene->objects[k].class_id == 3;
            cones[is_mixed] += is_cone;
            lying[is_mixed] += is_cone && scene->objects[k].axes[2].z < 0.9f;
        }
    }
    mem_free(scene);
    CHECK_MSG(rooms > 900 && rooms < 1100, "%d of 2000 are rooms", rooms);
    double before = (double)lying[0] / cones[0], after = (double)lying[1] / cones[1];
    CHECK_MSG(after > 1.1 * before, "share of lying cones %g, %g", before, after);
}

/* A lone sphere's pixels are those whose rays pass its middle within its radius. */
static void test_sphere_projection(void)
{
    struct textures *textures;
    struct error err;
    CHECK_OK(textures_new(&textures, &err));
    int checked = 0;
    for (uint64_t i = 0; i < 400; i++) {
        struct synth_request request = {SYNTH_BASE, 9, 0, i, W, H, SYNTH_ROOMS};
        struct scene *scene = mem_alloc(1, sizeof *scene);
        CHECK(scene);
        scene_make(&request, scene);
        const struct object *object = &scene->objects[0];
        if (scene->object_count > 1 || object->class_id != 0) {
            mem_free(scene);
            continue;
        }
        struct synth_picture picture;
        CHECK_OK(synth_render(textures, &request, &picture, &err));
        if (picture.box_count == 1) {
            for (int y = 0; y < H; y++) {
                for (int x = 0; x < W; x++) {
                    struct vec3 d = camera_ray(&scene->camera, (float)x + 0.5f, (float)y + 0.5f);
                    struct vec3 to = vec_sub(object->bound_center, scene->camera.eye);
                    float off = vec_length(vec_cross(to, d)) / object->parts[0].radius;
                    if (fabsf(off - 1) > 1e-3f) {
                        CHECK((off < 1) == (picture.ids[y * W + x] == 1));
                    }
                }
            }
            checked++;
        }
        synth_picture_free(&picture);
        mem_free(scene);
    }
    textures_free(textures);
    CHECK(checked > 2);
}

/* Rays against each class from all sides: hits lie in the bounds, normals are unit vectors that
 * face the ray, and a second ray from just before the hit finds the same point. */
static void test_shapes(void)
{
    struct rng rng = rng_make(3, 0, 0);
    for (int item = 0; item < 200; item++) {
        enum synth_set set = item & 1 ? SYNTH_TARGET : SYNTH_BASE;
        struct object *object = mem_alloc(1, sizeof *object);
        CHECK(object);
        model_make(set, item / 2 % 5, 0.7f, &rng, object);
        CHECK(object->bound > 0.3f && object->bound < 3 && object->footprint > 0);
        int hits = 0;
        for (int i = 0; i < 300; i++) {
            struct vec3 from = {rng_normal(&rng), rng_normal(&rng), rng_normal(&rng)};
            from = vec_along(object->bound_center, vec_unit(from), 6);
            struct vec3 at = {rng_uniform(&rng, -1, 1), rng_uniform(&rng, -1, 1),
                              rng_uniform(&rng, -1, 1)};
            at = vec_along(object->bound_center, at, object->bound * 0.6f);
            struct vec3 d = vec_unit(vec_sub(at, from));
            struct contact contact = {.t = 100}, again = {.t = 100};
            if (!object_hit(object, from, d, 1e-3f, &contact)) {
                continue;
            }
            hits++;
            struct vec3 point = vec_along(from, d, contact.t);
            float out = vec_length(vec_sub(point, object->bound_center)) - object->bound;
            CHECK_MSG(out <= 0.01f, "class %d, %g beyond its bounds", object->class_id,
                      (double)out);
            CHECK_MSG(point.z > -0.02f, "class %d at height %g", object->class_id, (double)point.z);
            struct surface surface;
            object_surface(object, point, d, &contact, &surface);
            CHECK_NEAR(vec_length(surface.normal), 1, 1e-3);
            CHECK(vec_dot(surface.normal, d) <= 0);
            CHECK(surface.material >= 0 && surface.material < OBJECT_MAX_MATERIALS);
            from = vec_along(from, d, contact.t - 0.05f);
            CHECK(object_hit(object, from, d, 1e-3f, &again));
            CHECK_NEAR(again.t, 0.05, 0.01);
        }
        CHECK_MSG(hits > 30, "class %d: %d of 300 rays hit", object->class_id, hits);
        mem_free(object);
    }
}

static void test_textures(void)
{
    struct textures *textures;
    struct error err;
    CHECK_OK(textures_new(&textures, &err));
    for (int i = 0; i < TEXTURE_COUNT; i++) {
        float low = 1, high = 0;
        for (int k = 0; k < 2000; k++) {
            float u = (float)k * 0.0137f - 7, v = (float)k * -0.0071f + 3;
            float value = texture_at(textures, (enum texture)i, u, v, 0);
            CHECK(value >= 0 && value <= 1);
            CHECK_NEAR(texture_at(textures, (enum texture)i, u + 3, v - 5, 0), value, 0.05);
            low = value < low ? value : low;
            high = value > high ? value : high;
        }
        CHECK_MSG(i == TEXTURE_PLAIN || high - low > 0.25f, "texture %d", i);
        /* Far away everything is the mean. */
        float mean = texture_at(textures, (enum texture)i, 0.3f, 0.3f, 10);
        CHECK_NEAR(texture_at(textures, (enum texture)i, 0.8f, 0.1f, 10), mean, 1e-6);
        CHECK(i == TEXTURE_PLAIN || (mean > 0.03f && mean < 0.97f));
        CHECK(texture_at(textures, (enum texture)i, NAN, 1e30f, NAN) >= 0);
    }
    textures_free(textures);
}

static void test_refusals(void)
{
    struct textures *textures;
    struct error err;
    struct synth_picture picture;
    CHECK_OK(textures_new(&textures, &err));
    struct synth_request request = {SYNTH_BASE, 1, 0, 0, SYNTH_SIZE_MIN - 1, 100, SYNTH_PHOTOS};
    CHECK(synth_render(textures, &request, &picture, &err) == ERR_ARG);
    request.w = 64;
    request.h = SYNTH_SIZE_MAX + 1;
    CHECK(synth_render(textures, &request, &picture, &err) == ERR_ARG);
    request.h = 64;
    for (long k = 0;; k++) {
        mem_fail_after(k);
        enum result result = synth_render(textures, &request, &picture, &err);
        mem_fail_after(-1);
        if (result == OK) {
            CHECK(k >= 6);
            synth_picture_free(&picture);
            break;
        }
        CHECK(result == ERR_MEMORY && !picture.ids && !picture.image.rgb);
    }
    textures_free(textures);
    for (long k = 0; k < 2; k++) {
        mem_fail_after(k);
        enum result result = textures_new(&textures, &err);
        mem_fail_after(-1);
        CHECK(result == ERR_MEMORY);
    }
}

/* The set that lies in the repository is whole and without a fault. */
static void test_repository(void)
{
    struct error err;
    struct data_file file;
    CHECK_OK(data_file_read("data/tabletop/tabletop.data", &file, &err));
    CHECK(file.classes == SYNTH_CLASSES);
    const char *const lists[] = {file.train, file.valid};
    const size_t counts[] = {9, 3};
    size_t seen[5] = {0};
    for (int i = 0; i < 2; i++) {
        struct dataset_source source = {.path = lists[i], .class_count = 5};
        struct dataset set;
        CHECK_OK(dataset_open(&source, &set, &err));
        CHECK(set.sample_count == counts[i]);
        for (int k = 0; k < FAULT_COUNT; k++) {
            CHECK_MSG(set.faults[k] == 0, "%s: %s", lists[i],
                      label_fault_name((enum label_fault)k));
        }
        for (size_t k = 0; k < set.sample_count; k++) {
            struct image image;
            CHECK_OK(image_read(set.samples[k].image_path, &image, &err));
            CHECK(image.w == 416 && image.h == 416);
            CHECK(set.samples[k].truth_count > 0);
            for (size_t t = 0; t < set.samples[k].truth_count; t++) {
                seen[set.samples[k].truths[t].class_id]++;
            }
            image_free(&image);
        }
        dataset_free(&set);
    }
    for (int k = 0; k < 5; k++) {
        CHECK(seen[k] > 1);
    }
    data_file_free(&file);
}

static const struct test_case cases[] = {
    {"repository", test_repository},
    {"threads", test_threads},
    {"boxes", test_boxes},
    {"photos", test_photos},
    {"mixed", test_mixed},
    {"mixed scenes", test_mixed_scenes},
    {"sphere", test_sphere_projection},
    {"shapes", test_shapes},
    {"textures", test_textures},
    {"refusals", test_refusals},
};

TEST_MAIN(cases)
