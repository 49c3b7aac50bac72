/* The patterns of tables, walls and objects: seamless grey tiles with their mip levels, made once
 * from lattice noise and then only read. A material mixes its two colours by the tile's value. */
#ifndef SYNTH_TEXTURE_H
#define SYNTH_TEXTURE_H

#include "base/error.h"

enum texture {
    TEXTURE_PLAIN, /* 0 everywhere */
    TEXTURE_WOOD,  /* four boards along u */
    TEXTURE_MARBLE,
    TEXTURE_CLOTH,
    TEXTURE_CLOUD,
    TEXTURE_SPECKLE,
    TEXTURE_CHECK,   /* 2 x 2 squares */
    TEXTURE_STRIPE,  /* two stripes, along u */
    TEXTURE_GINGHAM, /* picnic cloth, 2 x 2 squares */
    TEXTURE_DOTS,    /* 2 x 2 staggered dots */
    TEXTURE_TILES,   /* 2 x 2 tiles with grout */
    TEXTURE_COUNT
};

struct textures;

/* Same content on every call. ERR_MEMORY only. */
NODISCARD enum result textures_new(struct textures **textures, struct error *err);
void textures_free(struct textures *textures); /* accepts NULL */

/* Value in [0, 1] at (u, v), in tiles; the tile repeats for ever. footprint: size of a pixel there,
 * in tiles; finer detail than that is averaged. Any finite coordinates; NaN gives some value. */
float texture_at(const struct textures *textures, enum texture which, float u, float v,
                 float footprint);

#endif
