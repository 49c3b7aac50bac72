#include "report/reconstructions.h"

#include <stdio.h>
#include <string.h>

#include "base/path.h"
#include "report/batch_draw.h"

enum { COLUMNS = 6, PATH_BYTES = 4096 };

static void take(struct reconstructions *pairs, const struct tensor *t, int n, const char *what,
                 size_t sample)
{
    struct sheet_picture *picture = &pairs->pictures[pairs->count];
    double scale;
    if (pairs->err.code == OK &&
        batch_tensor_picture(t, n, &picture->image, &scale, &pairs->err) == OK) {
        snprintf(picture->caption, sizeof picture->caption, "%s %zu", what, sample + 1);
        pairs->count++;
    }
}

void reconstructions_see(void *ctx, const struct validate_sight *sight)
{
    struct reconstructions *pairs = ctx;
    const struct tensor *in = sight->input, *out = sight->output;
    bool fits = in->w == out->w && in->h == out->h && in->c == out->c && (in->c == 1 || in->c == 3);
    size_t taken = pairs->count / 2, most = RECONSTRUCTIONS;
    size_t wanted = sight->samples < most ? sight->samples : most;
    /* One of each part of the set: pictures of one class often stand together. */
    if (!fits || taken == wanted || sight->sample < taken * sight->samples / wanted) {
        return;
    }
    take(pairs, in, sight->n, "original", sight->sample);
    take(pairs, out, sight->n, "output", sight->sample);
}

void reconstructions_free(struct reconstructions *pairs)
{
    sheet_free(pairs->pictures, pairs->count);
    memset(pairs, 0, sizeof *pairs);
}

enum result reconstructions_write(const struct reconstructions *pairs, const char *folder,
                                  struct error *err)
{
    char path[PATH_BYTES];
    if (pairs->err.code != OK) {
        *err = pairs->err;
        return err->code;
    }
    TRY(path_in(path, sizeof path, folder, "reconstructions.jpg", err));
    return sheet_write(path, "Pictures, and what the network makes of them", pairs->pictures,
                       pairs->count, COLUMNS, err);
}
