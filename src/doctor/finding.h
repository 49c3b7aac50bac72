/* What is wrong with a data set, or looks so. */
#ifndef DOCTOR_FINDING_H
#define DOCTOR_FINDING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "data/dataset.h"

enum severity {
    SEVERITY_NOTE,    /* worth knowing; no fault */
    SEVERITY_WARNING, /* usable, but probably not meant so */
    SEVERITY_ERROR    /* something is skipped, or makes figures wrong */
};

/* The first FAULT_COUNT kinds are those of data/dataset.h. */
enum finding_kind {
    FINDING_UNREADABLE = FAULT_COUNT, /* a picture that cannot be decoded */
    FINDING_SIZE,                     /* a picture that is not as large as its COCO file says */
    FINDING_DIM,                      /* a picture of 16 bits a channel that is nearly black */
    FINDING_TURNED,                   /* a labelled picture that is to be shown turned */
    FINDING_OVERLAP,                  /* the same content in train and valid */
    FINDING_SIMILAR_OVERLAP,          /* nearly the same look in train and valid */
    FINDING_COPY,                     /* the same content twice in one set */
    FINDING_SIMILAR,                  /* nearly the same look in one set */
    FINDING_NEARLY_IDENTICAL,         /* two boxes of one class nearly on each other */
    FINDING_TWO_CLASSES,              /* two boxes of two classes nearly on each other */
    FINDING_TINY,                     /* a box of under two pixels */
    FINDING_WHOLE_PICTURE,            /* a box that is the whole picture */
    FINDING_CLASS_COUNT,              /* names, classes and cfg disagree */
    FINDING_NAME_TWICE,               /* two classes of one name */
    FINDING_NO_BOXES,                 /* a set without a box that can be used */
    FINDING_UNTRAINED,                /* a class of valid that train lacks */
    FINDING_UNUSED,                   /* classes without a box */
    FINDING_SMALL_FOR_NETWORK,        /* many boxes of a few pixels on the network's input */
    FINDING_CLASH,                    /* the same picture or features with two classes */
    FINDING_ROW_OVERLAP,              /* the same row in train and valid */
    FINDING_ROW_COPY,                 /* the same row twice in one table */
    FINDING_OTHER_VALUES,             /* the same features with other values */
    FINDING_CONSTANT,                 /* a column that is always the same */
    FINDING_FAR,                      /* a column far from mean 0 and deviation 1 */
    FINDING_KINDS
};

const char *finding_slug(enum finding_kind kind); /* "zero-size" */
const char *finding_name(enum finding_kind kind); /* "boxes without area" */
enum severity finding_severity(enum finding_kind kind);
const char *severity_name(enum severity severity);

#define NO_SAMPLE ((size_t)-1)

struct finding {
    enum finding_kind kind;
    int set;       /* number of the set */
    size_t sample; /* its sample, NO_SAMPLE if it concerns none */
    char *path;    /* where it is to be mended */
    int line;      /* 0: the whole file */
    char *text;    /* one printable line */
    int other_set; /* what it is like, for pairs of pictures */
    size_t other_sample;
};

/* Zeroed = empty. Memory that ran out is remembered rather than reported at each call. */
struct finding_list {
    struct finding *items;
    size_t count, capacity;
    size_t counts[FINDING_KINDS];
    bool out_of_memory;
};

struct finding_place {
    int set;
    size_t sample;
    const char *path;
    int line;
    int other_set;
    size_t other_sample;
};

void finding_add(struct finding_list *list, enum finding_kind kind,
                 const struct finding_place *place, const char *fmt, ...) PRINTF_LIKE(4, 5);

/* Errors first, then warnings, then notes; by kind, path and line; else as they were found. What
 * was said twice (a label file read for two entries of a list) is kept once. ERR_MEMORY if an
 * addition failed. */
NODISCARD enum result finding_sort(struct finding_list *list, struct error *err);

size_t finding_count(const struct finding_list *list, enum severity severity);

void finding_list_free(struct finding_list *list);

#endif
