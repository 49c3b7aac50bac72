#include "eval/calibration.h"

#include <math.h>
#include <string.h>

static struct calibration_bin *bin_of(struct calibration *calibration, double score)
{
    double place = floor(score * CALIBRATION_BINS);
    size_t bin = place >= CALIBRATION_BINS ? CALIBRATION_BINS - 1 : place > 0 ? (size_t)place : 0;
    return &calibration->bins[bin];
}

void calibration_measure(const struct coco_metrics *metrics, struct calibration *calibration)
{
    memset(calibration, 0, sizeof *calibration);
    for (size_t k = 0; k < metrics->class_count; k++) {
        for (size_t i = 0; i < metrics->classes[k].count; i++) {
            const struct coco_match *m = &metrics->classes[k].matches[i];
            bool hit = m->hit[COCO_AREA_ALL] & 1;
            if (hit || (m->miss[COCO_AREA_ALL] & 1)) {
                struct calibration_bin *bin = bin_of(calibration, m->score);
                bin->count++;
                bin->hits += hit;
                bin->confidence += m->score;
                calibration->count++;
            }
        }
    }
    for (size_t i = 0; i < CALIBRATION_BINS; i++) {
        struct calibration_bin *bin = &calibration->bins[i];
        if (bin->count == 0) {
            continue;
        }
        bin->confidence /= (double)bin->count;
        bin->precision = (double)bin->hits / (double)bin->count;
        double gap = fabs(bin->precision - bin->confidence);
        calibration->ece += gap * (double)bin->count / (double)calibration->count;
        calibration->mce = fmax(calibration->mce, gap);
    }
}
