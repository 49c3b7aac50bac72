#include "synth/shapes.h"

#include <float.h>
#include <stddef.h>

enum { ROUNDED = 8 }; /* a box's face, met where its corners' sphere cuts it */

/* A ray in the frame of a part, and the stretch of it that can matter. */
struct local_ray {
    struct vec3 o, d;
    float near, far;
};

/* ---- profiles ---- */

static void add_line(struct part *part, float r, float z, int material)
{
    if (part->segment_count >= LATHE_MAX_SEGMENTS) {
        return;
    }
    struct segment *s = &part->segments[part->segment_count++];
    s->r1 = r;
    s->z1 = z;
    s->material = material;
    if (part->segment_count < LATHE_MAX_SEGMENTS) {
        part->segments[part->segment_count] = (struct segment){.r0 = r, .z0 = z};
    }
}

static void add_curve(struct part *part, const struct lathe_step *step)
{
    float r = part->segments[part->segment_count].r0, z = part->segments[part->segment_count].z0;
    for (int i = 1; i <= step->pieces; i++) {
        float t = (float)i / (float)step->pieces, s = 1 - t;
        add_line(part, s * s * r + 2 * s * t * step->control_r + t * t * step->r,
                 s * s * z + 2 * s * t * step->control_z + t * t * step->z, step->material);
    }
}

static float segment_length(const struct segment *s)
{
    return hypotf(s->r1 - s->r0, s->z1 - s->z0);
}

/* The normals at the vertex between two segments, whose own are in n0 of a and b. */
static void join_normals(struct segment *a, struct segment *b, const float na[2], const float nb[2])
{
    const float crease = 0.5f;
    float la = segment_length(a), lb = segment_length(b);
    float r = na[0] + nb[0], z = na[1] + nb[1];
    if (na[0] * nb[0] + na[1] * nb[1] < crease) {
        return;
    }
    if (la > 4 * lb) {
        r = na[0];
        z = na[1];
    } else if (lb > 4 * la) {
        r = nb[0];
        z = nb[1];
    }
    float length = hypotf(r, z);
    a->n1[0] = b->n0[0] = r / length;
    a->n1[1] = b->n0[1] = z / length;
}

static void finish_profile(struct part *part)
{
    float own[LATHE_MAX_SEGMENTS][2];
    float low = FLT_MAX, high = -FLT_MAX, widest = 0;
    for (int i = 0; i < part->segment_count; i++) {
        struct segment *s = &part->segments[i];
        float length = segment_length(s);
        own[i][0] = (s->z1 - s->z0) / length;
        own[i][1] = (s->r0 - s->r1) / length;
        s->n0[0] = s->n1[0] = own[i][0];
        s->n0[1] = s->n1[1] = own[i][1];
        s->slope = s->z1 != s->z0 ? (s->r1 - s->r0) / (s->z1 - s->z0) : 0;
        low = lesser(low, lesser(s->z0, s->z1));
        high = greater(high, greater(s->z0, s->z1));
        widest = greater(widest, greater(s->r0, s->r1));
    }
    for (int i = 1; i < part->segment_count; i++) {
        join_normals(&part->segments[i - 1], &part->segments[i], own[i - 1], own[i]);
    }
    /* The part's center goes half-way up. */
    float middle = (low + high) / 2;
    for (int i = 0; i < part->segment_count; i++) {
        part->segments[i].z0 -= middle;
        part->segments[i].z1 -= middle;
    }
    part->center.z += middle;
    part->radius = widest;
    part->bound = hypotf(widest, (high - low) / 2) * 1.0001f;
}

void lathe_make(struct part *part, const struct lathe_step *steps, size_t count)
{
    part->segment_count = 0;
    part->segments[0] = (struct segment){.r0 = steps[0].r, .z0 = steps[0].z};
    for (size_t i = 1; i < count; i++) {
        if (steps[i].pieces > 0) {
            add_curve(part, &steps[i]);
        } else {
            add_line(part, steps[i].r, steps[i].z, steps[i].material);
        }
    }
    finish_profile(part);
}

/* ---- objects ---- */

static struct vec3 to_world(const struct object *object, struct vec3 v)
{
    struct vec3 sum = vec_scale(object->axes[0], v.x);
    sum = vec_along(sum, object->axes[1], v.y);
    return vec_along(sum, object->axes[2], v.z);
}

static struct vec3 to_local(const struct object *object, struct vec3 v)
{
    return (struct vec3){vec_dot(object->axes[0], v), vec_dot(object->axes[1], v),
                         vec_dot(object->axes[2], v)};
}

void object_bounds(struct object *object)
{
    struct vec3 low = {FLT_MAX, FLT_MAX, FLT_MAX}, high = {-FLT_MAX, -FLT_MAX, -FLT_MAX};
    for (int i = 0; i < object->part_count; i++) {
        const struct part *p = &object->parts[i];
        low.x = lesser(low.x, p->center.x - p->bound);
        low.y = lesser(low.y, p->center.y - p->bound);
        low.z = lesser(low.z, p->center.z - p->bound);
        high.x = greater(high.x, p->center.x + p->bound);
        high.y = greater(high.y, p->center.y + p->bound);
        high.z = greater(high.z, p->center.z + p->bound);
    }
    struct vec3 middle = vec_scale(vec_add(low, high), 0.5f);
    float radius = 0;
    for (int i = 0; i < object->part_count; i++) {
        const struct part *p = &object->parts[i];
        radius = greater(radius, vec_length(vec_sub(p->center, middle)) + p->bound);
    }
    object->bound_center = vec_add(object->position, to_world(object, middle));
    object->bound = radius;
}

/* The stretch of the ray within a sphere about the frame's origin. */
static bool enter_sphere(struct local_ray *ray, float radius)
{
    float b = vec_dot(ray->o, ray->d);
    float c = vec_dot(ray->o, ray->o) - radius * radius;
    float root = b * b - c;
    if (!(root > 0)) {
        return false;
    }
    root = sqrtf(root);
    ray->near = greater(ray->near, -b - root);
    ray->far = lesser(ray->far, -b + root);
    return ray->near < ray->far;
}

static bool hit_sphere(const struct part *part, const struct local_ray *ray,
                       struct contact *contact)
{
    float b = vec_dot(ray->o, ray->d);
    float c = vec_dot(ray->o, ray->o) - part->radius * part->radius;
    float root = b * b - c;
    if (!(root > 0)) {
        return false;
    }
    root = sqrtf(root);
    float t = -b - root > ray->near ? -b - root : -b + root;
    if (!(t > ray->near && t < contact->t)) {
        return false;
    }
    contact->t = t;
    contact->detail = 0;
    return true;
}

static bool hit_box(const struct part *part, const struct local_ray *ray, struct contact *contact)
{
    const float o[3] = {ray->o.x, ray->o.y, ray->o.z}, d[3] = {ray->d.x, ray->d.y, ray->d.z};
    float enter = -FLT_MAX, leave = FLT_MAX;
    int face = 0;
    for (int i = 0; i < 3; i++) {
        if (fabsf(d[i]) < 1e-9f) {
            if (fabsf(o[i]) > part->half) {
                return false;
            }
            continue;
        }
        float inverse = 1 / d[i];
        float a = (-part->half - o[i]) * inverse, b = (part->half - o[i]) * inverse;
        if (lesser(a, b) > enter) {
            enter = lesser(a, b);
            face = i * 2 + (d[i] < 0);
        }
        leave = lesser(leave, greater(a, b));
    }
    if (part->corner > 0) {
        float b = vec_dot(ray->o, ray->d);
        float root = b * b - vec_dot(ray->o, ray->o) + part->corner * part->corner;
        if (!(root > 0)) {
            return false;
        }
        root = sqrtf(root);
        if (-b - root > enter) {
            enter = -b - root;
            face |= ROUNDED;
        }
        leave = lesser(leave, -b + root);
    }
    if (!(enter < leave && enter > ray->near && enter < contact->t)) {
        return false;
    }
    contact->t = enter;
    contact->detail = face;
    return true;
}

static bool in_reach(const struct local_ray *ray, const struct contact *contact, float t)
{
    return t > ray->near && t < contact->t;
}

static bool hit_disc(const struct segment *s, const struct local_ray *ray, struct contact *contact)
{
    float t = (s->z0 - ray->o.z) / ray->d.z;
    if (!in_reach(ray, contact, t)) {
        return false;
    }
    float x = ray->o.x + t * ray->d.x, y = ray->o.y + t * ray->d.y, r = x * x + y * y;
    float inner = lesser(s->r0, s->r1), outer = greater(s->r0, s->r1);
    if (!(r >= inner * inner && r <= outer * outer)) {
        return false;
    }
    contact->t = t;
    return true;
}

/* x^2 + y^2 = r(z)^2 with r linear in z. */
static bool hit_frustum(const struct segment *s, const struct local_ray *ray,
                        struct contact *contact)
{
    struct vec3 o = ray->o, d = ray->d;
    float r = s->r0 + s->slope * (o.z - s->z0), dr = s->slope * d.z;
    float a = d.x * d.x + d.y * d.y - dr * dr;
    float b = o.x * d.x + o.y * d.y - r * dr;
    float c = o.x * o.x + o.y * o.y - r * r;
    float root = b * b - a * c;
    if (!(root >= 0) || fabsf(a) < 1e-9f) {
        return false;
    }
    root = sqrtf(root);
    float inverse = 1 / a;
    /* A little overlap, so that no ray slips through between two segments. */
    const float seam = 2e-5f;
    float low = lesser(s->z0, s->z1) - seam, high = greater(s->z0, s->z1) + seam;
    bool found = false;
    for (int sign = -1; sign <= 1; sign += 2) {
        float t = (-b + (float)sign * root) * inverse;
        float z = o.z + t * d.z;
        if (in_reach(ray, contact, t) && z >= low && z <= high && r + t * dr >= 0) {
            contact->t = t;
            found = true;
        }
    }
    return found;
}

static bool hit_lathe(const struct part *part, const struct local_ray *ray, struct contact *contact)
{
    float z_near = ray->o.z + ray->near * ray->d.z, z_far = ray->o.z + ray->far * ray->d.z;
    float z_low = lesser(z_near, z_far), z_high = greater(z_near, z_far);
    bool found = false;
    for (int i = 0; i < part->segment_count; i++) {
        const struct segment *s = &part->segments[i];
        if (greater(s->z0, s->z1) < z_low || lesser(s->z0, s->z1) > z_high) {
            continue;
        }
        if (s->z0 == s->z1 ? hit_disc(s, ray, contact) : hit_frustum(s, ray, contact)) {
            contact->detail = i;
            found = true;
        }
    }
    return found;
}

/* The part's frame with the ring in x-y. */
static struct vec3 ring_frame(const struct part *part, struct vec3 v)
{
    return part->is_upright ? (struct vec3){v.x, v.z, v.y} : v;
}

static float torus_distance(const struct part *part, struct vec3 p)
{
    float y = fabsf(p.y) > part->stretch ? fabsf(p.y) - part->stretch : 0;
    float ring = sqrtf(p.x * p.x + y * y) - part->radius;
    return greater(sqrtf(ring * ring + p.z * p.z) - part->tube, part->clip - p.x);
}

/* The stretch of the ray within |z| < half. */
static bool enter_slab(struct vec3 o, struct vec3 d, float half, float *near, float *far)
{
    float inverse = 1 / (fabsf(d.z) > 1e-9f ? d.z : 1e-9f);
    float a = (-half - o.z) * inverse, b = (half - o.z) * inverse;
    *near = greater(*near, lesser(a, b));
    *far = lesser(*far, greater(a, b));
    return *near < *far;
}

/* By steps of the distance: exact to a thousandth of the tube, and no quartic to go wrong. */
static bool hit_torus(const struct part *part, const struct local_ray *ray, struct contact *contact)
{
    const float close = part->tube * 1e-3f;
    struct vec3 o = ring_frame(part, ray->o), d = ring_frame(part, ray->d);
    float t = ray->near, far = lesser(ray->far, contact->t);
    if (!enter_slab(o, d, part->tube, &t, &far)) {
        return false;
    }
    for (int step = 0; step < 96 && t < far; step++) {
        float distance = torus_distance(part, vec_along(o, d, t));
        if (distance < close) {
            contact->t = t;
            contact->detail = 0;
            return true;
        }
        t += distance;
    }
    return false;
}

static bool hit_part(const struct part *part, const struct local_ray *ray, struct contact *contact)
{
    switch (part->kind) {
    case PART_SPHERE:
        return hit_sphere(part, ray, contact);
    case PART_BOX:
        return hit_box(part, ray, contact);
    case PART_LATHE:
        return hit_lathe(part, ray, contact);
    default:
        return hit_torus(part, ray, contact);
    }
}

bool object_hit(const struct object *object, struct vec3 origin, struct vec3 direction,
                float nearest, struct contact *contact)
{
    struct local_ray whole = {vec_sub(origin, object->bound_center), direction, nearest,
                              contact->t};
    if (object->part_count > 1 && !enter_sphere(&whole, object->bound)) {
        return false;
    }
    struct vec3 o = to_local(object, vec_sub(origin, object->position));
    struct vec3 d = to_local(object, direction);
    bool found = false;
    for (int i = 0; i < object->part_count; i++) {
        const struct part *part = &object->parts[i];
        struct local_ray ray = {vec_sub(o, part->center), d, nearest, contact->t};
        if (enter_sphere(&ray, part->bound) && hit_part(part, &ray, contact)) {
            contact->part = i;
            found = true;
        }
    }
    return found;
}

/* ---- surfaces ---- */

#define GRAZING 0.02f

static float turns(float y, float x)
{
    return atan2f(y, x) * (1 / TAU);
}

static void sphere_surface(const struct part *part, struct vec3 p, float repeats,
                           struct surface *surface)
{
    surface->normal = vec_scale(p, 1 / part->radius);
    surface->u = turns(p.y, p.x) * repeats;
    surface->v = asinf(greater(-1, lesser(1, surface->normal.z))) * (1 / TAU) * repeats;
    surface->tiles_per_unit = repeats / (TAU * part->radius);
}

/* How dark a die is at (a, b) in [-1, 1] of the face with the given number. */
static float pip_mark(int number, float a, float b)
{
    static const float spot = 0.5f;
    const float radius = 0.19f;
    float da = fabsf(fabsf(a) - spot), db = fabsf(fabsf(b) - spot);
    float nearest = FLT_MAX;
    if (number & 1) {
        nearest = a * a + b * b;
    }
    if (number >= 4 || (number >= 2 && a * b > 0)) {
        nearest = lesser(nearest, da * da + db * db);
    }
    if (number == 6) {
        nearest = lesser(nearest, da * da + b * b);
    }
    return nearest < radius * radius ? 1 : 0;
}

static void box_surface(const struct part *part, struct vec3 point, float repeats, int detail,
                        struct surface *surface)
{
    static const int numbers[6] = {2, 5, 3, 4, 6, 1}; /* -x +x -y +y -z +z: opposite ones give 7 */
    const float p[3] = {point.x, point.y, point.z};
    float n[3];
    float inner = part->half - part->bevel;
    int face = detail & ~ROUNDED, axis = face / 2;
    for (int i = 0; i < 3; i++) {
        float beyond = fabsf(p[i]) - inner;
        n[i] = beyond > 0 ? copysignf(beyond, p[i]) : 0;
        if (i == axis) {
            n[i] = copysignf(greater(part->bevel, 1e-6f), p[i]);
        }
    }
    if (detail & ROUNDED) {
        surface->normal = vec_unit(point);
    } else {
        surface->normal = vec_unit((struct vec3){n[0], n[1], n[2]});
    }
    float a = p[(axis + 1) % 3], b = p[(axis + 2) % 3];
    surface->tiles_per_unit = repeats / (8 * part->half);
    surface->u = a * surface->tiles_per_unit;
    surface->v = b * surface->tiles_per_unit;
    if (part->has_pips) {
        int turned = ((face + (part->pips_turn & ~1)) % 6) ^ (part->pips_turn & 1);
        surface->mark = pip_mark(numbers[turned], a / part->half, b / part->half);
    }
}

static void lathe_surface(const struct part *part, struct vec3 p, float repeats, int index,
                          struct surface *surface)
{
    const struct segment *s = &part->segments[index];
    float r = sqrtf(p.x * p.x + p.y * p.y);
    float along = s->z0 == s->z1 ? (r - s->r0) / (s->r1 - s->r0) : (p.z - s->z0) / (s->z1 - s->z0);
    along = clamp01(along);
    float nr = s->n0[0] + (s->n1[0] - s->n0[0]) * along;
    float nz = s->n0[1] + (s->n1[1] - s->n0[1]) * along;
    float inverse = r > 1e-6f ? 1 / r : 0;
    surface->normal = (struct vec3){nr * p.x * inverse, nr * p.y * inverse, nz};
    float length = vec_length(surface->normal);
    surface->normal =
        length > 1e-6f ? vec_scale(surface->normal, 1 / length) : (struct vec3){0, 0, 1};
    surface->tiles_per_unit = repeats / (TAU * part->radius);
    if (part->has_flat_pattern ||
        s->z0 == s->z1) { /* lids: flat mapping; the angle would meet in a point */
        surface->u = p.x * surface->tiles_per_unit;
        surface->v = p.y * surface->tiles_per_unit;
    } else {
        surface->u = turns(p.y, p.x) * repeats;
        surface->v = p.z * surface->tiles_per_unit;
    }
    surface->material += s->material;
}

static void torus_surface(const struct part *part, struct vec3 point, float repeats,
                          struct surface *surface)
{
    struct vec3 p = ring_frame(part, point);
    float y = fabsf(p.y) > part->stretch ? copysignf(fabsf(p.y) - part->stretch, p.y) : 0;
    float ring = sqrtf(p.x * p.x + y * y);
    float pull = ring > 1e-6f ? 1 - part->radius / ring : 0;
    struct vec3 n = {p.x * pull, y * pull, p.z};
    float length = vec_length(n);
    n = length > 1e-6f ? vec_scale(n, 1 / length) : (struct vec3){0, 0, 1};
    surface->normal = ring_frame(part, n);
    surface->u = turns(y, p.x) * repeats * 2;
    surface->v = turns(p.z, ring - part->radius) * repeats * 0.5f;
    surface->tiles_per_unit = repeats / (TAU * part->radius) * 2;
}

void object_surface(const struct object *object, struct vec3 point, struct vec3 direction,
                    const struct contact *contact, struct surface *surface)
{
    const struct part *part = &object->parts[contact->part];
    struct vec3 p = vec_sub(to_local(object, vec_sub(point, object->position)), part->center);
    float repeats = object->materials[part->material].repeats;
    *surface = (struct surface){.mark = -1, .material = part->material};
    switch (part->kind) {
    case PART_SPHERE:
        sphere_surface(part, p, repeats, surface);
        break;
    case PART_BOX:
        box_surface(part, p, repeats, contact->detail, surface);
        break;
    case PART_LATHE:
        lathe_surface(part, p, repeats, contact->detail, surface);
        break;
    case PART_TORUS:
        torus_surface(part, p, repeats, surface);
        break;
    }
    surface->normal = to_world(object, surface->normal);
    float away = vec_dot(surface->normal, direction);
    if (away > 0 && part->is_open) {
        surface->normal = vec_scale(surface->normal, -1);
    } else if (away > -GRAZING) { /* a rounded normal at the outline: as steep as can be seen */
        surface->normal = vec_unit(vec_along(surface->normal, direction, -away - GRAZING));
    }
}
