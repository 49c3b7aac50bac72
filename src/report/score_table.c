#include "report/score_table.h"

#include <limits.h>
#include <stdio.h>

#include "base/log.h"
#include "base/path.h"
#include "base/text.h"
#include "run/class_scores.h"

enum { NAME_WIDTH = 28, NAME_BYTES = 512 };

static const char *number(double value, char text[16])
{
    snprintf(text, 16, value < 0.0 ? "-" : "%.4f", value);
    return text;
}

static void say_row(const char *name, int width, const struct class_score *s, double threshold)
{
    char text[NAME_BYTES], cells[5][16];
    bool has_objects = s->objects > 0.0;
    text_utf8(name, text, sizeof text);
    int fill = width - text_columns(text);
    log_info("  %s%*s %7.0f %7s %10s %9s %7s %9s", text, fill > 0 ? fill : 0, "", s->objects,
             number(s->ap50, cells[0]), number(s->ap, cells[1]),
             number(has_objects ? s->precision : -1.0, cells[2]),
             number(has_objects ? s->recall : -1.0, cells[3]), number(threshold, cells[4]));
}

static void say_table(const struct class_scores *scores, const char *path)
{
    int width = 5;
    for (size_t k = 0; k < scores->count; k++) {
        int columns = text_columns(scores->items[k].name);
        width = columns > width ? columns : width;
    }
    width = width > NAME_WIDTH ? NAME_WIDTH : width;
    log_info("  %-*s %7s %7s %10s %9s %7s %9s", width, "class", "objects", "AP@.5", "AP@.5:.95",
             "precision", "recall", "best conf");
    say_row("all", width, &scores->all, scores->all.f1 > 0.0 ? scores->all.threshold : -1.0);
    for (size_t k = 0; k < scores->count; k++) {
        const struct class_score *s = &scores->items[k];
        say_row(s->name, width, s, s->f1 > 0.0 ? s->threshold : -1.0);
    }
    log_info("precision and recall at the confidence of best F1, IoU .5 (%s); detect from there: "
             "--conf best",
             path);
}

void score_table_say(const char *folder)
{
    char path[PATH_MAX];
    struct class_scores scores = {0};
    struct error why;
    if (path_in(path, sizeof path, folder, class_scores_name, &why) != OK || !path_exists(path)) {
        return;
    }
    if (class_scores_read(path, &scores, &why) == OK) {
        say_table(&scores, path);
    } else {
        log_warn("%s", why.text);
    }
    class_scores_free(&scores);
}
