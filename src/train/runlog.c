#include "train/runlog.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fileio.h"
#include "base/path.h"
#include "base/log.h"
#include "base/listing.h"
#include "base/memory.h"

enum { MAX_PATH = 4096, MAX_RUNS = 1000000, MAX_CSV = 1 << 30 };

struct runlog {
    FILE *csv, *text;
    char csv_path[MAX_PATH], text_path[MAX_PATH];
    const char *const *names; /* of the columns */
    size_t columns;
    int text_errno;
};

/* ---- folders ---- */

static bool run_path(char *path, size_t size, const char *base, int number)
{
    char name[32];
    if (number == 1) {
        strcpy(name, "exp");
    } else {
        snprintf(name, sizeof name, "exp%d", number);
    }
    return path_join(path, size, base, name);
}

enum result run_folder_new(const char *base, char *path, size_t size, struct error *err)
{
    TRY(dir_make(base, err));
    for (int number = 1; number <= MAX_RUNS; number++) {
        if (!run_path(path, size, base, number)) {
            return error_at(err, ERR_IO, base, 0, "path too long");
        }
        if (mkdir(path, 0777) == 0) {
            return OK;
        }
        if (errno != EEXIST) {
            return error_errno(err, path, "cannot create the folder");
        }
    }
    return error_at(err, ERR_IO, base, 0, "holds %d runs already", MAX_RUNS);
}

/* exp or expN */
static bool is_run_name(const char *name)
{
    return strncmp(name, "exp", 3) == 0 && name[3 + strspn(name + 3, "0123456789")] == 0;
}

static bool is_newer(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec : a->tv_nsec > b->tv_nsec;
}

enum result run_folder_last(const char *base, char *path, size_t size, struct error *err)
{
    struct timespec newest = {0};
    bool is_found = false;
    struct listing listing;
    enum result result = listing_read(base, &listing, err);
    for (size_t i = 0; i < listing.count && result == OK; i++) {
        char name[NAME_MAX + 16], state[MAX_PATH];
        const char *run = listing.entries[i].name;
        struct stat info;
        snprintf(name, sizeof name, "%s/last.state", run);
        if (is_run_name(run) && path_join(state, sizeof state, base, name) &&
            stat(state, &info) == 0 && (!is_found || is_newer(&info.st_mtim, &newest))) {
            is_found = path_join(path, size, base, run);
            newest = info.st_mtim;
        }
    }
    listing_free(&listing);
    TRY(result);
    if (!is_found) {
        error_at(err, ERR_ARG, base, 0, "no run in it that could be resumed");
        return error_hint(err, "a run's folder holds last.state; name it: --resume FOLDER");
    }
    return OK;
}

/* results.csv with more than its header. */
static bool has_rows(const char *path)
{
    FILE *file;
    int c = file_open(path, &file, NULL, NULL) == OK ? 0 : EOF;
    while (c != EOF && c != '\n') {
        c = fgetc(file);
    }
    bool has = c != EOF && fgetc(file) != EOF;
    if (file) {
        fclose(file);
    }
    return has;
}

const char *run_folder_trace(const char *folder)
{
    static const char *const names[] = {"last.state", "last.weights", "best.weights",
                                        "results.csv"};
    enum { COUNT = sizeof names / sizeof names[0] };
    for (size_t i = 0; i < COUNT; i++) {
        char path[MAX_PATH];
        bool is_csv = i + 1 == COUNT;
        if (path_join(path, sizeof path, folder, names[i]) &&
            (is_csv ? has_rows(path) : path_exists(path))) {
            return names[i];
        }
    }
    return NULL;
}

/* ---- results.csv ---- */

static void write_header(FILE *stream, const char *const *columns, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        fprintf(stream, "%s%s", i > 0 ? "," : "", columns[i]);
    }
    fputc('\n', stream);
}

enum { MAX_COLUMNS = 64 };

/* Whether a header has our columns in our order, some of which may be missing; is_there[i] tells which. The first
 * never is. */
static bool read_header(const struct runlog *log, const char *line, bool is_there[MAX_COLUMNS])
{
    size_t known = 0, cells = 0;
    for (char end = ','; end == ','; cells++) {
        size_t length = strcspn(line, ",\n");
        while (known < log->columns && (strlen(log->names[known]) != length ||
                                        strncmp(log->names[known], line, length) != 0)) {
            is_there[known++] = false;
        }
        if (known == log->columns) {
            return false;
        }
        is_there[known++] = true;
        end = line[length];
        line += length + 1;
    }
    while (known < log->columns) {
        is_there[known++] = false;
    }
    return is_there[0];
}

static size_t count_commas(const char *from, const char *end)
{
    size_t commas = 0;
    for (; from < end; from++) {
        commas += *from == ',';
    }
    return commas;
}

/* A row of a file with some of the columns; the others stay empty. */
static void write_row(FILE *stream, const char *row, const bool *is_there, size_t columns)
{
    for (size_t i = 0; i < columns; i++) {
        size_t length = is_there[i] ? strcspn(row, ",\n") : 0;
        fprintf(stream, "%s%.*s", i > 0 ? "," : "", (int)length, row);
        row += is_there[i] ? length + 1 : 0;
    }
    fputc('\n', stream);
}

/* Copy the rows of the iterations up to `last`. `text` ends with a zero byte. */
static void keep_rows(FILE *stream, const char *text, uint64_t last, const bool *is_there,
                      size_t columns)
{
    size_t count = 0;
    for (size_t i = 0; i < columns; i++) {
        count += is_there[i];
    }
    for (const char *end; (end = strchr(text, '\n')) != NULL; text = end + 1) {
        char *number_end;
        errno = 0;
        uint64_t iteration = strtoull(text, &number_end, 10);
        bool is_row = *text >= '0' && *text <= '9' && errno == 0 &&
                      (*number_end == ',' || number_end == end) &&
                      count_commas(text, end) + 1 == count;
        if (is_row && iteration <= last) {
            write_row(stream, text, is_there, columns);
        }
    }
}

/* `old` is what the file held, with the columns in is_there; NULL: nothing to keep. */
static enum result rewrite_csv(const struct runlog *log, const char *old, const bool *is_there,
                               uint64_t last, struct error *err)
{
    struct atomic_file file;
    TRY(atomic_open(&file, log->csv_path, err));
    write_header(file.stream, log->names, log->columns);
    if (old) {
        keep_rows(file.stream, strchr(old, '\n') + 1, last, is_there, log->columns);
    }
    return atomic_commit(&file, err);
}

static enum result resume_csv(const struct runlog *log, uint64_t last, struct error *err)
{
    char *old;
    size_t size;
    bool is_there[MAX_COLUMNS];
    if (!path_exists(log->csv_path)) {
        return rewrite_csv(log, NULL, NULL, 0, err);
    }
    TRY(file_read(log->csv_path, MAX_CSV, &old, &size, err));
    enum result result;
    if (!strchr(old, '\n')) {
        result = rewrite_csv(log, NULL, NULL, 0, err);
    } else if (read_header(log, old, is_there)) {
        result = rewrite_csv(log, old, is_there, last, err);
    } else {
        error_at(err, ERR_FORMAT, log->csv_path, 1, "has other columns than this program writes");
        result = error_hint(err, "move it out of the way to go on");
    }
    mem_free(old);
    return result;
}

/* ---- the log ---- */

/* train.log is the lock: held as long as somebody has it open. */
enum result run_folder_lock(const char *folder, FILE **lock, struct error *err)
{
    char path[MAX_PATH];
    TRY(path_in(path, sizeof path, folder, "train.log", err));
    FILE *file;
    TRY(file_append(path, &file, err));
    if (flock(fileno(file), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        fclose(file);
        return error_at(err, ERR_ARG, folder, 0, "another process is training in this folder");
    }
    *lock = file;
    return OK;
}

static enum result open_text(struct runlog *log, bool is_new, struct error *err)
{
    TRY(file_append(log->text_path, &log->text, err));
    if (is_new && ftruncate(fileno(log->text), 0) != 0) {
        return error_errno(err, log->text_path, "cannot write");
    }
    return OK;
}

static enum result open_csv(struct runlog *log, struct error *err)
{
    return file_append(log->csv_path, &log->csv, err);
}

static enum result open_files(struct runlog *log, uint64_t resumed_at, struct error *err)
{
    TRY(open_text(log, resumed_at == 0, err));
    if (resumed_at == 0) {
        TRY(rewrite_csv(log, NULL, NULL, 0, err));
    } else {
        TRY(resume_csv(log, resumed_at, err));
    }
    return open_csv(log, err);
}

enum result runlog_open(const char *folder, const char *const *columns, size_t count,
                        uint64_t resumed_at, struct runlog **log, struct error *err)
{
    struct runlog *l = mem_alloc(1, sizeof *l);
    if (!l) {
        return mem_error(err, "the run's log");
    }
    l->names = columns;
    l->columns = count;
    enum result result = path_in(l->csv_path, sizeof l->csv_path, folder, "results.csv", err);
    if (result == OK) {
        result = path_in(l->text_path, sizeof l->text_path, folder, "train.log", err);
    }
    if (result == OK) {
        result = open_files(l, resumed_at, err);
    }
    if (result != OK) {
        runlog_close(l);
        return result;
    }
    *log = l;
    return OK;
}

void runlog_close(struct runlog *log)
{
    if (!log) {
        return;
    }
    if (log->csv) {
        fclose(log->csv);
    }
    if (log->text) {
        fclose(log->text);
    }
    mem_free(log);
}

enum result runlog_cut(struct runlog *log, uint64_t last, struct error *err)
{
    fclose(log->csv);
    log->csv = NULL;
    TRY(resume_csv(log, last, err));
    return open_csv(log, err);
}

enum result runlog_row(struct runlog *log, uint64_t iteration, const double *values,
                       struct error *err)
{
    if (log->text_errno) {
        errno = log->text_errno;
        log->text_errno = 0;
        return error_errno(err, log->text_path, "cannot write");
    }
    errno = 0;
    fprintf(log->csv, "%" PRIu64, iteration);
    for (size_t i = 0; i + 1 < log->columns; i++) {
        if (isfinite(values[i])) {
            fprintf(log->csv, ",%.9g", values[i]);
        } else {
            fputc(',', log->csv);
        }
    }
    fputc('\n', log->csv);
    if (fflush(log->csv) != 0 || ferror(log->csv)) {
        errno = errno ? errno : EIO;
        clearerr(log->csv);
        return error_errno(err, log->csv_path, "cannot write");
    }
    return OK;
}

static void write_line(struct runlog *log, const char *line)
{
    char stamp[32];
    if (!log) {
        return;
    }
    time_t now = time(NULL);
    struct tm local;
    strftime(stamp, sizeof stamp, "%Y-%m-%d %H:%M:%S", localtime_r(&now, &local));
    errno = 0;
    if (fprintf(log->text, "%s %s\n", stamp, line) < 0 || fflush(log->text) != 0) {
        log->text_errno = errno ? errno : EIO;
        clearerr(log->text);
    }
}

static void say(struct runlog *log, bool warns, const char *fmt, va_list args)
{
    char line[2048];
    vsnprintf(line, sizeof line, fmt, args);
    if (warns) {
        log_warn("%s", line);
    } else {
        log_info("%s", line);
    }
    write_line(log, line);
}

void runlog_say(struct runlog *log, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say(log, false, fmt, args);
    va_end(args);
}

void runlog_warn(struct runlog *log, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say(log, true, fmt, args);
    va_end(args);
}
