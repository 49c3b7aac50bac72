#include <stdbool.h>
#include <stddef.h>

#include "synth/render.h"

static const float far_away = 1e6f;

static void meet_backdrop(const struct scene *scene, struct vec3 o, struct vec3 d,
                          struct meeting *meeting)
{
    *meeting = (struct meeting){.t = far_away, .thing = THING_WALL};
    if (d.z < 0 && o.z > 0) {
        float t = -o.z / d.z;
        if (t * d.y + o.y <= scene->table_edge) {
            meeting->t = t;
            meeting->thing = THING_TABLE;
            return;
        }
    }
    if (d.y > 0) {
        meeting->t = (scene->wall_y - o.y) / d.y;
    }
}

static bool misses(const struct ball *ball, struct vec3 o, struct vec3 d)
{
    struct vec3 to = vec_sub(ball->center, o);
    float along = vec_dot(to, d);
    return vec_dot(to, to) - along * along > ball->radius * ball->radius;
}

static void meet_object(const struct scene *scene, int index, struct vec3 o, struct vec3 d,
                        struct meeting *meeting)
{
    struct contact contact = {.t = meeting->t};
    if (!misses(&scene->balls[index], o, d) &&
        object_hit(&scene->objects[index], o, d, 1e-3f, &contact)) {
        *meeting = (struct meeting){.t = contact.t,
                                    .thing = (unsigned char)(THING_OBJECT + index),
                                    .part = (unsigned char)contact.part,
                                    .detail = (unsigned char)contact.detail};
    }
}

void scene_meet(const struct scene *scene, struct vec3 origin, struct vec3 direction,
                struct meeting *meeting)
{
    meet_backdrop(scene, origin, direction, meeting);
    for (int i = 0; i < scene->object_count; i++) {
        meet_object(scene, i, origin, direction, meeting);
    }
}

static bool window_has(const struct window *window, float x, float y)
{
    return x >= (float)window->x1 && x <= (float)window->x2 && y >= (float)window->y1 &&
           y <= (float)window->y2;
}

void scene_meet_pixel(const struct scene *scene, const struct canvas *canvas, float x, float y,
                      struct vec3 direction, struct meeting *meeting)
{
    meet_backdrop(scene, scene->camera.eye, direction, meeting);
    for (int i = 0; i < scene->object_count; i++) {
        if (window_has(&canvas->windows[i], x, y)) {
            meet_object(scene, i, scene->camera.eye, direction, meeting);
        }
    }
}

static struct ball tile_ball(const struct scene *scene, const struct canvas *canvas,
                             struct window tile)
{
    struct vec3 low = {far_away, far_away, far_away}, high = {-far_away, -far_away, -far_away};
    for (int y = tile.y1; y < tile.y2; y++) {
        for (int x = tile.x1; x < tile.x2; x++) {
            struct vec3 d = camera_ray(&scene->camera, (float)x + 0.5f, (float)y + 0.5f);
            float t = canvas->met[(size_t)y * (size_t)canvas->w + (size_t)x].t;
            struct vec3 p = vec_along(scene->camera.eye, d, t);
            low = (struct vec3){lesser(low.x, p.x), lesser(low.y, p.y), lesser(low.z, p.z)};
            high = (struct vec3){greater(high.x, p.x), greater(high.y, p.y), greater(high.z, p.z)};
        }
    }
    return (struct ball){vec_scale(vec_add(low, high), 0.5f),
                         0.5f * vec_length(vec_sub(high, low)) + 0.01f};
}

/* Where, along one axis of the picture, a ball shows: `across` and `ahead` are its center in camera
 * coordinates. Through the two tangents of the ball's circle in that plane. */
static void ball_extent(float across, float ahead, float radius, float focal, float *low,
                        float *high)
{
    const float limit = 1e5f;
    float distance = hypotf(across, ahead);
    *low = -limit;
    *high = limit;
    if (distance <= radius * 1.001f) {
        return;
    }
    float middle = atan2f(across, ahead), half = asinf(radius / distance);
    const float square = 1.57f;
    if (middle - half > -square) {
        *low = middle - half < square ? tanf(middle - half) * focal : limit;
    }
    if (middle + half < square) {
        *high = middle + half > -square ? tanf(middle + half) * focal : -limit;
    }
}

static int clamp_pixel(float x, int low, int high)
{
    return x < (float)low ? low : x > (float)high ? high : (int)x;
}

/* The object's pixels and some more; up to a picture's size beyond the border. */
static struct window object_window(const struct scene *scene, const struct object *object)
{
    const struct camera *camera = &scene->camera;
    struct vec3 to = vec_sub(object->bound_center, camera->eye);
    float ahead = vec_dot(to, camera->forward);
    float left, right, top, bottom;
    ball_extent(vec_dot(to, camera->right), ahead, object->bound, camera->focal, &left, &right);
    ball_extent(-vec_dot(to, camera->up), ahead, object->bound, camera->focal, &top, &bottom);
    struct window window = {
        .x1 = clamp_pixel(floorf(camera->mid_x + left) - 1, -scene->w, 2 * scene->w),
        .x2 = clamp_pixel(ceilf(camera->mid_x + right) + 1, -scene->w, 2 * scene->w),
        .y1 = clamp_pixel(floorf(camera->mid_y + top) - 1, -scene->h, 2 * scene->h),
        .y2 = clamp_pixel(ceilf(camera->mid_y + bottom) + 1, -scene->h, 2 * scene->h),
    };
    return window;
}

/* Look again at the pixels of an area. */
static void look(const struct scene *scene, struct window area, struct canvas *canvas)
{
    for (int y = area.y1; y < area.y2; y++) {
        for (int x = area.x1; x < area.x2; x++) {
            float mid_x = (float)x + 0.5f, mid_y = (float)y + 0.5f;
            struct vec3 d = camera_ray(&scene->camera, mid_x, mid_y);
            scene_meet_pixel(scene, canvas, mid_x, mid_y, d,
                             &canvas->met[(size_t)y * (size_t)scene->w + (size_t)x]);
        }
    }
}

/* About how many pixels the object would cover without the others and without the picture's border:
 * every second pixel of every second row is looked at, all of them if it is small. */
static long silhouette(const struct scene *scene, int index, const struct window *window)
{
    int side = window->x2 - window->x1 > window->y2 - window->y1 ? window->x2 - window->x1
                                                                 : window->y2 - window->y1;
    int step = side > 40 ? 2 : 1;
    long count = 0;
    for (int y = window->y1; y < window->y2; y += step) {
        for (int x = window->x1; x < window->x2; x += step) {
            struct vec3 d = camera_ray(&scene->camera, (float)x + 0.5f, (float)y + 0.5f);
            struct contact contact = {.t = far_away};
            count += object_hit(&scene->objects[index], scene->camera.eye, d, 1e-3f, &contact);
        }
    }
    return count * step * step;
}

struct showing {
    long pixels;
    struct window bounds;
};

static void count_showing(const struct scene *scene, const struct canvas *canvas,
                          struct showing *showing)
{
    for (int i = 0; i < scene->object_count; i++) {
        showing[i] = (struct showing){.bounds = {scene->w, scene->h, 0, 0}};
    }
    for (int y = 0; y < scene->h; y++) {
        for (int x = 0; x < scene->w; x++) {
            int thing = canvas->met[(size_t)y * (size_t)scene->w + (size_t)x].thing;
            if (thing < THING_OBJECT) {
                continue;
            }
            struct showing *s = &showing[thing - THING_OBJECT];
            s->pixels++;
            s->bounds.x1 = x < s->bounds.x1 ? x : s->bounds.x1;
            s->bounds.y1 = y < s->bounds.y1 ? y : s->bounds.y1;
            s->bounds.x2 = x >= s->bounds.x2 ? x + 1 : s->bounds.x2;
            s->bounds.y2 = y >= s->bounds.y2 ? y + 1 : s->bounds.y2;
        }
    }
}

static bool shows_enough(const struct showing *s, long whole)
{
    return s->pixels * 4 >= whole && s->bounds.x2 - s->bounds.x1 >= SYNTH_MIN_SIDE &&
           s->bounds.y2 - s->bounds.y1 >= SYNTH_MIN_SIDE;
}

/* Where the object was in the picture. */
static struct window clip_window(const struct scene *scene, struct window window)
{
    window.x1 = window.x1 < 0 ? 0 : window.x1;
    window.y1 = window.y1 < 0 ? 0 : window.y1;
    window.x2 = window.x2 > scene->w ? scene->w : window.x2;
    window.y2 = window.y2 > scene->h ? scene->h : window.y2;
    return window;
}

/* The object that shows least of itself among those that show too little; -1 if all are well. An
 * object wholly outside the picture may stay: it can throw a shadow into it. */
static int find_sliver(const struct scene *scene, const struct canvas *canvas, const long *whole)
{
    struct showing showing[SYNTH_MAX_OBJECTS];
    count_showing(scene, canvas, showing);
    int worst = -1;
    float least = 2;
    for (int i = 0; i < scene->object_count; i++) {
        struct window inside = clip_window(scene, canvas->windows[i]);
        if (inside.x1 >= inside.x2 || inside.y1 >= inside.y2 ||
            shows_enough(&showing[i], whole[i])) {
            continue;
        }
        float part = (float)showing[i].pixels / (float)(whole[i] > 0 ? whole[i] : 1);
        if (part < least) {
            least = part;
            worst = i;
        }
    }
    return worst;
}

static void set_ball(struct scene *scene, int index)
{
    const struct object *object = &scene->objects[index];
    scene->balls[index] = (struct ball){object->bound_center, object->bound};
}

static void remove_object(struct scene *scene, struct canvas *canvas, long *whole, int index)
{
    scene->object_count--;
    for (int i = index; i < scene->object_count; i++) {
        scene->objects[i] = scene->objects[i + 1];
        canvas->windows[i] = canvas->windows[i + 1];
        whole[i] = whole[i + 1];
        set_ball(scene, i);
    }
    size_t pixels = (size_t)scene->w * (size_t)scene->h;
    for (size_t i = 0; i < pixels; i++) {
        canvas->met[i].thing -= canvas->met[i].thing > THING_OBJECT + index;
    }
}

void visibility_find(struct scene *scene, struct canvas *canvas)
{
    long whole[SYNTH_MAX_OBJECTS];
    for (int i = 0; i < scene->object_count; i++) {
        set_ball(scene, i);
        canvas->windows[i] = object_window(scene, &scene->objects[i]);
        whole[i] = silhouette(scene, i, &canvas->windows[i]);
    }
    look(scene, (struct window){0, 0, scene->w, scene->h}, canvas);
    int sliver;
    while ((sliver = find_sliver(scene, canvas, whole)) >= 0) {
        struct window area = clip_window(scene, canvas->windows[sliver]);
        remove_object(scene, canvas, whole, sliver);
        look(scene, area, canvas);
    }
    for (int ty = 0; ty < canvas->tiles_y; ty++) {
        for (int tx = 0; tx < canvas->tiles_x; tx++) {
            canvas->seen[ty * canvas->tiles_x + tx] =
                tile_ball(scene, canvas, tile_window(canvas, tx, ty));
        }
    }
}
