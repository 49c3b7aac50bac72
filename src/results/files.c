/* The formats that are a file a picture: YOLO labels and Pascal VOC annotations. */
#include <math.h>
#include <string.h>

#include "base/fileio.h"
#include "base/path.h"
#include "base/memory.h"
#include "base/text.h"
#include "results/results.h"

enum result results_write_yolo(const char *path, const struct result_record *record,
                               bool with_confidence, struct error *err)
{
    struct atomic_file file;
    TRY(atomic_open(&file, path, err));
    file.skips_sync = true;
    double w = record->width, h = record->height;
    for (size_t i = 0; i < record->count; i++) {
        const struct result_object *o = &record->objects[i];
        double x1 = (double)o->box.x1, y1 = (double)o->box.y1;
        double x2 = (double)o->box.x2, y2 = (double)o->box.y2;
        fprintf(file.stream, "%d %.6f %.6f %.6f %.6f", o->class_id, (x1 + x2) / 2 / w,
                (y1 + y2) / 2 / h, (x2 - x1) / w, (y2 - y1) / h);
        if (with_confidence) {
            fprintf(file.stream, " %.6f", (double)o->confidence);
        }
        fputc('\n', file.stream);
    }
    return atomic_commit(&file, err);
}

/* Text between XML tags; characters that XML 1.0 forbids even escaped become '?'. */
static enum result put_xml(FILE *out, const char *text, struct error *err)
{
    size_t size = 3 * strlen(text) + 1;
    char *clean = mem_alloc_raw(size, 1);
    if (!clean) {
        return mem_error(err, "XML output");
    }
    for (const char *c = text_utf8(text, clean, size); *c; c++) {
        switch (*c) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        default:
            fputc((unsigned char)*c < 0x20 ? '?' : *c, out);
        }
    }
    mem_free(clean);
    return OK;
}

struct span {
    int min, max;
};

/* Whole pixels of an edge to an edge, as the convention has them; at least one. */
static struct span voc_span(float low, float high, int limit, int first_pixel)
{
    int from = (int)lrintf(fminf(fmaxf(low, 0), (float)limit));
    int to = (int)lrintf(fminf(fmaxf(high, 0), (float)limit));
    from = from < limit ? from : limit - 1;
    to = to > from ? to : from + 1;
    return (struct span){from + first_pixel, to};
}

static enum result put_voc_object(FILE *out, const struct result_record *record,
                                  const struct result_object *o, const char *name, int first_pixel,
                                  struct error *err)
{
    struct span x = voc_span(o->box.x1, o->box.x2, record->width, first_pixel);
    struct span y = voc_span(o->box.y1, o->box.y2, record->height, first_pixel);
    fputs("  <object>\n    <name>", out);
    TRY(put_xml(out, name, err));
    fprintf(out,
            "</name>\n    <pose>Unspecified</pose>\n    <truncated>0</truncated>\n"
            "    <difficult>0</difficult>\n    <confidence>%.6f</confidence>\n    <bndbox>\n"
            "      <xmin>%d</xmin>\n      <ymin>%d</ymin>\n      <xmax>%d</xmax>\n"
            "      <ymax>%d</ymax>\n    </bndbox>\n  </object>\n",
            (double)o->confidence, x.min, y.min, x.max, y.max);
    return OK;
}

static enum result put_voc(FILE *out, const struct result_record *record, char *const *names,
                           int first_pixel, struct error *err)
{
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<annotation>\n  <filename>", out);
    TRY(put_xml(out, path_base(record->image), err));
    fputs("</filename>\n  <path>", out);
    TRY(put_xml(out, record->image, err));
    fprintf(out,
            "</path>\n  <size>\n    <width>%d</width>\n    <height>%d</height>\n"
            "    <depth>3</depth>\n  </size>\n  <segmented>0</segmented>\n",
            record->width, record->height);
    for (size_t i = 0; i < record->count; i++) {
        const struct result_object *o = &record->objects[i];
        TRY(put_voc_object(out, record, o, names[o->class_id], first_pixel, err));
    }
    fputs("</annotation>\n", out);
    return OK;
}

enum result results_write_voc(const char *path, const struct result_record *record,
                              char *const *names, int first_pixel, struct error *err)
{
    struct atomic_file file;
    TRY(atomic_open(&file, path, err));
    file.skips_sync = true;
    enum result result = put_voc(file.stream, record, names, first_pixel, err);
    return atomic_end(&file, result, err);
}
