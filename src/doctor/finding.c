#include "doctor/finding.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct kind {
    const char *slug, *name;
    enum severity severity;
};

static const struct kind kinds[FINDING_KINDS] = {
    [FAULT_NOT_NUMBERS] = {"not-numbers", NULL, SEVERITY_ERROR},
    [FAULT_CLASS_RANGE] = {"class-range", NULL, SEVERITY_ERROR},
    [FAULT_OUTSIDE] = {"outside", NULL, SEVERITY_ERROR},
    [FAULT_CLIPPED] = {"clipped", NULL, SEVERITY_WARNING},
    [FAULT_ZERO_SIZE] = {"zero-size", NULL, SEVERITY_ERROR},
    [FAULT_DUPLICATE] = {"duplicate", NULL, SEVERITY_WARNING},
    [FAULT_NO_LABEL] = {"no-label", NULL, SEVERITY_WARNING},
    [FAULT_EMPTY_LABEL] = {"empty-label", NULL, SEVERITY_NOTE},
    [FAULT_NO_IMAGE] = {"no-image", NULL, SEVERITY_ERROR},
    [FAULT_ORPHAN_LABEL] = {"orphan-label", NULL, SEVERITY_WARNING},
    [FAULT_ANNOTATION] = {"annotation", NULL, SEVERITY_ERROR},
    [FAULT_CONFIDENCE] = {"confidence", NULL, SEVERITY_NOTE},
    [FAULT_POLYGON] = {"polygon", NULL, SEVERITY_NOTE},
    [FINDING_UNREADABLE] = {"unreadable", "pictures that cannot be read", SEVERITY_ERROR},
    [FINDING_SIZE] = {"size", "pictures of another size than stated", SEVERITY_ERROR},
    [FINDING_DIM] = {"nearly-black", "pictures of 16 bits that are nearly black", SEVERITY_NOTE},
    [FINDING_TURNED] = {"turned", "labelled pictures that are to be shown turned",
                        SEVERITY_WARNING},
    [FINDING_OVERLAP] = {"overlap", "pictures in train and in valid", SEVERITY_ERROR},
    [FINDING_SIMILAR_OVERLAP] = {"similar-overlap", "pictures of valid that look like one of train",
                                 SEVERITY_WARNING},
    [FINDING_COPY] = {"copy", "pictures given twice", SEVERITY_WARNING},
    [FINDING_SIMILAR] = {"similar", "pictures that look like another one", SEVERITY_NOTE},
    [FINDING_NEARLY_IDENTICAL] = {"nearly-identical", "boxes nearly on another of their class",
                                  SEVERITY_WARNING},
    [FINDING_TWO_CLASSES] = {"two-classes", "boxes nearly on another of some other class",
                             SEVERITY_WARNING},
    [FINDING_TINY] = {"tiny", "boxes of less than two pixels", SEVERITY_WARNING},
    [FINDING_WHOLE_PICTURE] = {"whole-picture", "boxes around a whole picture", SEVERITY_NOTE},
    [FINDING_CLASS_COUNT] = {"class-count", "numbers of classes that disagree", SEVERITY_ERROR},
    [FINDING_NAME_TWICE] = {"name-twice", "classes of one name", SEVERITY_WARNING},
    [FINDING_NO_BOXES] = {"no-boxes", "sets without a box", SEVERITY_ERROR},
    [FINDING_UNTRAINED] = {"untrained", "classes of valid that train lacks", SEVERITY_WARNING},
    [FINDING_UNUSED] = {"unused", "lists of classes without boxes", SEVERITY_NOTE},
    [FINDING_SMALL_FOR_NETWORK] = {"small-for-network", "sets with boxes too small for the network",
                                   SEVERITY_NOTE},
    [FINDING_CLASH] = {"clash", "samples that are the same and of two classes", SEVERITY_ERROR},
    [FINDING_ROW_OVERLAP] = {"row-overlap", "rows in train and in valid", SEVERITY_ERROR},
    [FINDING_ROW_COPY] = {"row-copy", "rows given twice", SEVERITY_WARNING},
    [FINDING_OTHER_VALUES] = {"other-values", "rows with the features of another one",
                              SEVERITY_NOTE},
    [FINDING_CONSTANT] = {"constant", "columns that are always the same", SEVERITY_WARNING},
    [FINDING_FAR] = {"far", "columns far from a mean of 0 and a deviation of 1", SEVERITY_NOTE},
};

const char *finding_slug(enum finding_kind kind)
{
    return kinds[kind].slug;
}

const char *finding_name(enum finding_kind kind)
{
    return (int)kind < FAULT_COUNT ? label_fault_name((enum label_fault)kind) : kinds[kind].name;
}

enum severity finding_severity(enum finding_kind kind)
{
    return kinds[kind].severity;
}

const char *severity_name(enum severity severity)
{
    static const char *const names[] = {"note", "warning", "error"};
    return names[severity];
}

void finding_add(struct finding_list *list, enum finding_kind kind,
                 const struct finding_place *place, const char *fmt, ...)
{
    char raw[2048];
    struct error text; /* one printable line, whatever a file contained */
    va_list args;
    va_start(args, fmt);
    vsnprintf(raw, sizeof raw, fmt, args);
    va_end(args);
    error_set(&text, ERR_FORMAT, "%s", raw);
    list->counts[kind]++;
    if (mem_grow((void **)&list->items, list->count, &list->capacity, sizeof *list->items, NULL) !=
        OK) {
        list->out_of_memory = true;
        return;
    }
    struct finding *f = &list->items[list->count];
    *f = (struct finding){kind,
                          place->set,
                          place->sample,
                          mem_strdup(place->path),
                          place->line,
                          mem_strdup(text.text),
                          place->other_set,
                          place->other_sample};
    if (!f->path || !f->text) {
        mem_free(f->path);
        mem_free(f->text);
        list->out_of_memory = true;
        return;
    }
    list->count++;
}

struct keyed {
    struct finding finding;
    size_t place;
};

static int by_weight(const void *a, const void *b)
{
    const struct keyed *x = a;
    const struct keyed *y = b;
    int heavy = (int)kinds[y->finding.kind].severity - (int)kinds[x->finding.kind].severity;
    int kind = (int)x->finding.kind - (int)y->finding.kind;
    int path = heavy || kind ? 0 : strcmp(x->finding.path, y->finding.path);
    int line = x->finding.line - y->finding.line;
    int place = (x->place > y->place) - (x->place < y->place);
    return heavy ? heavy : kind ? kind : path ? path : line ? line : place;
}

static bool is_same(const struct finding *a, const struct finding *b)
{
    return a->kind == b->kind && a->line == b->line && strcmp(a->path, b->path) == 0 &&
           strcmp(a->text, b->text) == 0;
}

static void finding_free(struct finding *f)
{
    mem_free(f->path);
    mem_free(f->text);
}

enum result finding_sort(struct finding_list *list, struct error *err)
{
    struct keyed *keyed = mem_alloc(list->count, sizeof *keyed);
    if (list->out_of_memory || !keyed) {
        mem_free(keyed);
        return mem_error(err, "findings");
    }
    for (size_t i = 0; i < list->count; i++) {
        keyed[i] = (struct keyed){list->items[i], i};
    }
    if (list->count > 1) {
        qsort(keyed, list->count, sizeof *keyed, by_weight);
    }
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++) {
        struct finding *f = &keyed[i].finding;
        if (count > 0 && is_same(f, &list->items[count - 1])) {
            list->counts[f->kind]--;
            finding_free(f);
        } else {
            list->items[count++] = *f;
        }
    }
    list->count = count;
    mem_free(keyed);
    return OK;
}

size_t finding_count(const struct finding_list *list, enum severity severity)
{
    size_t count = 0;
    for (int i = 0; i < FINDING_KINDS; i++) {
        count += kinds[i].severity == severity ? list->counts[i] : 0;
    }
    return count;
}

void finding_list_free(struct finding_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        finding_free(&list->items[i]);
    }
    mem_free(list->items);
    *list = (struct finding_list){0};
}
