/* yolo merge: the results of shares as one file. */
#include <stdio.h>
#include <string.h>

#include "base/fileio.h"
#include "base/options.h"
#include "cli/cmd.h"
#include "results/merge.h"
#include "results/paths.h"

struct merge_args {
    const char *out;
};

static const struct option merge_options[] = {
    {"out", OPTION_STRING, offsetof(struct merge_args, out), 0, 0, "FILE",
     "write there, in one step at the end; default: stdout", 'o'},
    {0},
};

static const char about[] =
    "Makes one results file of those that the shares of a run printed (yolo detect --shard I/N, yolo\n"
    "classify --shard I/N), in the order in which they are named: what a run without --shard prints,\n"
    "byte for byte but for the measured times. Of --format json and coco one array, of csv one header;\n"
    "text and jsonl are put one after another, which cat does as well. PART is a file, or - for stdin,\n"
    "where several parts may follow each other. Mind the order: a shell's part-*.json has 10 before 2,\n"
    "part-{1..12}.json has not.\n"
    "\n"
    "yolo eval takes the files of shares as they are: --results once for each (yolo help eval).\n";

static enum result merge(const struct string_list *parts, const struct merge_args *args,
                         struct error *err)
{
    if (!args->out) {
        return results_merge(parts->items, parts->count, stdout, err);
    }
    struct atomic_file file;
    TRY(atomic_open(&file, args->out, err));
    enum result result = results_merge(parts->items, parts->count, file.stream, err);
    return atomic_end(&file, result, err);
}

static enum result check_parts(const struct string_list *parts, const struct merge_args *args,
                               struct error *err)
{
    if (parts->count == 0) {
        return error_set(err, ERR_ARG,
                         "no results named (try: yolo merge part-1.json part-2.json)");
    }
    for (size_t i = 0; i < parts->count; i++) {
        const char *part = parts->items[i];
        if (strcmp(part, "-") != 0) {
            TRY(option_need_file(NULL, part, err));
        }
        if (args->out && is_same_file(part, args->out)) {
            return error_set(err, ERR_ARG, "--out %s is one of the parts", args->out);
        }
    }
    return OK;
}

static enum result run(int argc, char **argv, int *status, struct error *err)
{
    (void)status;
    struct merge_args args = {0};
    const struct usage usage = {
        .command = "merge",
        .arguments = "PART...",
        .about = about,
        .example = "yolo merge part-{1..8}.json > found.json",
        .groups = {{"Output", merge_options, &args}},
    };
    struct string_list parts = {0};
    bool done = false;
    enum result result = options_parse(&usage, argc, argv, &parts, &done, err);
    if (result == OK && !done) {
        result = check_parts(&parts, &args, err);
        result = result == OK ? merge(&parts, &args, err) : result;
    }
    string_list_free(&parts);
    return result;
}

const struct command cmd_merge = {
    .name = "merge",
    .aliases = "",
    .summary = "the results of the shares of a run (--shard) as one file",
    .run = run,
};
