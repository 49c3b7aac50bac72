/* The processes are MPI's. Nothing waits inside MPI, whose waiting keeps a core busy: operations are begun, and asked for
 * until they are done. So a lock is held for moments only, and MPI sees one thread at a time. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sched_getaffinity */
#endif
#include "base/ranks.h"

#include <errno.h>
#include <fcntl.h>
#include <mpi.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cores.h"
#include "base/log.h"
#include "base/memory.h"

enum {
    LINE_BYTES = 5120,
    SPINS = 100,
    PIECE = 1 << 30,
    REST_MS = 250,   /* what the slowest may be behind the fastest when all have met */
    END_SECONDS = 30 /* for MPI's own end */
};

static int count = 1, own, on_host = 1;
static bool is_open;
static MPI_Request *broadcasts; /* [count] */
static pthread_mutex_t mpi = PTHREAD_MUTEX_INITIALIZER;
static pid_t starter; /* of this process, on its host */
static char host[MPI_MAX_PROCESSOR_NAME];
static int watcher = -1; /* a pipe */

_Static_assert(sizeof(MPI_Request) <= sizeof((struct ranks_message *)0)->handle,
               "room for a request");

int ranks_count(void)
{
    return count;
}

int ranks_own(void)
{
    return own;
}

int ranks_on_host(void)
{
    return on_host;
}

/* ---- last words ---- */

/* The starter kills what is left of a training whose process died: by SIGTERM and then SIGKILL (Open MPI), or by SIGKILL
 * at once (MPICH). So the words are kept by a small process of its own, made before MPI, which says them when the other
 * end of its pipe closes without a farewell: an empty line. */
static void watch(int from)
{
    static char line[LINE_BYTES], last[LINE_BYTES];
    FILE *in = fdopen(from, "r");
    bool bids_farewell = false;
    setsid(); /* it outlives what is sent to the others' group */
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    while (in && fgets(line, sizeof line, in)) {
        bids_farewell = line[0] == '\n';
        memcpy(last, line, sizeof last);
    }
    if (!bids_farewell && last[0]) {
        last[strcspn(last, "\n")] = '\0';
        log_error("%s", last);
    }
    _exit(0);
}

static void start_watcher(void)
{
    int ends[2];
    if (pipe(ends) != 0) {
        return; /* it ends without last words then */
    }
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        close(ends[1]);
        close(STDOUT_FILENO);
        watch(ends[0]);
    }
    close(ends[0]);
    watcher = ends[1];
}

static void tell_watcher(const char *text)
{
    if (watcher >= 0 && write(watcher, text, strlen(text)) < 0) {
        close(watcher);
        watcher = -1;
    }
}

void ranks_last_words(const char *line)
{
    char text[LINE_BYTES];
    snprintf(text, sizeof text - 1, "%s", line);
    strcat(text, "\n");
    if (own == 0 && count > 1) {
        tell_watcher(text);
    }
}

void ranks_abort(int status)
{
    MPI_Abort(MPI_COMM_WORLD, status);
    _exit(status);
}

/* ---- waiting ---- */

static void enter(void)
{
    pthread_mutex_lock(&mpi);
}

/* With what MPI's function returned: if another process is lost, the starter ends this one, too. */
static void leave(int result)
{
    pthread_mutex_unlock(&mpi);
    if (result != MPI_SUCCESS) {
        char why[MPI_MAX_ERROR_STRING] = "";
        int length;
        MPI_Error_string(result, why, &length);
        log_debug("process %d of %d lost the others: %s", own, count, why);
        ranks_abort(1);
    }
}

/* Who starts MPI's processes ends them, too. Where it is killed itself, nobody would: they would train on for nobody, and
 * wait for ever for what it had to say. */
static void need_starter(void)
{
    if (count > 1 && getppid() != starter) {
        log_debug("process %d of %d lost its starter", own, count);
        ranks_abort(1);
    }
}

void ranks_pause(int *tries)
{
    need_starter();
    if (++*tries < SPINS) {
        sched_yield();
    } else {
        nanosleep(&(struct timespec){.tv_nsec = *tries < 10 * SPINS ? 20000 : 200000}, NULL);
    }
}

void ranks_rest(void)
{
    need_starter();
    nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
}

static void await(MPI_Request *request)
{
    int done = 0;
    need_starter();
    for (int tries = 0;;) {
        enter();
        leave(MPI_Test(request, &done, MPI_STATUS_IGNORE));
        if (done) {
            return;
        }
        ranks_pause(&tries);
    }
}

/* Everybody gets what `from` has. */
static void begin_broadcast(void *data, size_t bytes, int from, MPI_Comm to, MPI_Request *request)
{
    enter();
    leave(MPI_Ibcast(data, (int)bytes, MPI_BYTE, from, to, request));
}

/* ---- opening and closing ---- */

/* How many processes of this host may run where this one may. */
static void count_neighbours(void)
{
    MPI_Comm neighbours;
    cpu_set_t mine;
    int size = 1, rank = 0;
    memset(&mine, 0, sizeof mine);
    (void)sched_getaffinity(0, sizeof mine, &mine);
    enter();
    leave(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &neighbours));
    MPI_Comm_size(neighbours, &size);
    MPI_Comm_rank(neighbours, &rank);
    on_host = 0;
    for (int i = 0; i < size; i++) {
        cpu_set_t other = mine;
        MPI_Request request;
        begin_broadcast(&other, sizeof other, i, neighbours, &request);
        await(&request);
        on_host += i == rank || CPU_EQUAL(&other, &mine);
    }
    MPI_Comm_free(&neighbours);
    cores_share(on_host);
}

enum result ranks_open(struct error *err)
{
    int level = MPI_THREAD_SINGLE, length;
    starter = getppid();
    start_watcher();
    if (MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &level) != MPI_SUCCESS) {
        return error_set(err, ERR_UNSUPPORTED, "MPI cannot be started");
    }
    is_open = true;
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_size(MPI_COMM_WORLD, &count);
    MPI_Comm_rank(MPI_COMM_WORLD, &own);
    MPI_Get_processor_name(host, &length);
    if (level < MPI_THREAD_SERIALIZED) {
        return error_set(err, ERR_UNSUPPORTED, "this MPI cannot run beside threads");
    }
    broadcasts = mem_alloc((size_t)count, sizeof *broadcasts);
    if (!broadcasts) {
        return mem_error(err, "processes");
    }
    if (own > 0) {
        log_speak_as(own);
        log_mute(true);
        int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
        if (nowhere < 0 || dup2(nowhere, STDOUT_FILENO) < 0) {
            return error_errno(err, "/dev/null", "cannot open");
        }
        close(nowhere);
    }
    if (own > 0 || count == 1) {
        tell_watcher("\n");
        close(watcher);
        watcher = -1;
    }
    count_neighbours();
    return OK;
}

static void give_up_end(int signal)
{
    static const char line[] = "yolo: error: MPI does not end; what the run writes is written\n";
    (void)signal;
    _exit(write(STDERR_FILENO, line, sizeof line - 1) < 0 ? 2 : 1);
}

/* In MPI_Finalize before 4.2 MPICH over UCX says farewell to each of the others, waits until they have heard it, and then
 * for its starter, deaf. Who comes later finds no ear and waits for ever. So nobody goes before all have left MPI: they meet,
 * rest, and go, and each one's farewell is on its way before it hears another's. Whatever else may hold MPI's end up, it has
 * END_SECONDS. */
static void finalize(void)
{
    MPI_Request request;
    enter();
    leave(MPI_Ibarrier(MPI_COMM_WORLD, &request)); /* MPI_Finalize would keep a core busy */
    await(&request);
#ifdef MPICH_VERSION
    if (count > 1) {
        nanosleep(&(struct timespec){.tv_nsec = REST_MS * 1000000L}, NULL);
    }
#endif
    signal(SIGALRM, give_up_end);
    alarm(END_SECONDS);
    MPI_Finalize();
    alarm(0);
}

void ranks_close(void)
{
    tell_watcher("\n");
    if (is_open) {
        finalize();
    }
    mem_free(broadcasts);
    broadcasts = NULL;
    is_open = false;
    count = 1;
    own = 0;
}

/* ---- everybody ---- */

void ranks_broadcast(void *data, size_t bytes)
{
    for (size_t at = 0; count > 1 && at < bytes; at += PIECE) {
        size_t part = bytes - at < PIECE ? bytes - at : PIECE;
        MPI_Request request;
        begin_broadcast((char *)data + at, part, 0, MPI_COMM_WORLD, &request);
        await(&request);
    }
}

/* All at once, so that what the way takes is taken once. */
void ranks_gather(void *all, const size_t *bytes)
{
    bool is_more = count > 1;
    for (size_t at = 0; is_more; at += PIECE) {
        char *next = all;
        is_more = false;
        for (int i = 0; i < count; next += bytes[i++]) {
            size_t left = bytes[i] > at ? bytes[i] - at : 0;
            is_more = is_more || left > PIECE;
            begin_broadcast(next + (left > 0 ? at : 0), left < PIECE ? left : PIECE, i,
                            MPI_COMM_WORLD, &broadcasts[i]);
        }
        for (int i = 0; i < count; i++) {
            await(&broadcasts[i]);
        }
    }
}

enum result ranks_agree(enum result result, struct error *err)
{
    struct {
        struct error error;
        char host[MPI_MAX_PROCESSOR_NAME];
    } told = {0};
    enum result agreed = result;
    for (int i = 0; count > 1 && i < count && (agreed == OK || i == 0); i++) {
        if (i == own) {
            told.error.code = result;
            if (result != OK) {
                told.error = *err;
                told.error.code = result;
            }
            memcpy(told.host, host, sizeof host);
        }
        MPI_Request request;
        begin_broadcast(&told, sizeof told, i, MPI_COMM_WORLD, &request);
        await(&request);
        agreed = told.error.code;
        if (agreed != OK && i > 0) {
            error_set(err, agreed, "process %d on %.100s: %.800s", i, told.host, told.error.text);
        } else if (agreed != OK) {
            *err = told.error;
        }
    }
    return agreed;
}

/* ---- messages ---- */

static void keep(struct ranks_message *message, MPI_Request request)
{
    memcpy(message->handle, &request, sizeof request);
    message->is_open = true;
}

void ranks_send(struct ranks_message *message, const void *data, size_t bytes, int to, int tag)
{
    MPI_Request request;
    enter();
    leave(MPI_Isend(data, (int)bytes, MPI_BYTE, to, tag, MPI_COMM_WORLD, &request));
    keep(message, request);
}

void ranks_receive(struct ranks_message *message, void *data, size_t bytes, int from, int tag)
{
    MPI_Request request;
    enter();
    leave(MPI_Irecv(data, (int)bytes, MPI_BYTE, from, tag, MPI_COMM_WORLD, &request));
    keep(message, request);
}

bool ranks_is_done(struct ranks_message *message)
{
    MPI_Request request;
    int done = 1;
    if (message->is_open) {
        memcpy(&request, message->handle, sizeof request);
        enter();
        leave(MPI_Test(&request, &done, MPI_STATUS_IGNORE));
        memcpy(message->handle, &request, sizeof request);
        message->is_open = !done;
    }
    return done != 0;
}
