/* Pictures through a network, as the slots of a stream (data/stream.h); boxes back on the picture, or its classes. What detect,
 * classify and eval share. There are two ways:
 *
 *   few pictures, or batches:  loaders read and fit | all threads compute a batch together
 *   many pictures:             each thread takes a picture from its file to its boxes, through a plan of its own (a lane)
 *
 * The first has the first result soonest. The second has twice the pictures a second: no thread waits for another, and there are
 * no more of them than cores. Both give the same bits. */
#ifndef RUN_INFER_H
#define RUN_INFER_H

#include <stdbool.h>

#include "run/model.h"
#include "results/results.h"
#include "data/image.h"
#include "run/detect.h"
#include "run/thresholds.h"

enum infer_fit { FIT_AS_CFG, FIT_LETTERBOX, FIT_STRETCH };

/* --letterbox, --stretch: rows for a table whose target is an int that holds an enum infer_fit. */
extern const struct option fit_options[];

/* How pictures come into the network: as asked for, else as the cfg says; those of a classifier by their middle. */
enum image_way infer_way(int fit, const struct network *net);

enum { INFER_MAX_BATCH = 1024 };
#define INFER_BATCH_HELP                                                                           \
    "pictures computed together, on all threads; default: of many pictures each thread takes "     \
    "one, of few all threads take one after another"

/* What the options came to. */
struct infer_args {
    const char *confidence; /* --conf, as thresholds_open takes it; NULL: rest_confidence */
    float rest_confidence, iou;
    int fit;             /* enum infer_fit */
    int batch;           /* 1 .. INFER_MAX_BATCH; 0: lanes for many pictures, else 1 */
    int max_detections;  /* a picture; 0 = all */
    int top;             /* classes of a picture that a classifier tells, best first; 0 = all */
    bool agnostic;       /* boxes suppress each other across classes */
    const bool *classes; /* [class count] wanted; NULL = all. Must outlive the run */
    bool keeps_pictures; /* until the slot is done: they are wanted for saving */
};

struct infer {
    struct model *model;
    struct plan *plan;
    struct plan **
        lanes; /* [helpers], plans with the weights of `plan`; NULL: pictures are computed in batches */
    struct thresholds thresholds;
    struct detect_options options;
    enum image_way way;
    bool keeps_pictures;
    size_t top; /* classes to tell; 0: a detector */
    int batch;
    bool may_have_lanes;
    int helpers; /* loader threads */
};

/* A plan for the model, which must be a detector or a classifier (ERR_CFG otherwise); run: the training's folder that it was
 * named by, or NULL. *infer must be zeroed. infer_close also after an error. */
NODISCARD enum result infer_open(struct model *model, const char *run,
                                 const struct infer_args *args, struct infer *infer,
                                 struct error *err);
void infer_close(struct infer *infer);

/* As many pictures as make lanes worth while. */
size_t infer_many(void);
/* Before the stream: at least so many pictures will come. Lanes are opened for infer_many of them, unless a batch was asked for or
 * memory is short. */
void infer_expect(struct infer *infer, size_t pictures);

/* One picture on its way. The slots of the stream begin with it. */
struct infer_slot {
    bool has_failed;
    struct error err; /* why */

    struct image picture; /* only if pictures are kept */
    struct image_fit fit;
    float *pixels; /* the network's input, allocated at first use; lanes need none */
    size_t *best;  /* [top], likewise */
    struct detection_list list;
    struct result_object *objects;
    size_t object_capacity;
    struct result_record record; /* image, image_id: the caller's */
};

/* Ready for another picture; `path` must stay as it is until the slot is done. */
void infer_start(struct infer_slot *slot, const char *path);

/* In loader thread `helper`: read and fit record.image, and with lanes all the rest. Nothing happens to a slot that has failed. */
void infer_load(const struct infer *infer, struct infer_slot *slot, int helper);

/* Without lanes: the network on a batch of slots, and what it found; fills record. */
void infer_compute(const struct infer *infer, void *const *slots, int count);

/* Of the pictures that were computed. */
struct infer_times {
    size_t images;
    double load_ms, infer_ms, post_ms; /* sums */
    int lanes;                         /* pictures at a time */
};

void infer_add_times(const struct infer *infer, const struct result_record *record,
                     struct infer_times *times);
/* A line of the log: the means, and the rate over the whole time. Nothing without images. */
void infer_say_times(const struct infer_times *times, double wall_ms);

/* Free the picture once it is not needed any more; everything, as a stream's destroy hook. */
void infer_drop_picture(struct infer_slot *slot);
void infer_destroy(void *ctx, void *slot);

#endif
