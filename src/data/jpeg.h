/* JPEG files, written by libjpeg (libjpeg-turbo's, where a distribution has it: three to four times as fast as stb). Reading stays
 * stb's, whose pixels are Darknet's. */
#ifndef DATA_JPEG_H
#define DATA_JPEG_H

#include <stdbool.h>
#include <stdio.h>

enum { JPEG_MOST = 65500 }; /* pixels a side, at most */

/* rgb[h][w][3], quality 1 to 100; colours at half the resolution, or at the whole. Errors of writing stay in the stream; false: memory
 * ran out. */
bool jpeg_write(FILE *stream, const unsigned char *rgb, int w, int h, int quality,
                bool has_whole_colours);

#endif
