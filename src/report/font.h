/* The TrueType font linked into the program: every byte of the file named by FONT in the Makefile.
 */
#ifndef REPORT_FONT_H
#define REPORT_FONT_H

extern const unsigned char font_data[];

#endif
