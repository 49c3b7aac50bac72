/* The model a command works on: how the user names it, and the files read and made ready. */
#ifndef RUN_MODEL_H
#define RUN_MODEL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/options.h"
#include "net/network.h"
#include "net/plan.h"
#include "net/quant.h"
#include "net/task.h"

/* Targets of model_options. Zeroed = the defaults. */
struct model_args {
    const char *cfg, *weights, *names, *data; /* files */
    const char *model, *run;                  /* a stem; a training run's folder */
    struct option_size imgsz;                 /* 0 = the cfg's, or the run's */
    char *const *
        class_names; /* [class_name_count], of the data: where no names file is named; or NULL. Outlive the call */
    size_t class_name_count;
    const char *class_folder; /* where those are from */
    int threads;              /* 0 = the default of base/parallel.h */
    const char *cpu;          /* NULL = the best */
    bool no_winograd;
    int precision; /* enum model_precision */
    int jpeg;      /* enum image_jpeg */
};

enum model_precision { PRECISION_FP32, PRECISION_INT8 };

/* A group for struct usage: {"Model", model_options, &args.model}. */
extern const struct option model_options[];
/* The part that concerns the machine: threads, cpu, no-winograd; {"Machine", machine_options,
 * &args.model}. */
extern const struct option machine_options[];
/* --jpeg, where pictures are read: {"JPEG files", picture_options, &args.model}. */
extern const struct option picture_options[];
/* --precision, where the network may run on bytes: {"Arithmetic", precision_options, &args.model}. */
extern const struct option precision_options[];

enum model_need {
    MODEL_CFG_ONLY, /* names and weights are not looked for; no parameter memory */
    MODEL_TRAIN, /* the start of a training: weights only if named, or the bundled model's; they are not
                    loaded, and there is no parameter memory */
    MODEL_ANY,     /* weights if found, else random numbers of a realistic size stand in */
    MODEL_PARTIAL, /* weights are needed; they may end early (a .conv.N file), with a warning */
    MODEL_WHOLE,   /* weights for every layer, or an error */
};

enum { MODEL_PATH = 4096 };

struct model {
    struct network net;
    const struct kernels *kernels;
    enum net_task task; /* TASK_CLASSIFY also for TASK_REGRESS with a name for each value */
    const struct head_info *head; /* NULL if the network has no detection head */
    char **names;                 /* [name_count], "class_0"... where no names file was found */
    size_t name_count;            /* classes of the heads or of the classifier; else 0 */
    struct quantization quant;    /* with --precision int8; layers NULL: fp32 */
    struct weights_file *weights; /* open, but not read yet; NULL: in memory, or not asked for */
    char cfg_path[MODEL_PATH], weights_path[MODEL_PATH], names_path[MODEL_PATH]; /* "" = none */
};

/* --weights none: random numbers, even where weights lie at hand. */
bool weights_are_none(const char *weights);

/* Find the files, read them, and say on stderr which were taken. Sets
 * the number of threads. *model must be zeroed; free with model_close, also after an error. */
NODISCARD enum result model_open(const struct model_args *args, enum model_need need,
                                 struct model *model, struct error *err);
void model_close(struct model *model);

/* Read the weights into the network's own memory, for whoever needs more of them than a plan; once is enough. */
NODISCARD enum result model_load(struct model *model, struct error *err);

/* folder/stem.extension, relative to the working directory, then to the program's own folder, into
 * out[MODEL_PATH]; false and "" if there is no such file. */
bool model_find_bundled(const char *folder, const char *stem, const char *extension, char *out);

/* The class names of a training run's folder; *names (mem_free) as names_read gives them. ERR_ARG if it has none. */
NODISCARD enum result model_run_names(const char *run, char ***names, size_t *count,
                                      struct error *err);

/* The other way round: what came with the program, where a file of the same name here may have been changed. */
bool model_find_own(const char *folder, const char *stem, const char *extension, char *out);

/* The cfg of the run in whose folder the weights lie, into out[MODEL_PATH]; false: none. */
bool model_find_weights_cfg(const char *weights, char *out);

/* The names of the classes for which the weights were trained, where that is known and not guessed: STEM.names beside
 * them or where models live, the list of the training run whose folder they lie in, COCO's for a published model of 80
 * classes. out[MODEL_PATH]; false and "": not known. */
bool model_find_weights_names(const char *weights, int classes, char *out);

/* Are these the weights that come with the program? */
bool model_is_bundled(const struct model *model);

/* Where the quantisation of weights lies: beside them, STEM.int8. ERR_ARG if that is too long. */
NODISCARD enum result model_quant_path(const char *weights, char *out, struct error *err);

/* The stem of the cfg's file name: "yolov4". */
void model_stem(const struct model *model, char *stem, size_t size);

/* ERR_UNSUPPORTED with path:line of channels= unless pictures can be fed to the network. For every command
 * whose input is pictures, before the first one. */
NODISCARD enum result model_check_pictures(const struct network *net, struct error *err);

/* A plan for inference on the model's kernels; keep_outputs as in plan.h; once a model, whose weights are read for it
 * or, loaded, given back. Free with plan_free before model_close. */
NODISCARD enum result model_plan(struct model *model, int batch, bool keep_outputs,
                                 struct plan **plan, struct error *err);
/* Another one for a picture at a time, with the packed weights of the first, which must outlive it. */
NODISCARD enum result model_plan_beside(struct model *model, const struct plan *packed,
                                        struct plan **plan, struct error *err);

#endif
