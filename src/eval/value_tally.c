#include "eval/value_tally.h"

#include <math.h>

#include "base/memory.h"

enum result value_tally_init(struct value_tally *tally, size_t count, struct error *err)
{
    *tally = (struct value_tally){.count = count};
    tally->sums = mem_alloc(count, sizeof *tally->sums);
    return tally->sums ? OK : mem_error(err, "errors of values");
}

void value_tally_free(struct value_tally *tally)
{
    mem_free(tally->sums);
    *tally = (struct value_tally){0};
}

/* Mean and spread are kept up as by Welford: squares of large values would cancel. */
void value_tally_add(struct value_tally *tally, size_t first, size_t count, const float *truth,
                     const float *found)
{
    for (size_t k = 0; k < count; k++) {
        struct value_sums *s = &tally->sums[first + k];
        double error = (double)found[k] - (double)truth[k], from_mean = (double)truth[k] - s->mean;
        s->samples++;
        s->absolute += fabs(error);
        s->square += error * error;
        s->mean += from_mean / s->samples;
        s->spread += from_mean * ((double)truth[k] - s->mean);
    }
}

static struct value_numbers numbers_of(const struct value_sums *s)
{
    double n = s->samples > 0 ? s->samples : (double)NAN;
    return (struct value_numbers){.mae = s->absolute / n,
                                  .rmse = sqrt(s->square / n),
                                  .r2 = s->spread > 0 ? 1 - s->square / s->spread : (double)NAN};
}

struct value_numbers value_tally_value(const struct value_tally *tally, size_t k)
{
    return numbers_of(&tally->sums[k]);
}

struct value_numbers value_tally_all(const struct value_tally *tally)
{
    struct value_sums all = {0};
    double r2 = 0, explained = 0;
    for (size_t k = 0; k < tally->count; k++) {
        const struct value_sums *s = &tally->sums[k];
        all.samples += s->samples;
        all.absolute += s->absolute;
        all.square += s->square;
        if (s->spread > 0) {
            r2 += 1 - s->square / s->spread;
            explained++;
        }
    }
    struct value_numbers numbers = numbers_of(&all);
    numbers.r2 = explained > 0 ? r2 / explained : (double)NAN;
    return numbers;
}
