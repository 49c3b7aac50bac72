#include "report/compare.h"

#include <math.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "report/run_table.h"
#include "run/run_args.h"

/* ---- may they be compared? ---- */

struct names {
    char **items;
    size_t count;
};

static enum result compare_names(const char *folder, const struct names *first, const char *other,
                                 const struct names *names, struct error *err)
{
    size_t most = names->count < first->count ? names->count : first->count;
    for (size_t k = 0; k < most; k++) {
        if (strcmp(first->items[k], names->items[k]) != 0) {
            error_set(err, ERR_ARG, "%s: class %zu is '%s', in %s it is '%s'", other, k,
                      names->items[k], folder, first->items[k]);
            return error_hint(err, "only runs with the same classes can be compared");
        }
    }
    if (names->count == first->count) {
        return OK;
    }
    const struct names *more = names->count > first->count ? names : first;
    error_set(err, ERR_ARG, "%s has %zu classes, %s %zu: '%s' is in one alone", other, names->count,
              folder, first->count, more->items[most]);
    return error_hint(err, "only runs with the same classes can be compared");
}

static enum result check_names(const char *const *folders, size_t count, struct error *err)
{
    struct names first = {0};
    enum result result = model_run_names(folders[0], &first.items, &first.count, err);
    for (size_t i = 1; i < count && result == OK; i++) {
        struct names names = {0};
        result = model_run_names(folders[i], &names.items, &names.count, err);
        if (result == OK) {
            result = compare_names(folders[0], &first, folders[i], &names, err);
        }
        mem_free(names.items);
    }
    mem_free(first.items);
    return result;
}

/* ---- measuring ---- */

static void read_length(struct compared_run *run)
{
    struct run_table table = {0};
    struct error why;
    run->updates = run->seconds = (double)NAN;
    if (run_table_read(run->folder, &table, &why) == OK) {
        run->updates = run_table_latest(&table, RUN_ITERATION);
        run->seconds = run_table_latest(&table, RUN_SECONDS);
    } else {
        log_warn("%s", why.text);
    }
    run_table_free(&table);
}

/* data: that of the first run, where the options name none; NULL for the first. */
static enum result measure_run(const struct evaluate_options *options, const char *data,
                               struct compared_run *run, struct error *err)
{
    run->model = *options->model;
    run->model.run = run->folder;
    run->model.data = data ? data : run->model.data;
    run->options = *options;
    run->options.model = &run->model;
    TRY(evaluate(&run->options, &run->found, err));
    evaluated_drop_network(&run->found);
    return !run->found.is_of_values
               ? OK
               : error_set(err, ERR_ARG, "--compare measures boxes, the network of %s has none",
                           run->folder);
}

static enum result measure_all(const struct evaluate_options *options, struct comparison *c,
                               struct error *err)
{
    const char *data = NULL;
    for (size_t i = 0; i < c->count; i++) {
        TRY(measure_run(options, data, &c->runs[i], err));
        c->failures = c->runs[i].found.failures + c->runs[i].found.set.fault_count;
        data = c->runs[0].found.of_run[0] ? c->runs[0].found.of_run : NULL;
    }
    return OK;
}

static enum result find_intervals(struct comparison *c, struct error *err)
{
    struct evaluation **evaluations = mem_alloc(c->count, sizeof(struct evaluation *));
    c->intervals = mem_alloc(c->count, sizeof *c->intervals);
    if (!evaluations || !c->intervals) {
        mem_free(evaluations);
        return mem_error(err, "comparison");
    }
    for (size_t i = 0; i < c->count; i++) {
        evaluations[i] = &c->runs[i].found.evaluation;
    }
    const struct bootstrap_options options = {
        .runs = evaluations, .count = c->count, .draws = COMPARE_DRAWS, .seed = COMPARE_SEED};
    enum result result = bootstrap_differences(&options, c->intervals, err);
    mem_free(evaluations);
    return result;
}

enum result compare_runs(const struct evaluate_options *options, const char *const *folders,
                         size_t count, struct comparison *c, struct error *err)
{
    if (count < 2) {
        return error_set(err, ERR_ARG,
                         "--compare: which runs? Two at least (yolo eval --compare runs/train/exp "
                         "runs/train/exp2)");
    }
    TRY(check_names(folders, count, err));
    c->runs = mem_alloc(count, sizeof *c->runs);
    if (!c->runs) {
        return mem_error(err, "comparison");
    }
    c->count = count;
    for (size_t i = 0; i < count; i++) {
        c->runs[i].folder = folders[i];
        TRY(run_args_load(folders[i], &c->runs[i].args, err));
        read_length(&c->runs[i]);
    }
    TRY(measure_all(options, c, err));
    return find_intervals(c, err);
}

void comparison_free(struct comparison *c)
{
    for (size_t i = 0; i < c->count; i++) {
        evaluated_free(&c->runs[i].found);
        cJSON_Delete(c->runs[i].args);
    }
    mem_free(c->runs);
    mem_free(c->intervals);
    *c = (struct comparison){0};
}
