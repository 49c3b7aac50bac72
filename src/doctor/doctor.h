/* The dataset doctor: reads the sets of a .data file and collects what is wrong. Changes nothing. */
#ifndef DOCTOR_DOCTOR_H
#define DOCTOR_DOCTOR_H

#include <stdbool.h>

#include "data/dataset.h"
#include "doctor/finding.h"
#include "doctor/heads.h"
#include "doctor/phash.h"

enum { SET_TRAIN, SET_VALID, SETS_MAX };

/* What is known of a sample beyond its labels. */
struct picture {
    int w, h;           /* 0: not known */
    bool is_read;       /* it could be decoded */
    bool is_bad;        /* it could not */
    bool is_dim;        /* image.is_dim */
    bool is_copy;       /* content of an earlier one of its set */
    bool is_shared;     /* of train, and valid has the content, too */
    bool is_relabelled; /* its label file has faults */
    int orientation;    /* exif_orientation */
    uint64_t file_hash, pixel_hash;
    struct look look;
};

struct doctor_set {
    const char *role; /* "train", "valid" */
    char *path;       /* the list */
    struct dataset data;
    struct picture *pictures; /* [data.sample_count] */
};

struct doctor {
    struct doctor_set sets[SETS_MAX];
    int set_count;
    char *data_path;     /* the .data file; NULL if lists were given */
    int valid_line;      /* in it */
    bool valid_is_train; /* one list for both: there is no set of valid then */
    char *names_path;    /* NULL: none */
    char **names;        /* [name_count] */
    size_t name_count, class_count;
    const char *images[SETS_MAX]; /* of the source; borrowed */
    bool has_read;                /* pictures were read */
    enum dataset_kind kind;       /* of both sets */
    size_t features, targets;     /* of the network, if there is one and it has no boxes */
    bool needs_no_targets;
    struct finding_list findings;
};

struct doctor_source {
    const char *data;             /* data/data_source.h, or NULL */
    const char *train, *valid;    /* lists, folders, data.yaml, COCO .json; NULL: those of data */
    const char *names;            /* NULL: that of data */
    const char *images[SETS_MAX]; /* the folder of a COCO .json's pictures; NULL: looked for */
    int classes;                  /* 0: that of data, else the number of names */
    const struct network *net;    /* that is to be trained; NULL: not known */
};

/* Read all labels; faults become findings. *doctor must be zeroed. ERR_* only if a set as a whole
 * is unusable. Free with doctor_close, also after an error. */
NODISCARD enum result doctor_open(const struct doctor_source *source, struct doctor *doctor,
                                  struct error *err);

/* Part of doctor_open, before the sets are read: doctor->kind, by the network if there is one, else by what lies there (folders of
 * pictures without labels are classes); and the parts and classes of a folder. ERR_* for a network that cannot learn from
 * what is named. */
NODISCARD enum result doctor_settle_kind(const struct doctor_source *source, struct doctor *doctor,
                                         struct error *err);

/* Decode every picture, on all threads: unreadable ones become findings; fills picture. */
NODISCARD enum result doctor_read_pictures(struct doctor *doctor, struct error *err);

/* Repeated, tiny and whole-picture boxes. Uses what is known of picture sizes. */
NODISCARD enum result doctor_check_boxes(struct doctor *doctor, struct error *err);

/* Equal pictures: by path, and by content if pictures were read; then by look. */
NODISCARD enum result doctor_check_copies(struct doctor *doctor, struct error *err);

/* Without boxes: the same pictures or rows with different classes, rows given twice, columns that say nothing. */
NODISCARD enum result doctor_check_values(struct doctor *doctor, struct error *err);

/* Names, classes with and without boxes, and the classes of the network if net is given. */
NODISCARD enum result doctor_check_classes(struct doctor *doctor, const struct network *net,
                                           struct error *err);

void doctor_close(struct doctor *doctor);

/* "dog", or "class 7" without names; into text[size], printable. */
const char *doctor_class_name(const struct doctor *doctor, size_t class_id, char *text,
                              size_t size);

/* Where a sample is named: its line in the list, or its own path. */
struct finding_place doctor_place(const struct doctor *doctor, int set, size_t sample);

#endif
