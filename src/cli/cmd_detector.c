/* yolo detector: command lines of Darknet's. Only words are turned round; the work is in the other
 * commands. */
#include "cli/cmd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fileio.h"
#include "base/path.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/options.h"
#include "results/paths.h"

/* Darknet's words for a job, and the command that does it. */
struct job {
    const char *word, *command;
    int places;            /* of DATA CFG WEIGHTS that it takes */
    const char *always[2]; /* words that come first; what is given later overrides them */
    bool writes_report;    /* -out FILE is what the command prints */
    bool reads_stdin;      /* without an input */
};

static const struct job jobs[] = {
    {"test", "detect", 3, {NULL}, true, true},
    {"map", "eval", 3, {"--points", "0"}, true, false},
    {"valid", "eval", 3, {NULL}, true, false},
    {"recall", "eval", 3, {NULL}, true, false},
    {"train", "train", 3, {"--recipe", "darknet"}, false, false},
    {"calc_anchors", "anchors", 1, {NULL}, false, false},
};

enum { JOB_COUNT = sizeof jobs / sizeof jobs[0], MORE_WORDS = 16, SIZE_TEXT = 64 };

static const char about[] =
    "Darknet's order of words for the commands of this program:\n"
    "  yolo detector test  DATA CFG WEIGHTS IMAGE...   is  yolo detect\n"
    "  yolo detector test  DATA CFG WEIGHTS < LIST     is  yolo detect -\n"
    "  yolo detector map   DATA CFG WEIGHTS            is  yolo eval --points 0\n"
    "  yolo detector valid, recall ...                 is  yolo eval\n"
    "  yolo detector train DATA CFG [WEIGHTS]          is  yolo train --recipe darknet\n"
    "  yolo detector calc_anchors DATA -num_of_clusters 9 -width 416 -height 416\n"
    "                                                  is  yolo anchors --num 9 --imgsz 416x416\n"
    "with --data DATA --cfg CFG --weights WEIGHTS. All that follows is passed on; see their own\n"
    "pages. Of test, map, valid and recall -out FILE writes the results to that file, as JSON "
    "unless\n"
    "--format says otherwise (--out DIR is the folder that those pages tell of).\n"
    "demo is not built: no video is read here.\n";

static void print_help(void)
{
    const struct usage usage = {
        .command = "detector",
        .arguments = "JOB DATA CFG [WEIGHTS] [IMAGE...]",
        .about = about,
        .example = "yolo detector test cfg/coco.data yolov4.cfg yolov4.weights -thresh .25 dog.jpg",
    };
    options_print_help(&usage);
}

/* ---- words ---- */

struct line {
    char **words; /* [count] for the command */
    int count;
    char size[SIZE_TEXT];
    const char *report; /* -out FILE, or NULL */
};

static void add_word(struct line *line, const char *word)
{
    line->words[line->count++] = (char *)word; /* parsers reorder words, they do not write them */
}

/* The value of Darknet's one-dash option `name` at argv[*at], which then moves to its last word;
 * NULL if it is another word, or the value is missing. */
static const char *value_of(const char *name, int argc, char **argv, int *at)
{
    size_t length = strlen(name);
    const char *word = argv[*at];
    if (word[0] != '-' || strncmp(word + 1, name, length) != 0) {
        return NULL;
    }
    if (word[1 + length] == '=') {
        return word + length + 2;
    }
    bool has_value = word[1 + length] == '\0' && *at + 1 < argc && argv[*at + 1][0] != '-';
    return has_value ? argv[++*at] : NULL;
}

static enum result add_size(struct line *line, const char *width, const char *height,
                            struct error *err)
{
    if (!width && !height) {
        return OK;
    }
    if (!width || !height) {
        return error_set(err, ERR_ARG, "-%s alone: -width and -height go together",
                         width ? "width" : "height");
    }
    snprintf(line->size, sizeof line->size, "%.24sx%.24s", width, height);
    add_word(line, "--imgsz");
    add_word(line, line->size);
    return OK;
}

/* DATA CFG WEIGHTS become options, Darknet's words ours, the rest stays. */
static enum result turn_words(const struct job *job, int argc, char **argv, struct line *line,
                              struct error *err)
{
    static const char *const places[] = {"--data", "--cfg", "--weights"};
    bool is_anchors = strcmp(job->command, "anchors") == 0;
    const char *width = NULL, *height = NULL, *value;
    int i = 0;
    for (size_t k = 0; k < 2 && job->always[k]; k++) {
        add_word(line, job->always[k]);
    }
    for (; i < job->places && i < argc && argv[i][0] != '-'; i++) {
        add_word(line, places[i]);
        add_word(line, argv[i]);
    }
    for (; i < argc; i++) {
        if (job->writes_report && (value = value_of("out", argc, argv, &i)) != NULL) {
            line->report = value;
        } else if (is_anchors && (value = value_of("width", argc, argv, &i)) != NULL) {
            width = value;
        } else if (is_anchors && (value = value_of("height", argc, argv, &i)) != NULL) {
            height = value;
        } else if (!is_anchors || strcmp(argv[i], "-show") != 0) { /* no window is ever shown */
            add_word(line, argv[i]);
        }
    }
    return add_size(line, width, height, err);
}

/* A list that was sent: not the terminal, nor /dev/null. */
static bool has_list_on_stdin(void)
{
    struct stat status;
    return fstat(STDIN_FILENO, &status) == 0 &&
           (S_ISFIFO(status.st_mode) || S_ISREG(status.st_mode) || S_ISSOCK(status.st_mode));
}

/* ---- -out FILE ---- */

static enum result check_report(const struct line *line, struct error *err)
{
    const char *path = line->report;
    if (!*path || path[strlen(path) - 1] == '/' || path_is_dir(path)) {
        return error_set(err, ERR_ARG,
                         "-out %s: names a folder, not a file (--out DIR is for folders)", path);
    }
    struct stat status;
    bool is_there = stat(path, &status) == 0;
    if (strncmp(path, "/dev/", 5) == 0 || (is_there && !S_ISREG(status.st_mode))) {
        return error_set(err, ERR_ARG,
                         "-out %s: is no regular file (without -out results go to stdout)", path);
    }
    for (int i = 0; i < line->count; i++) {
        if (line->words[i] != path && is_same_file(line->words[i], path)) {
            return error_set(err, ERR_ARG, "-out %s: is itself an input", path);
        }
        if (word_in("--save-labels|-save-labels", line->words[i])) {
            return error_set(err, ERR_ARG,
                             "-save_labels and -out FILE: a run has one format (leave one out)");
        }
    }
    return OK;
}

/* What the command prints goes into the file, which is there once it is whole. */
static enum result run_into_file(const struct command *command, const struct line *line,
                                 int *status, struct error *err)
{
    struct atomic_file file;
    TRY(check_report(line, err));
    fflush(stdout);
    int screen = dup(STDOUT_FILENO);
    if (screen < 0) {
        return error_errno(err, line->report, "cannot write");
    }
    enum result result = atomic_open(&file, line->report, err);
    if (result != OK) {
        close(screen);
        return result;
    }
    result = dup2(fileno(file.stream), STDOUT_FILENO) < 0
                 ? error_errno(err, line->report, "cannot write")
                 : command->run(line->count, line->words, status, err);
    bool is_lost = fflush(stdout) != 0 || ferror(stdout);
    int cause = errno;
    dup2(screen, STDOUT_FILENO);
    close(screen);
    clearerr(stdout);
    if (result == OK && is_lost) {
        errno = cause;
        result = error_errno(err, line->report, "cannot write");
    }
    if (result != OK && result != ERR_INTERRUPTED) {
        atomic_abandon(&file);
        return result;
    }
    struct error write_err;
    if (atomic_commit(&file, &write_err) != OK) {
        *err = write_err;
        return write_err.code;
    }
    log_info("results: %s", line->report);
    return result;
}

static enum result forward(const struct job *job, int argc, char **argv, int *status,
                           struct error *err)
{
    static char format[2][16] = {"--format", "json"};
    const struct command *command = command_find(job->command);
    struct line line = {.words = mem_alloc((size_t)argc + MORE_WORDS, sizeof *line.words)};
    if (!line.words) {
        return mem_error(err, "command line");
    }
    if (job->reads_stdin && has_list_on_stdin()) {
        add_word(&line, "--stdin");
    }
    enum result result = turn_words(job, argc, argv, &line, err);
    if (line.report) { /* first, so that a --format behind it counts */
        memmove(line.words + 2, line.words, (size_t)line.count * sizeof *line.words);
        line.words[0] = format[0];
        line.words[1] = format[1];
        line.count += 2;
    }
    if (result == OK) {
        result = line.report ? run_into_file(command, &line, status, err)
                             : command->run(line.count, line.words, status, err);
    }
    mem_free(line.words);
    return result;
}

static enum result unknown_job(const char *word, struct error *err)
{
    error_set(err, ERR_ARG, "detector: %s", word ? word : "no job");
    if (word && strcmp(word, "demo") == 0) {
        return error_hint(err,
                          "no video is read here; yolo detect takes pictures, folders and lists");
    }
    return error_hint(err,
                      "test, map, valid, recall, train, calc_anchors; see: yolo help detector");
}

static enum result run_detector(int argc, char **argv, int *status, struct error *err)
{
    if (argc > 0 && word_in("--help|-help|-h", argv[0])) {
        print_help();
        return OK;
    }
    for (size_t i = 0; argc > 0 && i < JOB_COUNT; i++) {
        if (word_in(jobs[i].word, argv[0])) {
            return forward(&jobs[i], argc - 1, argv + 1, status, err);
        }
    }
    return unknown_job(argc > 0 ? argv[0] : NULL, err);
}

const struct command cmd_detector = {
    "detector", "", "Darknet's order of words: detector test DATA CFG WEIGHTS IMAGE", run_detector};
