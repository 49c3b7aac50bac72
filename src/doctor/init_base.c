#include "doctor/init_base.h"

#include <math.h>
#include <string.h>

#include "base/path.h"
#include "net/weights.h"
#include "run/model.h"
#include "train/base_cfg.h"
#include "train/recipe.h"

/* What a core of a usual machine computes in a training, and how long somebody waits for one. */
static const double GFLOPS_A_CORE = 30.0, MOST_HOURS = 24.0;
/* From nothing only networks up to this size have been measured (docs/recipe.md). */
static const double SMALL_VALUES = 1e7;
/* So many of the boxes may be smaller than a cell of the finest grid. */
static const double MOST_SMALL = 0.1;
/* Forward, and twice as much backward. */
static const double TRAINING_FLOPS = 3.0;

/* ---- what a base is to these pictures ---- */

static int finest_stride(const struct network *net)
{
    const struct layer *head;
    int stride = 0;
    for (int n = 0; (head = network_head_layer(net, n)) != NULL; n++) {
        int own = head->out.w > 0 ? net->size.w / head->out.w : 0;
        stride = stride == 0 || own < stride ? own : stride;
    }
    return stride;
}

static double small_share(const struct dataset *set, const struct network *net, int stride)
{
    size_t small = 0, all = 0;
    for (size_t i = 0; i < set->sample_count; i++) {
        for (size_t k = 0; k < set->samples[i].truth_count; k++) {
            const struct box_cxcywh_norm *box = &set->samples[i].truths[k].box;
            double area = (double)box->w * net->size.w * (double)box->h * net->size.h;
            small += area < (double)stride * stride;
            all++;
        }
    }
    return all > 0 ? (double)small / (double)all : 0.0;
}

/* The length of the longest stem that the weights' name begins with. */
static size_t named_by(const char *stem, const char *weights)
{
    size_t length = strlen(stem);
    const char *base = path_base(weights);
    bool is_whole =
        strncmp(base, stem, length) == 0 && (base[length] == '.' || base[length] == '_');
    return is_whole ? length : 0;
}

static enum result measure(const struct init_base_basis *b, struct init_base *base,
                           struct error *err)
{
    struct network net = {0};
    char path[MODEL_PATH];
    (void)model_find_own("cfg", base->stem, "cfg", path);
    enum result result = network_read(path, b->imgsz.w, b->imgsz.h, &net, err);
    if (result == OK) {
        base->has_weights =
            !weights_are_none(b->weights) &&
            (b->weights || model_find_bundled("weights", base->stem, "weights", path));
        base->gflop = network_flops(&net) / 1e9;
        base->values = (double)network_param_floats(&net, net.layer_count, NULL);
        base->stride = finest_stride(&net);
        base->small = small_share(b->set, &net, base->stride);
        (void)recipe_subdivisions(&net, b->kernels, NULL, RECIPE_BATCH, &base->bytes);
        double passes =
            b->images > 0 ? recipe_epochs(b->images, RECIPE_BATCH, base->has_weights) : 0;
        base->hours = passes * (double)b->images * base->gflop * TRAINING_FLOPS /
                      (GFLOPS_A_CORE * b->cores) / 3600.0;
    }
    network_free(&net);
    return result;
}

/* ---- which ---- */

static bool fits(const struct init_base_basis *b, const struct init_base *base)
{
    return b->memory <= 0.0 || base->bytes <= b->memory;
}

static bool is_learnable(const struct init_base *base)
{
    return base->has_weights || base->values < SMALL_VALUES;
}

static bool sees(const struct init_base *base)
{
    return base->small <= MOST_SMALL;
}

/* Is `a` the better base? The first difference decides. */
static bool is_better(const struct init_base_basis *b, const struct init_base *x,
                      const struct init_base *y)
{
    bool is_large[2] = {x->has_weights && x->values >= SMALL_VALUES,
                        y->has_weights && y->values >= SMALL_VALUES};
    const struct init_base *both[2] = {x, y};
    int marks[2][5];
    for (int i = 0; i < 2; i++) {
        marks[i][0] = fits(b, both[i]);
        marks[i][1] = is_learnable(both[i]);
        marks[i][2] = both[i]->hours <= MOST_HOURS;
        marks[i][3] = is_large[i];
        marks[i][4] = sees(both[i]);
    }
    for (int k = 0; k < 5; k++) {
        if (marks[0][k] != marks[1][k]) {
            return marks[0][k] > marks[1][k];
        }
        if (k == 2 && !marks[0][k] && x->hours != y->hours) {
            return x->hours < y->hours;
        }
    }
    if (x->stride != y->stride) { /* a finer grid costs time: not where it is not needed */
        return sees(x) ? x->stride > y->stride : x->stride < y->stride;
    }
    return x->gflop > y->gflop;
}

static void explain(const struct init_base_basis *b, struct init_base *base,
                    const struct init_base *chosen)
{
    if (base == chosen) {
        snprintf(base->why, sizeof base->why, "chosen%s",
                 !fits(b, base)                 ? ", though it will hardly fit into the memory"
                 : base->hours > MOST_HOURS     ? ", as the quickest"
                 : base->has_weights            ? ": its weights are here"
                 : b->images > 0 && !sees(base) ? ": the finest grid for these small boxes"
                                                : "");
    } else if (!fits(b, base)) {
        snprintf(base->why, sizeof base->why, "one picture at a time takes %.2g GB, of %.3g",
                 base->bytes / 1e9, b->memory / 1e9);
    } else if (!is_learnable(base)) {
        snprintf(base->why, sizeof base->why,
                 "no weights/%s.weights here, and from nothing it wants many more pictures",
                 base->stem);
    } else if (base->hours > MOST_HOURS) {
        snprintf(base->why, sizeof base->why, "longer than a day");
    } else if (!sees(base) && sees(chosen)) {
        snprintf(base->why, sizeof base->why, "%.0f %% of the boxes are smaller than its cells",
                 100.0 * base->small);
    } else if (base->stride < chosen->stride) {
        snprintf(base->why, sizeof base->why, "a finer grid than these boxes need");
    } else if (base->stride > chosen->stride) {
        snprintf(base->why, sizeof base->why, "a coarser grid");
    } else {
        snprintf(base->why, sizeof base->why, "learns less: fewer computations a picture");
    }
}

enum result init_base_choose(const struct init_base_basis *basis, struct init_bases *bases,
                             struct error *err)
{
    struct init_base_basis b = *basis;
    size_t longest = 0;
    *bases = (struct init_bases){.count = 0};
    if (!b.kernels) {
        TRY(kernels_select(NULL, &b.kernels, err));
    }
    bool is_named = b.weights && !weights_are_none(b.weights);
    for (size_t i = 0; i < base_cfg_detectors && bases->count < INIT_BASES; i++) {
        char path[MODEL_PATH];
        const char *stem = base_cfg_stems[i];
        size_t named = is_named ? named_by(stem, b.weights) : 0;
        if (!model_find_own("cfg", stem, "cfg", path) || (is_named && named <= longest)) {
            continue;
        }
        longest = named;
        bases->count = is_named ? 0 : bases->count; /* one that is named more closely */
        struct init_base *base = &bases->of[bases->count];
        *base = (struct init_base){.stem = stem};
        TRY(measure(&b, base, err));
        bases->count++;
    }
    if (bases->count == 0 && is_named) {
        return error_set(err, ERR_ARG,
                         "--weights %.200s: of which network? (--base STEM or a .cfg file)",
                         b.weights);
    }
    if (bases->count == 0) {
        return error_set(
            err, ERR_ARG,
            "--base auto: no cfg folder beside the program (name a .cfg: --base FILE)");
    }
    for (size_t i = 1; i < bases->count; i++) {
        if (is_better(&b, &bases->of[i], &bases->of[bases->chosen])) {
            bases->chosen = i;
        }
    }
    for (size_t i = 0; i < bases->count; i++) {
        explain(&b, &bases->of[i], &bases->of[bases->chosen]);
    }
    return OK;
}

void init_base_print(const struct init_base_basis *b, const struct init_bases *bases, FILE *out)
{
    fprintf(out, "base       %s, by ", bases->of[bases->chosen].stem);
    if (b->images > 0) {
        fprintf(out, "%zu pictures, ", b->images);
    }
    fprintf(out, "%d cores and %.3g GB (--base STEM overrules it)\n", b->cores, b->memory / 1e9);
    fprintf(out, "  %-15s %6s %8s %4s %6s  %-10s\n", "", "GFLOP", "values", "grid", "small",
            "training");
    for (size_t i = 0; i < bases->count; i++) {
        const struct init_base *base = &bases->of[i];
        char hours[24] = "-";
        if (b->images > 0) {
            snprintf(hours, sizeof hours, base->hours < 1.0 ? "%.0f min" : "%.0f h",
                     base->hours < 1.0 ? ceil(base->hours * 60.0) : base->hours);
        }
        fprintf(out, "  %-15s %6.1f %6.1f M %4d %4.0f %%  %-10s %s\n", base->stem, base->gflop,
                base->values / 1e6, base->stride, 100.0 * base->small, hours, base->why);
    }
}
