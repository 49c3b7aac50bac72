/* Post-training quantisation: which scales bytes get, from pictures, and which layers stay fp32. */
#ifndef RUN_QUANTIZE_H
#define RUN_QUANTIZE_H

#include "net/quant.h"
#include "run/infer.h"

struct quantize_options {
    const char *data;   /* of --data, or a list or a folder of pictures: its training part */
    const char *images; /* COCO: the folder of the pictures, or NULL */
    int pictures;       /* at most, spread evenly */
    int fit;            /* enum infer_fit */
};

enum quantize_reason {
    QUANTIZE_INT8,
    QUANTIZE_FIRST,     /* reads the picture */
    QUANTIZE_HEAD,      /* feeds a head, or is the end */
    QUANTIZE_SENSITIVE, /* costs more accuracy than time */
    QUANTIZE_CANNOT     /* groups, an activation that only fp32 has, too many terms */
};
extern const char *const quantize_reasons[];

/* Of a convolution. */
struct quantize_row {
    int layer;
    enum quantize_reason reason;
    double share; /* of the network's multiply-adds */
    double
        error; /* that it alone, on bytes, makes of what the heads get: squares, of those of the fp32 values */
};

struct quantized {
    struct quantization quant;
    struct quantize_row *rows;
    size_t row_count;
    size_t failures; /* pictures that could not be read */
};

/* What a quantisation of the network can have at most on bytes, every step 1: for measuring memory and time before there are
 * weights. *quant must be zeroed; quant_free also after an error. ERR_UNSUPPORTED if nothing can be on bytes. */
NODISCARD enum result quantize_draft(const struct network *net, struct quantization *quant,
                                     struct error *err);
/* The model is open with all its weights. *found must be zeroed; quantized_free also after an error. ERR_INTERRUPTED. */
NODISCARD enum result quantize(struct model *model, const struct quantize_options *options,
                               struct quantized *found, struct error *err);
/* Scales from one pass over noise, all convolutions but the first and the heads' on bytes: for measuring times with
 * random weights, into model->quant. */
NODISCARD enum result quantize_on_noise(struct model *model, struct error *err);
void quantized_free(struct quantized *found);

#endif
