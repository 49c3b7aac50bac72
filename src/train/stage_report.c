#include "train/stage_report.h"

#include <stdio.h>

#include "net/class_rows.h"

enum { NUMBER_BYTES = 32 };

/* 1234567 as 1,234,567. */
static const char *grouped(size_t number, char *text)
{
    char digits[NUMBER_BYTES];
    int n = snprintf(digits, sizeof digits, "%zu", number), used = 0;
    for (int i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0) {
            text[used++] = ',';
        }
        text[used++] = digits[i];
    }
    text[used] = '\0';
    return text;
}

struct tally {
    size_t moving, frozen, statistics;
};

static void add_layer(struct tally *sum, const struct network *net, int layer, enum layer_mode mode)
{
    const struct layer *l = &net->layers[layer];
    for (int k = 0; k < l->param_count; k++) {
        const struct param *p = &l->params[k];
        size_t moving =
            !p->is_statistic && mode_moves(mode, p) ? class_rows_moving(net, layer, p) : 0;
        sum->moving += moving;
        *(p->is_statistic ? &sum->statistics : &sum->frozen) += p->count - moving;
    }
}

/* In the words of the freezing table. */
static const char *mode_words(enum layer_mode mode)
{
    switch (mode) {
    case MODE_INFER:
        return "frozen, runs as inference";
    case MODE_FROZEN:
        return "frozen, passes the gradient";
    case MODE_AFFINE_FROZEN:
        return "trained, batch norm frozen";
    case MODE_TUNE:
        return "trained, stored statistics";
    case MODE_ADAPT:
        return "frozen, statistics move";
    default:
        return "trained";
    }
}

static void say_run(struct runlog *log, int first, int last, enum layer_mode mode,
                    const struct tally *sum)
{
    char layers[NUMBER_BYTES], moving[NUMBER_BYTES * 2], frozen[NUMBER_BYTES * 2];
    char statistics[NUMBER_BYTES * 2];
    snprintf(layers, sizeof layers, first == last ? "%d" : "%d-%d", first, last);
    runlog_say(log, "  %-9s %-28s %13s %13s %13s", layers, mode_words(mode),
               grouped(sum->moving, moving), grouped(sum->frozen, frozen),
               grouped(sum->statistics, statistics));
}

void stage_report_table(struct runlog *log, const struct network *net, const enum layer_mode *modes)
{
    struct tally sum = {0};
    int first = -1, last = -1;
    runlog_say(log, "  %-9s %-28s %13s %13s %13s", "layers", "mode", "trained", "frozen",
               "statistics");
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        if (l->param_count == 0) {
            continue;
        }
        bool has_statistics = false;
        for (int k = 0; k < l->param_count; k++) {
            has_statistics = has_statistics || l->params[k].is_statistic;
        }
        /* A layer without batch norm trains in one mode only: it does not cut a run of others. */
        bool joins =
            first >= 0 && (modes[i] == modes[first] || (!has_statistics && modes[i] == MODE_TRAIN &&
                                                        mode_rules[modes[first]].moves_weights));
        if (first >= 0 && !joins) {
            say_run(log, first, last, modes[first], &sum);
            sum = (struct tally){0};
            first = -1;
        }
        first = first < 0 ? i : first;
        last = i;
        add_layer(&sum, net, i, modes[i]);
    }
    if (first >= 0) {
        say_run(log, first, last, modes[first], &sum);
    }
}

/* Layers with parameters that are in `to` and not in `from`, as "0-19,25". */
static size_t list_new(const struct network *net, const bool *from, const bool *to, char *text,
                       size_t size)
{
    size_t values = 0, used = 0;
    int first = -1, last = -1;
    text[0] = '\0';
    for (int i = 0; i <= net->layer_count; i++) {
        bool is_end = i == net->layer_count;
        if (!is_end && net->layers[i].param_count == 0) {
            continue;
        }
        if (!is_end && to[i] && !from[i]) {
            first = first < 0 ? i : first;
            last = i;
            for (int k = 0; k < net->layers[i].param_count; k++) {
                const struct param *p = &net->layers[i].params[k];
                values += p->is_statistic ? 0 : class_rows_moving(net, i, p);
            }
        } else if (first >= 0) {
            const char *comma = used ? "," : "";
            if (used + NUMBER_BYTES < size) {
                used += (size_t)(first == last
                                     ? snprintf(text + used, size - used, "%s%d", comma, first)
                                     : snprintf(text + used, size - used, "%s%d-%d", comma, first,
                                                last));
            }
            first = -1;
        }
    }
    return values;
}

void stage_report_change(struct runlog *log, const struct network *net, const bool *before,
                         const bool *now)
{
    char layers[256], number[NUMBER_BYTES * 2];
    size_t values = list_new(net, now, before, layers, sizeof layers);
    if (values > 0) {
        runlog_say(log, "unfrozen: layers %s, %s values; their momentum starts at zero", layers,
                   grouped(values, number));
    }
    values = list_new(net, before, now, layers, sizeof layers);
    if (values > 0) {
        runlog_say(log, "frozen from now on: layers %s, %s values", layers,
                   grouped(values, number));
    }
}

void stage_report_frozen(struct runlog *log, const struct frozen_bytes *proof)
{
    char number[NUMBER_BYTES * 2];
    if (proof->values > 0) {
        runlog_say(log, "frozen: %d layers, %s values, 0 bytes changed", proof->layers,
                   grouped(proof->values, number));
    }
}
