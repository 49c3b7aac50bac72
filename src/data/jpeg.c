#include "data/jpeg.h"

#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>

#include <jpeglib.h>

enum { BUFFER = 16384 };

/* libjpeg's structures come first: it hands them back. */
struct target {
    struct jpeg_destination_mgr manager;
    FILE *stream;
    JOCTET bytes[BUFFER];
};

struct failure {
    struct jpeg_error_mgr manager;
    jmp_buf escape;
};

static void begin(j_compress_ptr jpeg)
{
    struct target *to = (struct target *)jpeg->dest;
    to->manager.next_output_byte = to->bytes;
    to->manager.free_in_buffer = BUFFER;
}

static boolean empty(j_compress_ptr jpeg)
{
    struct target *to = (struct target *)jpeg->dest;
    fwrite(to->bytes, 1, BUFFER, to->stream);
    begin(jpeg);
    return TRUE;
}

static void end(j_compress_ptr jpeg)
{
    struct target *to = (struct target *)jpeg->dest;
    fwrite(to->bytes, 1, BUFFER - to->manager.free_in_buffer, to->stream);
}

static _Noreturn void give_up(j_common_ptr jpeg)
{
    longjmp(((struct failure *)jpeg->err)->escape, 1);
}

static void say_nothing(j_common_ptr jpeg)
{
    (void)jpeg;
}

static void write_rows(j_compress_ptr jpeg, const unsigned char *rgb)
{
    size_t row_bytes = (size_t)jpeg->image_width * 3;
    while (jpeg->next_scanline < jpeg->image_height) {
        /* It reads them only, though its type does not say so. */
        JSAMPROW row = (JSAMPROW)(uintptr_t)(rgb + jpeg->next_scanline * row_bytes);
        jpeg_write_scanlines(jpeg, &row, 1);
    }
}

bool jpeg_write(FILE *stream, const unsigned char *rgb, int w, int h, int quality,
                bool has_whole_colours)
{
    struct jpeg_compress_struct jpeg = {0};
    struct target target = {.manager = {.init_destination = begin,
                                        .empty_output_buffer = empty,
                                        .term_destination = end},
                            .stream = stream};
    struct failure failure;
    jpeg.err = jpeg_std_error(&failure.manager);
    failure.manager.error_exit = give_up;
    failure.manager.output_message = say_nothing;
    if (setjmp(failure.escape) != 0) {
        jpeg_destroy_compress(&jpeg);
        return false;
    }
    jpeg_create_compress(&jpeg);
    jpeg.dest = &target.manager;
    jpeg.image_width = (JDIMENSION)w;
    jpeg.image_height = (JDIMENSION)h;
    jpeg.input_components = 3;
    jpeg.in_color_space = JCS_RGB;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, quality, TRUE);
    if (has_whole_colours) {
        jpeg.comp_info[0].h_samp_factor = 1;
        jpeg.comp_info[0].v_samp_factor = 1;
    }
    jpeg_start_compress(&jpeg, TRUE);
    write_rows(&jpeg, rgb);
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    return true;
}
