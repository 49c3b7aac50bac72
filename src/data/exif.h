/* What a JPEG's EXIF block says of the way up. */
#ifndef DATA_EXIF_H
#define DATA_EXIF_H

#include <stddef.h>

/* EXIF's orientation, tag 0x0112 (CIPA DC-008): 1 as stored, 2 to 8 mirrored or turned, from 5 on with width
 * and height exchanged; 1 for anything that is no JPEG or says nothing. */
int exif_orientation(const unsigned char *bytes, size_t size);

#endif
