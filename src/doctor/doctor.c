#include "doctor/doctor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fileio.h"
#include "base/log.h"
#include "base/memory.h"
#include "data/data_source.h"
#include "data/inputs.h"
#include "doctor/near.h"

static const float tiny_pixels = 1.95f; /* what rounding leaves of two */
static const float whole_side = 0.998f;

/* ---- opening ---- */

struct sink {
    struct doctor *doctor;
    int set;
};

static void take_fault(void *ctx, enum label_fault fault, const char *path, int line,
                       const char *text)
{
    const struct sink *sink = ctx;
    struct finding_place place = {
        .set = sink->set, .sample = NO_SAMPLE, .path = path, .line = line};
    finding_add(&sink->doctor->findings, (enum finding_kind)fault, &place, "%s", text);
}

static enum result copy_string(char **to, const char *from, struct error *err)
{
    *to = from ? mem_strdup(from) : NULL;
    return from && !*to ? mem_error(err, from) : OK;
}

static enum result resolve(const struct doctor_source *source, const struct data_file *file,
                           struct doctor *doctor, struct error *err)
{
    const char *train = source->train ? source->train : file->train;
    const char *valid = source->valid ? source->valid : file->valid;
    const char *names = source->names ? source->names : file->names;
    if (source->data && !source->train) {
        TRY(data_file_need(file, DATA_TRAIN, err));
    }
    if (source->data && !source->valid && file->valid) {
        TRY(data_file_need(file, DATA_VALID, err));
    }
    if (source->data && !source->names && file->names) {
        TRY(data_file_need(file, DATA_NAMES, err));
    }
    TRY(copy_string(&doctor->data_path, source->data, err));
    TRY(copy_string(&doctor->names_path, names, err));
    doctor->valid_line = source->valid ? 0 : file->lines[DATA_VALID];
    const char *const lists[SETS_MAX] = {train, valid};
    static const char *const roles[SETS_MAX] = {"train", "valid"};
    for (int i = 0; i < SETS_MAX && lists[i]; i++) {
        doctor->sets[i].role = roles[i];
        TRY(copy_string(&doctor->sets[i].path, lists[i], err));
        doctor->set_count++;
    }
    doctor->class_count = (size_t)(source->classes ? source->classes : file->classes);
    memcpy(doctor->images, source->images, sizeof doctor->images);
    return images_act(source->images[SET_TRAIN], train, valid, err);
}

static enum result read_names(struct doctor *doctor, struct error *err)
{
    if (!doctor->names_path) {
        return OK;
    }
    TRY(names_read(doctor->names_path, &doctor->names, &doctor->name_count, err));
    if (doctor->class_count == 0) {
        doctor->class_count = doctor->name_count;
    }
    return OK;
}

struct label_ref {
    const char *path;
    size_t sample;
};

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct label_ref *)a)->path, ((const struct label_ref *)b)->path);
}

static int by_path_and_place(const void *a, const void *b)
{
    const struct label_ref *x = a;
    const struct label_ref *y = b;
    int path = by_path(a, b);
    return path ? path : (x->sample > y->sample) - (x->sample < y->sample);
}

/* Findings in label files -> their samples. */
static enum result link_findings(struct doctor *doctor, int set, size_t first, struct error *err)
{
    struct doctor_set *s = &doctor->sets[set];
    struct label_ref *refs = mem_alloc(s->data.sample_count, sizeof *refs);
    size_t count = 0;
    if (!refs) {
        return mem_error(err, s->path);
    }
    for (size_t i = 0; i < s->data.sample_count; i++) {
        if (s->data.samples[i].label_path) {
            refs[count++] = (struct label_ref){s->data.samples[i].label_path, i};
        }
    }
    if (count > 1) {
        qsort(refs, count, sizeof *refs, by_path_and_place);
    }
    for (size_t i = first; i < doctor->findings.count; i++) {
        struct finding *f = &doctor->findings.items[i];
        const struct label_ref key = {.path = f->path};
        const struct label_ref *found =
            count ? bsearch(&key, refs, count, sizeof *refs, by_path) : NULL;
        while (found && found > refs && strcmp(found[-1].path, found->path) == 0) {
            found--; /* a picture may be listed again */
        }
        if (found) {
            f->sample = found->sample;
            s->pictures[f->sample].is_relabelled = true;
        }
    }
    mem_free(refs);
    return OK;
}

static enum result open_set(struct doctor *doctor, int set, struct error *err)
{
    struct doctor_set *s = &doctor->sets[set];
    struct sink sink = {doctor, set};
    const struct dataset_source source = {
        .path = s->path,
        .kind = doctor->kind,
        .features = doctor->features,
        .targets = doctor->targets,
        .needs_no_targets = doctor->needs_no_targets,
        .part = set == SET_TRAIN ? DATA_PART_TRAIN : DATA_PART_VALID,
        .images = doctor->images[set],
        .class_count = doctor->class_count,
        .names = doctor->names,
        .name_count = doctor->name_count,
        .sink = take_fault,
        .sink_ctx = &sink,
    };
    size_t first = doctor->findings.count;
    TRY(dataset_open(&source, &s->data, err));
    s->pictures = mem_alloc(s->data.sample_count, sizeof *s->pictures);
    if (!s->pictures) {
        return mem_error(err, s->path);
    }
    for (size_t i = 0; i < s->data.sample_count; i++) {
        s->pictures[i].w = s->data.samples[i].image_w;
        s->pictures[i].h = s->data.samples[i].image_h;
        s->pictures[i].is_relabelled = s->data.samples[i].is_mended;
    }
    return link_findings(doctor, set, first, err);
}

enum result doctor_open(const struct doctor_source *source, struct doctor *doctor,
                        struct error *err)
{
    struct data_file file = {0};
    enum result result = source->data ? data_source_read(source->data, &file, err) : OK;
    result = result == OK ? resolve(source, &file, doctor, err) : result;
    data_file_free(&file);
    result = result == OK ? read_names(doctor, err) : result;
    result = result == OK ? doctor_settle_kind(source, doctor, err) : result;
    bool is_same = doctor->set_count == SETS_MAX && doctor->sets[0].path && doctor->sets[1].path &&
                   strcmp(doctor->sets[0].path, doctor->sets[1].path) == 0 &&
                   !data_has_parts(doctor->sets[0].path);
    if (result == OK && is_same) { /* once said, not for every picture */
        struct finding_place place = {.set = SET_VALID,
                                      .sample = NO_SAMPLE,
                                      .path = doctor->data_path ? doctor->data_path
                                                                : doctor->sets[SET_VALID].path,
                                      .line = doctor->valid_line};
        finding_add(&doctor->findings, FINDING_OVERLAP, &place,
                    "valid is the same list as train: nothing is measured on unseen pictures");
        doctor->set_count = 1;
        doctor->valid_is_train = true;
    }
    for (int i = 0; i < doctor->set_count && result == OK; i++) {
        result = open_set(doctor, i, err);
    }
    for (int i = 0; i < doctor->set_count; i++) {
        size_t classes = doctor->sets[i].data.class_count;
        doctor->class_count = classes > doctor->class_count ? classes : doctor->class_count;
    }
    return result;
}

void doctor_close(struct doctor *doctor)
{
    for (int i = 0; i < SETS_MAX; i++) {
        dataset_free(&doctor->sets[i].data);
        mem_free(doctor->sets[i].pictures);
        mem_free(doctor->sets[i].path);
    }
    mem_free(doctor->data_path);
    mem_free(doctor->names_path);
    mem_free(doctor->names);
    finding_list_free(&doctor->findings);
    *doctor = (struct doctor){0};
}

const char *doctor_class_name(const struct doctor *doctor, size_t class_id, char *text, size_t size)
{
    if (class_id < doctor->name_count && doctor->names[class_id][0]) {
        struct error printable;
        error_set(&printable, ERR_FORMAT, "%s", doctor->names[class_id]);
        snprintf(text, size, "%.*s", (int)size - 1, printable.text);
    } else {
        snprintf(text, size, "class %zu", class_id);
    }
    return text;
}

struct finding_place doctor_place(const struct doctor *doctor, int set, size_t sample)
{
    const struct sample *s = &doctor->sets[set].data.samples[sample];
    const char *path = s->list ? s->list : s->image_path;
    return (struct finding_place){set, sample, path, s->list ? s->list_line : 0, 0, NO_SAMPLE};
}

/* ---- boxes ---- */

static int line_of(const struct sample *sample, size_t index)
{
    return sample->lines ? sample->lines[index] : (int)index + 1;
}

static void check_pair(struct doctor *doctor, const struct finding_place *place,
                       const struct sample *sample, size_t index, const struct near *near)
{
    const struct truth *truth = &sample->truths[index];
    const char *line = sample->lines ? "line" : "number";
    int same = near->same, other = near->other;
    char name[128], other_name[128];
    doctor_class_name(doctor, (size_t)truth->class_id, name, sizeof name);
    if (same >= 0) {
        const struct truth *first = &sample->truths[same];
        finding_add(&doctor->findings, FINDING_NEARLY_IDENTICAL, place,
                    "%s: nearly the box of %s %d (IoU %.2f)", name, line,
                    line_of(sample, (size_t)same), (double)box_iou(&first->box, &truth->box));
        doctor->sets[place->set].pictures[place->sample].is_relabelled = true;
    }
    if (other >= 0) {
        const struct truth *first = &sample->truths[other];
        doctor_class_name(doctor, (size_t)first->class_id, other_name, sizeof other_name);
        finding_add(&doctor->findings, FINDING_TWO_CLASSES, place,
                    "%s on nearly the box of %s %d, which is %s (IoU %.2f)", name, line,
                    line_of(sample, (size_t)other), other_name,
                    (double)box_iou(&first->box, &truth->box));
    }
}

static void check_box(struct doctor *doctor, int set, size_t index, size_t truth,
                      const struct near *near)
{
    const struct sample *sample = &doctor->sets[set].data.samples[index];
    const struct picture *picture = &doctor->sets[set].pictures[index];
    const struct box_cxcywh_norm *box = &sample->truths[truth].box;
    struct finding_place place = {
        set,
        index,
        sample->label_path ? sample->label_path : sample->image_path,
        sample->lines ? sample->lines[truth] : 0,
        0,
        NO_SAMPLE,
    };
    if (sample->is_crowd && sample->is_crowd[truth]) {
        return;
    }
    check_pair(doctor, &place, sample, truth, near);
    float w = box->w * (float)picture->w;
    float h = box->h * (float)picture->h;
    if (picture->w > 0 && (w < tiny_pixels || h < tiny_pixels)) {
        finding_add(&doctor->findings, FINDING_TINY, &place,
                    "a box of %.2g x %.2g pixels (picture: %d x %d)", (double)w, (double)h,
                    picture->w, picture->h);
    }
    if (box->w >= whole_side && box->h >= whole_side) {
        finding_add(&doctor->findings, FINDING_WHOLE_PICTURE, &place,
                    "the box is the whole picture");
    }
}

enum result doctor_check_boxes(struct doctor *doctor, struct error *err)
{
    for (int set = 0; set < doctor->set_count; set++) {
        const struct dataset *data = &doctor->sets[set].data;
        for (size_t i = 0; i < data->sample_count; i++) {
            struct near *near;
            TRY(near_find(&data->samples[i], &near, err));
            for (size_t k = 0; k < data->samples[i].truth_count; k++) {
                check_box(doctor, set, i, k, &near[k]);
            }
            mem_free(near);
        }
    }
    return OK;
}

/* ---- classes ---- */

static void check_counts(struct doctor *doctor, const struct network *net)
{
    const struct head_info *head = net ? network_head(net) : NULL;
    struct finding_place place = {.sample = NO_SAMPLE, .path = doctor->names_path};
    if (doctor->names_path && doctor->name_count != doctor->class_count) {
        finding_add(&doctor->findings, FINDING_CLASS_COUNT, &place,
                    "%zu names, but the data set has %zu classes", doctor->name_count,
                    doctor->class_count);
    }
    if (head && (size_t)head->classes != doctor->class_count) {
        place.path = net->cfg.path;
        finding_add(&doctor->findings, FINDING_CLASS_COUNT, &place,
                    "the network has %d classes, the data set %zu", head->classes,
                    doctor->class_count);
    }
}

struct class_name {
    const char *text;
    size_t class_id;
};

static int by_name(const void *a, const void *b)
{
    const struct class_name *x = a;
    const struct class_name *y = b;
    int order = strcmp(x->text, y->text);
    return order ? order : (x->class_id > y->class_id) - (x->class_id < y->class_id);
}

static enum result check_names(struct doctor *doctor, struct error *err)
{
    struct class_name *names = mem_alloc(doctor->name_count, sizeof *names);
    if (!names) {
        return mem_error(err, "names");
    }
    for (size_t i = 0; i < doctor->name_count; i++) {
        names[i] = (struct class_name){doctor->names[i], i};
    }
    if (doctor->name_count > 1) {
        qsort(names, doctor->name_count, sizeof *names, by_name);
    }
    for (size_t i = 1; doctor->names_path && i < doctor->name_count; i++) { /* folders differ */
        struct finding_place place = {.sample = NO_SAMPLE,
                                      .path = doctor->names_path,
                                      .line = names_line(doctor->names_path, names[i].class_id)};
        if (strcmp(names[i].text, names[i - 1].text) == 0) {
            finding_add(&doctor->findings, FINDING_NAME_TWICE, &place,
                        "class %zu has the name of class %zu, %s", names[i].class_id,
                        names[i - 1].class_id, names[i].text);
        }
    }
    mem_free(names);
    return OK;
}

/* What a class has. */
static const char *samples_word(const struct doctor *doctor)
{
    return doctor->kind == DATASET_BOXES   ? "boxes"
           : doctor->kind == DATASET_TABLE ? "rows"
                                           : "pictures";
}

static void check_untrained(struct doctor *doctor, size_t *const counts[SETS_MAX])
{
    for (size_t i = 0; i < doctor->class_count; i++) {
        char name[128];
        const char *path = doctor->names_path ? doctor->names_path : doctor->sets[SET_TRAIN].path;
        struct finding_place place = {.sample = NO_SAMPLE,
                                      .path = path,
                                      .line = doctor->names_path ? names_line(path, i) : 0};
        if (counts[SET_VALID][i] > 0 && counts[SET_TRAIN][i] == 0) {
            finding_add(&doctor->findings, FINDING_UNTRAINED, &place,
                        "%s: %zu %s in valid, none in train",
                        doctor_class_name(doctor, i, name, sizeof name), counts[SET_VALID][i],
                        samples_word(doctor));
        }
    }
}

static void check_unused(struct doctor *doctor, size_t *const counts[SETS_MAX])
{
    char list[400] = "";
    size_t unused = 0;
    for (size_t i = 0; i < doctor->class_count; i++) {
        char name[128];
        size_t used = strlen(list);
        if (counts[SET_TRAIN][i] + counts[SET_VALID][i] > 0) {
            continue;
        }
        unused++;
        doctor_class_name(doctor, i, name, sizeof name);
        if (used + strlen(name) + 8 < sizeof list) {
            snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", name);
        } else if (used > 0 && list[used - 1] != '.') {
            snprintf(list + used, sizeof list - used, "...");
        }
    }
    if (unused > 0) {
        struct finding_place place = {.sample = NO_SAMPLE,
                                      .path = doctor->names_path ? doctor->names_path
                                                                 : doctor->sets[SET_TRAIN].path};
        finding_add(&doctor->findings, FINDING_UNUSED, &place, "%zu of %zu classes have no %s: %s",
                    unused, doctor->class_count, samples_word(doctor), list);
    }
}

static void check_no_boxes(struct doctor *doctor)
{
    for (int set = 0; set < doctor->set_count; set++) {
        const struct doctor_set *s = &doctor->sets[set];
        struct finding_place place = {.set = set, .sample = NO_SAMPLE, .path = s->path};
        char hint[DATASET_HINT];
        if (dataset_count_boxes(&s->data) == 0) {
            finding_add(&doctor->findings, FINDING_NO_BOXES, &place,
                        "%zu pictures, but not one box that can be used: nothing to %s%s",
                        s->data.sample_count, set == SET_TRAIN ? "train on" : "measure",
                        dataset_voc_hint(&s->data, hint));
        }
    }
}

enum result doctor_check_classes(struct doctor *doctor, const struct network *net,
                                 struct error *err)
{
    TRY(check_names(doctor, err));
    size_t *block = mem_alloc(SETS_MAX * (doctor->class_count + 1), sizeof *block);
    if (!block) {
        return mem_error(err, "classes");
    }
    size_t *const counts[SETS_MAX] = {block, block + doctor->class_count + 1};
    for (int set = 0; set < doctor->set_count; set++) {
        const struct dataset *data = &doctor->sets[set].data;
        for (size_t i = 0; i < data->sample_count; i++) {
            if (data->samples[i].class_id >= 0) {
                counts[set][data->samples[i].class_id]++;
            }
            for (size_t k = 0; k < data->samples[i].truth_count; k++) {
                counts[set][data->samples[i].truths[k].class_id]++;
            }
        }
    }
    check_counts(doctor, net);
    if (doctor->kind == DATASET_BOXES) {
        check_no_boxes(doctor);
    }
    if (doctor->set_count > 1) {
        check_untrained(doctor, counts);
    }
    check_unused(doctor, counts);
    mem_free(block);
    return OK;
}
