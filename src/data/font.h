/* The TrueType font linked into the program: every byte of the file named by FONT in the Makefile.
 */
#ifndef DATA_FONT_H
#define DATA_FONT_H

extern const unsigned char font_data[];

#endif
