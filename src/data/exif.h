/* What a JPEG's EXIF block says of the way up. Pictures are never turned here (as in Darknet
 * without OpenCV); labels drawn in a program that turns them do not fit. */
#ifndef DATA_EXIF_H
#define DATA_EXIF_H

#include <stddef.h>

/* EXIF's orientation, tag 0x0112 (CIPA DC-008): 1 as stored, 2 to 8 mirrored or turned; 1 for
 * anything that is no JPEG or says nothing. */
int exif_orientation(const unsigned char *bytes, size_t size);

#endif
