#include "cli/detect_command.h"

#include <signal.h>
#include <stdio.h>

#include "base/log.h"
#include "cli/cmd.h"

static void print_files(const char *what, size_t count, const char *folder, const char *below)
{
    if (count > 0) {
        log_info("%zu %s%s in %s%s", count, what, count == 1 ? "" : "s", folder, below);
    }
}

static void print_summary(const struct detect_run_options *o, const struct detect_totals *t,
                          bool is_whole)
{
    size_t images = t->times.images;
    char skipped[48] = "";
    bool is_empty = images + t->failures + t->skipped == 0;
    if (is_empty && !is_whole) {
        return; /* it ended before its first picture */
    }
    if (t->all > 0) {
        char share[128];
        shard_say(&o->shard, t->all, "inputs", share, sizeof share);
        log_info("%s", share);
    }
    if (t->skipped > 0) {
        snprintf(skipped, sizeof skipped, ", %zu skipped", t->skipped);
    }
    if (t->is_of_classes) {
        log_info("%zu image%s, %zu failed", images, images == 1 ? "" : "s", t->failures);
    } else {
        log_info("%zu image%s, %zu detection%s, %zu failed%s", images, images == 1 ? "" : "s",
                 t->objects, t->objects == 1 ? "" : "s", t->failures, skipped);
    }
    infer_say_times(&t->times, t->wall_ms);
    if (is_empty && t->all == 0) {
        log_warn("the inputs hold no pictures");
    }
    print_files("annotated picture", t->pictures, o->out, "");
    print_files("label file", t->labels, o->out, o->format == RESULT_YOLO ? "/labels" : "");
    print_files("crop", t->crops, o->out, "/crops");
}

enum result detect_inputs_parse(const struct usage *usage, int argc, char **argv,
                                struct detect_inputs *inputs, bool *done, struct error *err)
{
    TRY(options_parse(usage, argc, argv, &inputs->paths, done, err));
    if (*done) {
        return OK;
    }
    if (inputs->reads_stdin && inputs->paths.count == 0) {
        TRY(string_list_add(&inputs->paths, "-", err));
    }
    return inputs->paths.count > 0
               ? OK
               : error_set(err, ERR_ARG, "no input (try: yolo %s picture.jpg)", usage->command);
}

void detect_inputs_free(struct detect_inputs *inputs)
{
    string_list_free(&inputs->paths);
    string_list_free(&inputs->excluded);
}

enum result detect_command(const struct detect_run_options *options,
                           const struct detect_inputs *inputs, bool fails_empty, int *status,
                           struct error *err)
{
    struct detect_run_options all = *options;
    struct detect_totals totals = {0};
    TRY(shard_parse(inputs->shard, &all.shard, err));
    for (size_t i = 0; i < inputs->excluded.count; i++) {
        TRY(option_need_folder("exclude", inputs->excluded.items[i], err));
    }
    all.inputs = inputs->paths.items;
    all.input_count = inputs->paths.count;
    all.excluded = inputs->excluded.items;
    all.excluded_count = inputs->excluded.count;
    enum result result = detect_run(&all, &totals, err);
    if (totals.has_begun) {
        print_summary(&all, &totals, result == OK);
    }
    if (totals.is_reader_gone) {
        raise(SIGPIPE); /* all is written: end as any filter does whose reader has left, quietly */
        *status = STATUS_FAILED;
        return OK;
    }
    TRY(result);
    bool has_inputs = totals.times.images + totals.failures + totals.skipped > 0 || totals.all == 0;
    if (fails_empty && totals.objects == 0 &&
        has_inputs) { /* of an empty share nothing is missing */
        log_error("nothing was detected (--fail-empty)");
        *status = STATUS_FAILED;
    } else if (totals.failures > 0) {
        *status = STATUS_SOME_INPUTS_FAILED;
    }
    return OK;
}
