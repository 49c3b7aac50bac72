/* What an autoencoder makes of pictures, beside them. */
#ifndef REPORT_RECONSTRUCTIONS_H
#define REPORT_RECONSTRUCTIONS_H

#include "report/picture_sheet.h"
#include "train/validate.h"

enum { RECONSTRUCTIONS = 12 };

/* Samples from all parts of a validation's set, original and output in turns. Zeroed = empty. */
struct reconstructions {
    struct sheet_picture pictures[2 * RECONSTRUCTIONS];
    size_t count;
    struct error err; /* why the last was not taken; code OK: none */
};

/* For validate_options.see; ctx: struct reconstructions. Outputs of another shape than the input are passed over. */
void reconstructions_see(void *ctx, const struct validate_sight *sight);
void reconstructions_free(struct reconstructions *pairs);

/* folder/reconstructions.jpg */
NODISCARD enum result reconstructions_write(const struct reconstructions *pairs, const char *folder,
                                            struct error *err);

#endif
