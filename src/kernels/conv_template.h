/* All slots of slots_conv.h; TILE_PIXELS as in tile_template.h. */
#ifndef KERNELS_CONV_TEMPLATE_H
#define KERNELS_CONV_TEMPLATE_H

#include "kernels/depthwise_template.h"
#include "kernels/pointwise_template.h"
#include "kernels/tile_template.h"
#include "kernels/winograd_template.h"

static void conv_install(struct conv_slots *slots)
{
    *slots = (struct conv_slots){.mr = TILE_PIXELS,
                                 .nr = TILE_FILTERS,
                                 .tile = tile_slot,
                                 .finish = finish_slot,
                                 .winograd_input = winograd_input_slot,
                                 .winograd_filter = winograd_filter_slot,
                                 .winograd_output = winograd_output_slot,
                                 .depthwise = depthwise_slot,
                                 .pointwise = pointwise_slot,
                                 .outer = outer_slot,
                                 .winograd_output_gradient = winograd_output_gradient_slot,
                                 .winograd_filter_gradient = winograd_filter_gradient_slot,
                                 .depthwise_weights = depthwise_weights_slot};
}

#endif
