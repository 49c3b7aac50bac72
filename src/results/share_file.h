/* The detections of one share of an evaluation, exact, and what must agree among shares; JSON Lines:
 *
 *   {"share": "2/4", "pictures": 103, "settings": {"conf": "0.005", ...}, "thresholds": [...], "classes": ["dog", ...]}
 *   {"picture": 26, "image": "a.jpg", "width": 640, "height": 480, "objects": [
 *       {"class_id": 0, "name": "dog", "confidence": 0.98, "bbox": [x, y, w, h]}...]}
 *   {"picture": 27, "image": "b.jpg", "error": "cannot be read"}
 *
 * "picture" is the place among all shares' pictures, from 0. All files of one evaluation, in any order, are what a single process
 * finds, to the last bit (results/results_file.h reads them). */
#ifndef RESULTS_SHARE_FILE_H
#define RESULTS_SHARE_FILE_H

#include "base/json_reader.h"
#include "base/shard.h"
#include "eval/eval_set.h"

enum { SHARE_SETTINGS = 12, SHARE_TEXT = 4096 };

struct share_setting {
    const char *name, *value;
};

struct share_head {
    struct shard shard;                            /* count 0: not the file of a share */
    size_t pictures;                               /* of all shares together */
    struct share_setting settings[SHARE_SETTINGS]; /* [setting_count] */
    size_t setting_count;
    float *thresholds; /* [class_count] by class, or NULL */
    char **classes;    /* [class_count] */
    size_t class_count;
};

/* "share-02-of-16.jsonl" in the folder, into path[size]: in the order of their names shares are in order, too. */
NODISCARD enum result share_path(const char *folder, const struct shard *shard, char *path,
                                 size_t size, struct error *err);

/* The set holds only the pictures of the share, and what was found in them. The head borrows everything, and has the classes of
 * the set. */
NODISCARD enum result share_file_write(const char *path, const struct share_head *head,
                                       const struct eval_set *set, struct error *err);

/* The head of a file, all owned, if it begins with one; else shard.count is 0. *head must be zeroed; free with
 * share_head_free, also after an error. ERR_FORMAT for what is no JSON. */
NODISCARD enum result share_head_read(const char *path, struct share_head *head, struct error *err);
/* The rest of a head whose first key, "share", has just been read. */
bool share_head_take(struct json_reader *r, struct share_head *head);
void share_head_free(struct share_head *head);

/* The first thing in which two heads differ apart from the share's number, as "conf is 0.25, but 0.005"; "" if there is none. */
void share_head_differs(const struct share_head *head, const struct share_head *first, char *text,
                        size_t size);

#endif
