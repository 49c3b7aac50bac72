#include "base/progress.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"

/* Seconds between two showings; the first line off a terminal comes after as long. */
static const double TERMINAL_PAUSE = 0.2, LOG_PAUSE = 15.0;

const char *progress_duration(double seconds, char *text, size_t size)
{
    snprintf(text, size, "%.0f:%02d:%02d", (double)(long long)(seconds / 3600.0),
             (int)((long long)(seconds / 60.0) % 60), (int)((long long)seconds % 60));
    return text;
}

void progress_begin(struct progress *progress, const char *what, size_t total)
{
    double now = clock_seconds();
    *progress = (struct progress){.what = what, .total = total, .start = now, .shown = now};
}

void progress_step(struct progress *progress, size_t done)
{
    double now = clock_seconds();
    double pause = log_is_terminal() ? TERMINAL_PAUSE : LOG_PAUSE;
    if (done == 0 || now - progress->shown < pause) {
        return;
    }
    progress->shown = now;
    double rate = (double)done / (now - progress->start);
    double left = (double)(progress->total - done) / rate;
    char text[160], duration[32];
    snprintf(text, sizeof text, "%s: %zu of %zu, %.1f/s, %s left", progress->what, done,
             progress->total, rate, progress_duration(left, duration, sizeof duration));
    if (log_is_terminal()) {
        log_progress("%s", text);
    } else {
        log_info("%s", text);
    }
}

void progress_end(void)
{
    log_progress("%s", "");
}
