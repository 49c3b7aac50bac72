/* Messages for people: everything goes to stderr, one line at a time (control characters
 * in it become '?'). stdout belongs to results. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

#include "base/error.h"

enum log_level { LOG_QUIET, LOG_NORMAL, LOG_VERBOSE };

void log_set_level(enum log_level level);

/* Between true and false nothing but errors is said: of what is only tried out, and done again. */
void log_hush(bool hushed);

/* Between true and false nothing at all is said: of a process that does what another one tells (base/ranks.h). */
void log_mute(bool mute);
/* From here on this process, if it is not number 0, says warnings and errors only, with its number. */
void log_speak_as(int process);

/* "yolo: error: ..." : always shown. */
void log_error(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* "yolo: warning: ...": always shown, also with -q. */
void log_warn(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Plain line; silent with -q. */
void log_info(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Plain line; only with -v. */
void log_debug(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* A line that replaces the previous progress line on a terminal, cut at its width; nothing elsewhere
 * and with -q. Any other message first ends the progress line. An empty text removes it. */
void log_progress(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* True if stderr is a terminal (and progress lines are therefore shown). */
bool log_is_terminal(void);

#endif
