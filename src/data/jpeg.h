/* JPEG files by libjpeg (libjpeg-turbo's, where a distribution has it): read in less than 60 % of stb's time, written in a quarter. */
#ifndef DATA_JPEG_H
#define DATA_JPEG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { JPEG_MOST = 65500 }; /* pixels a side, at most */

/* A picture of one or three colours and 8 bits a sample into rgb[h][w][3]. True only if libjpeg finds no fault in the whole file and w and h
 * are what it states; otherwise rgb holds nothing of use, and another decoder may try. */
bool jpeg_read(const unsigned char *bytes, size_t size, int w, int h, unsigned char *rgb);

/* rgb[h][w][3], quality 1 to 100; colours at half the resolution, or at the whole. Errors of writing stay in the stream; false: memory
 * ran out. */
bool jpeg_write(FILE *stream, const unsigned char *rgb, int w, int h, int quality,
                bool has_whole_colours);

#endif
