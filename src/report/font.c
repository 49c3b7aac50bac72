#include "report/font.h"

#if !__has_include(FONT_FILE)
#error                                                                                             \
    "font not found: install the package fonts-dejavu-core or build with make FONT=/path/to/font.ttf"
#else
__asm__(".pushsection .rodata,\"a\",%progbits\n"
        ".balign 16\n"
        ".globl font_data\n"
        ".type font_data, %object\n"
        "font_data:\n"
        ".incbin \"" FONT_FILE "\"\n"
        ".byte 0\n"
        ".size font_data, . - font_data\n"
        ".popsection\n");
#endif
