#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/text.h"

enum { PROGRESS_BYTES = 512, LINE_BYTES = 16384 };

static enum log_level current_level = LOG_NORMAL;
static bool progress_shown, is_hushed, is_mute;
static int speaker; /* a process; 0: the one that speaks for all */
static pthread_mutex_t sink = PTHREAD_MUTEX_INITIALIZER;

void log_set_level(enum log_level level)
{
    current_level = level;
}

void log_hush(bool hushed)
{
    is_hushed = hushed;
}

void log_mute(bool mute)
{
    is_mute = mute;
}

void log_speak_as(int process)
{
    speaker = process;
}

static bool says_news(enum log_level level)
{
    return current_level >= level && !is_hushed && !is_mute && speaker == 0;
}

bool log_is_terminal(void)
{
    return isatty(STDERR_FILENO) == 1;
}

static void erase_progress(void)
{
    if (progress_shown) {
        fputs("\r\033[K", stderr);
        progress_shown = false;
    }
}

static void line(const char *prefix, const char *fmt, va_list args)
{
    char text[LINE_BYTES], who[32] = "";
    if (is_mute) {
        return;
    }
    vsnprintf(text, sizeof text, fmt, args);
    if (speaker > 0) {
        snprintf(who, sizeof who, "process %d: ", speaker);
    }
    pthread_mutex_lock(&sink);
    erase_progress();
    fprintf(stderr, "%s%s%s\n", prefix, who, text_mask(text));
    pthread_mutex_unlock(&sink);
}

void log_error(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    line("yolo: error: ", fmt, args);
    va_end(args);
}

void log_warn(const char *fmt, ...)
{
    if (is_hushed) {
        return;
    }
    va_list args;
    va_start(args, fmt);
    line("yolo: warning: ", fmt, args);
    va_end(args);
}

void log_info(const char *fmt, ...)
{
    if (!says_news(LOG_NORMAL)) {
        return;
    }
    va_list args;
    va_start(args, fmt);
    line("", fmt, args);
    va_end(args);
}

void log_debug(const char *fmt, ...)
{
    if (!says_news(LOG_VERBOSE)) {
        return;
    }
    va_list args;
    va_start(args, fmt);
    line("", fmt, args);
    va_end(args);
}

/* Columns of the terminal less one: a line that wraps could not be erased. */
static int progress_width(void)
{
    struct winsize size;
    bool is_known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
    return is_known ? size.ws_col - 1 : PROGRESS_BYTES;
}

void log_progress(const char *fmt, ...)
{
    if (!says_news(LOG_NORMAL) || !log_is_terminal()) {
        return;
    }
    pthread_mutex_lock(&sink);
    erase_progress();
    va_list args;
    va_start(args, fmt);
    char text[PROGRESS_BYTES];
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    progress_shown = fprintf(stderr, "%.*s", progress_width(), text_mask(text)) > 0;
    fflush(stderr);
    pthread_mutex_unlock(&sink);
}
