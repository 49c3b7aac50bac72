/* The program: finds the command, maps its result to an exit status, and answers for stdout. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/cmd.h"
#include "base/json.h"

static int status_of(enum result result)
{
    switch (result) {
    case OK:
        return STATUS_OK;
    case ERR_ARG:
    case ERR_CFG:
    case ERR_FORMAT:
    case ERR_UNSUPPORTED:
        return STATUS_USAGE;
    case ERR_INTERRUPTED:
        return STATUS_INTERRUPTED;
    default:
        return STATUS_FAILED;
    }
}

/* A program started with a standard stream closed would give its number to the first file it opens,
 * and results would land in that file. Opened the wrong way round, so that using it still fails. */
static void occupy_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF) {
            int opened = open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
            (void)opened; /* the lowest free number, hence fd; nothing to be done if it fails */
        }
    }
}

static enum result run(int argc, char **argv, int *status, struct error *err)
{
    const char *name = argc > 1 ? argv[1] : "help";
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0 || strcmp(name, "version") == 0) {
        printf("yolo %s\n", YOLO_VERSION);
        return OK;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        name = "help";
    }
    const struct command *command = command_find(name);
    if (!command) {
        return command_unknown(name, err);
    }
    return command->run(argc > 1 ? argc - 2 : 0, argc > 1 ? argv + 2 : argv + argc, status, err);
}

/* Results that never reached their reader are a failure, except when the reader left (`| head`). A
 * command that ended because of that has said so. */
static bool stdout_is_whole(enum result result)
{
    errno = 0;
    bool failed = ferror(stdout) != 0;
    if (fclose(stdout) == 0 && !failed) {
        return true;
    }
    if (errno != EPIPE && !(failed && result == ERR_IO)) {
        log_error("stdout: cannot write the results%s%s", errno ? ": " : "",
                  errno ? strerror(errno) : "");
    }
    return false;
}

int main(int argc, char **argv)
{
    occupy_standard_streams();
    signal(SIGPIPE,
           SIG_DFL); /* `yolo detect | head` ends quietly, also where the parent ignores it */
    signal(SIGXFSZ, SIG_IGN); /* a limit on the size of files is an error like a full disk */
    json_init();
    struct error err = {0};
    int status = STATUS_OK;
    enum result result = run(argc, argv, &status, &err);
    if (result != OK) {
        status = status_of(result);
        log_error("%s", err.text);
    }
    if (!stdout_is_whole(result) && status == STATUS_OK) {
        status = STATUS_FAILED;
    }
    return status;
}
