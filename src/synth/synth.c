#include "synth/synth.h"

#include <stdbool.h>
#include <string.h>

#include "base/memory.h"
#include "synth/photo.h"
#include "synth/render.h"

static void canvas_free(struct canvas *canvas)
{
    mem_free(canvas->met);
    mem_free(canvas->light);
    mem_free(canvas->blurred);
    mem_free(canvas->paint);
    mem_free(canvas->scratch);
    mem_free(canvas->near);
    mem_free(canvas->seen);
    for (int i = 0; i < SCENE_MAX_LIGHTS; i++) {
        mem_free(canvas->shadow[i]);
    }
}

static enum result canvas_new(const struct scene *scene, struct canvas *canvas, struct error *err)
{
    size_t pixels = (size_t)scene->w * (size_t)scene->h;
    *canvas = (struct canvas){.w = scene->w, .h = scene->h};
    canvas->tiles_x = (scene->w + TILE - 1) / TILE;
    canvas->tiles_y = (scene->h + TILE - 1) / TILE;
    canvas->met = mem_alloc_raw(pixels, sizeof *canvas->met);
    canvas->light = mem_alloc_raw(pixels, sizeof *canvas->light);
    canvas->scratch = mem_alloc_raw(pixels, 1);
    size_t tiles = (size_t)canvas->tiles_x * (size_t)canvas->tiles_y;
    canvas->near = mem_alloc_raw(tiles, sizeof *canvas->near);
    canvas->seen = mem_alloc_raw(tiles, sizeof *canvas->seen);
    bool is_whole = canvas->met && canvas->light && canvas->scratch && canvas->near && canvas->seen;
    if (scene->development.blur > 0) {
        canvas->blurred = mem_alloc_raw(pixels, sizeof *canvas->blurred);
        is_whole = is_whole && canvas->blurred;
    }
    if (scene->is_painted) {
        canvas->paint = mem_alloc_raw(pixels, sizeof *canvas->paint);
        is_whole = is_whole && canvas->paint;
    }
    for (int i = 0; i < scene->light_count; i++) {
        if (scene->lights[i].has_shadow) {
            canvas->shadow[i] = mem_alloc_raw(pixels, 1);
            is_whole = is_whole && canvas->shadow[i];
        }
    }
    if (!is_whole) {
        canvas_free(canvas);
        return mem_error(err, "synthetic picture");
    }
    return OK;
}

static void grow_box(struct synth_box *box, int x, int y)
{
    box->x1 = x < box->x1 ? x : box->x1;
    box->y1 = y < box->y1 ? y : box->y1;
    box->x2 = x >= box->x2 ? x + 1 : box->x2;
    box->y2 = y >= box->y2 ? y + 1 : box->y2;
}

/* Labelled objects that show at all, numbered as the scene's objects are; their pixels into
 * picture->ids. */
static void find_boxes(const struct scene *scene, const struct canvas *canvas,
                       struct synth_picture *picture)
{
    int numbers[THING_OBJECT + SYNTH_MAX_OBJECTS] = {0};
    bool shows[THING_OBJECT + SYNTH_MAX_OBJECTS] = {false};
    size_t pixels = (size_t)scene->w * (size_t)scene->h;
    for (size_t i = 0; i < pixels; i++) {
        shows[canvas->met[i].thing] = true;
    }
    for (int i = 0; i < scene->object_count; i++) {
        if (shows[THING_OBJECT + i] && scene->objects[i].class_id >= 0) {
            picture->boxes[picture->box_count++] =
                (struct synth_box){scene->objects[i].class_id, scene->w, scene->h, 0, 0};
            numbers[THING_OBJECT + i] = picture->box_count;
        }
    }
    for (size_t i = 0; i < pixels; i++) {
        int number = numbers[canvas->met[i].thing];
        picture->ids[i] = (unsigned char)number;
        if (number > 0) {
            int x = (int)(i % (size_t)scene->w), y = (int)(i / (size_t)scene->w);
            grow_box(&picture->boxes[number - 1], x, y);
        }
    }
}

static enum result draw_scene(struct scene *scene, const struct textures *textures,
                              struct synth_picture *picture, struct error *err)
{
    struct canvas canvas;
    TRY(canvas_new(scene, &canvas, err));
    if (scene->is_painted) {
        photo_paint(textures, scene->w, scene->h, &scene->paint, canvas.paint);
    }
    visibility_find(scene, &canvas);
    shadow_find(scene, &canvas);
    shade_all(scene, textures, &canvas);
    if (scene->is_painted && scene->object_count == 0) { /* a photograph's own light is in it */
        memcpy(canvas.light, canvas.paint,
               (size_t)scene->w * (size_t)scene->h * sizeof *canvas.light);
    }
    develop(scene, &canvas, &picture->image);
    find_boxes(scene, &canvas, picture);
    canvas_free(&canvas);
    return OK;
}

enum result synth_render(const struct textures *textures, const struct synth_request *request,
                         struct synth_picture *picture, struct error *err)
{
    *picture = (struct synth_picture){0};
    int small = request->w < request->h ? request->w : request->h;
    int large = request->w > request->h ? request->w : request->h;
    if (small < SYNTH_SIZE_MIN || large > SYNTH_SIZE_MAX) {
        return error_set(err, ERR_ARG, "pictures of %d x %d: sides are from %d to %d", request->w,
                         request->h, SYNTH_SIZE_MIN, SYNTH_SIZE_MAX);
    }
    struct scene *scene = mem_alloc(1, sizeof *scene);
    if (!scene) {
        return mem_error(err, "synthetic scene");
    }
    scene_make(request, scene);
    enum result result = image_new(request->w, request->h, &picture->image, err);
    if (result == OK) {
        picture->ids = mem_alloc((size_t)request->w * (size_t)request->h, 1);
        result = picture->ids ? OK : mem_error(err, "synthetic picture");
    }
    if (result == OK) {
        result = draw_scene(scene, textures, picture, err);
    }
    if (result != OK) {
        synth_picture_free(picture);
    }
    mem_free(scene);
    return result;
}

void synth_picture_free(struct synth_picture *picture)
{
    image_free(&picture->image);
    mem_free(picture->ids);
    *picture = (struct synth_picture){0};
}
