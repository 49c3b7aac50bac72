/* A small network from a text in the test, planned and filled by hand. */
#ifndef TESTS_FIXTURE_H
#define TESTS_FIXTURE_H

#include "base/log.h"
#include "net/network.h"
#include "net/plan.h"
#include "isa.h"

struct fixture {
    struct network net;
    struct plan *plan;
    struct error err;
};

/* Parse "[net] with these sizes" + sections and allocate. The sections begin at line 5. */
static inline bool fixture_open(struct fixture *f, int w, int h, int c, const char *sections)
{
    char text[4096];
    *f = (struct fixture){0};
    int n = snprintf(text, sizeof text, "[net]\nwidth=%d\nheight=%d\nchannels=%d\n%s", w, h, c,
                     sections);
    if (n < 0 || (size_t)n >= sizeof text) {
        return false;
    }
    log_set_level(LOG_QUIET);
    return network_parse("t.cfg", text, (size_t)n, 0, 0, &f->net, &f->err) == OK &&
           network_allocate(&f->net, &f->err) == OK;
}

static inline void fixture_close(struct fixture *f)
{
    plan_free(f->plan);
    network_free(&f->net);
    *f = (struct fixture){0};
}

/* The parameter's memory; NULL if the layer has none or not that many. */
static inline float *fixture_param(struct fixture *f, int layer, const char *role, size_t count)
{
    const struct param *p = layer_param(&f->net.layers[layer], role);
    return p && p->count == count ? p->data : NULL;
}

static inline bool fixture_set(struct fixture *f, int layer, const char *role, size_t count,
                               const float *values)
{
    float *data = fixture_param(f, layer, role, count);
    if (data) {
        memcpy(data, values, count * sizeof *values);
    }
    return data != NULL;
}

/* Plan for `batch` images on the named kernels; false with f->err, or, where this machine lacks
 * them, with the part skipped and an empty message. */
static inline bool fixture_plan(struct fixture *f, const char *isa, int batch, bool keep_outputs)
{
    const struct kernels *kern = isa_kernels(isa);
    struct plan_options options = {.batch = batch, .keep_outputs = keep_outputs};
    plan_free(f->plan);
    f->plan = NULL;
    f->err.text[0] = '\0';
    return kern && plan_build(&f->net, kern, &options, &f->plan, &f->err) == OK;
}

/* Fill image n from planar values, run nothing. */
static inline void fixture_image(struct fixture *f, int n, const float *planar)
{
    struct tensor input = *plan_input(f->plan);
    tensor_from_planar(&input, n, planar);
}

/* Run the planned network on images given one after the other (planar). */
static inline void fixture_run(struct fixture *f, int images, const float *planar)
{
    size_t floats = (size_t)f->net.size.w * (size_t)f->net.size.h * (size_t)f->net.size.c;
    for (int n = 0; n < images; n++) {
        fixture_image(f, n, planar + (size_t)n * floats);
    }
    plan_forward(f->plan, images);
}

/* Compare image n of a layer's output with planar values; prints the first difference. */
static inline bool fixture_equals(const struct fixture *f, int layer, int n, const float *want,
                                  double limit)
{
    const struct tensor *t = plan_output(f->plan, layer);
    for (int c = 0, i = 0; c < t->c; c++) {
        for (int y = 0; y < t->h; y++) {
            for (int x = 0; x < t->w; x++, i++) {
                double got = (double)tensor_at(t, n, y, x)[c];
                if (!(fabs(got - (double)want[i]) <= limit)) {
                    printf("  layer %d image %d at c=%d y=%d x=%d: %.9g, expected %.9g\n", layer, n,
                           c, y, x, got, (double)want[i]);
                    return false;
                }
            }
        }
    }
    return true;
}

static inline bool fixture_shape_is(const struct fixture *f, int layer, int w, int h, int c)
{
    struct shape s = f->net.layers[layer].out;
    if (s.w != w || s.h != h || s.c != c) {
        printf("  layer %d: %d x %d x %d, expected %d x %d x %d\n", layer, s.w, s.h, s.c, w, h, c);
        return false;
    }
    return true;
}

/* True if the sections are refused with this code and the message contains `part`. */
static inline bool fixture_refuses(int w, int h, int c, const char *sections, enum result code,
                                   const char *part)
{
    struct fixture f;
    bool opened = fixture_open(&f, w, h, c, sections);
    bool is_right = !opened && f.err.code == code && strstr(f.err.text, part);
    if (!is_right) {
        printf("  %s: code %d, message '%s', expected code %d with '%s'\n",
               opened ? "accepted" : "refused", (int)f.err.code, f.err.text, (int)code, part);
    }
    fixture_close(&f);
    return is_right;
}

/* Run sections on every instruction set of this machine and compare layer `layer` of image 0. */
static inline bool fixture_check(struct fixture *f, const float *image, int layer,
                                 const float *want, double limit)
{
    for (int i = 0; i < ISA_COUNT; i++) {
        if (!fixture_plan(f, ISA_NAMES[i], 1, false)) {
            if (f->err.text[0] || i == 0) {
                printf("  no plan on %s: %s\n", ISA_NAMES[i], f->err.text);
                return false;
            }
            continue;
        }
        fixture_run(f, 1, image);
        if (!fixture_equals(f, layer, 0, want, limit)) {
            printf("  (on %s)\n", ISA_NAMES[i]);
            return false;
        }
    }
    return true;
}

#endif
