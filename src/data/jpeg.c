#include "data/jpeg.h"

#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>

#include <jpeglib.h>

/* libjpeg's structure comes first: it hands it back. */
struct failure {
    struct jpeg_error_mgr manager;
    jmp_buf escape;
};

static _Noreturn void give_up(j_common_ptr jpeg)
{
    longjmp(((struct failure *)jpeg->err)->escape, 1);
}

static void say_nothing(j_common_ptr jpeg)
{
    (void)jpeg;
}

/* Errors end the call by longjmp, warnings are counted, nothing is printed. */
static struct jpeg_error_mgr *quiet(struct failure *failure)
{
    struct jpeg_error_mgr *manager = jpeg_std_error(&failure->manager);
    manager->error_exit = give_up;
    manager->output_message = say_nothing;
    return manager;
}

/* ---- reading ---- */

static void read_rows(j_decompress_ptr jpeg, unsigned char *rgb)
{
    enum { AT_ONCE = 8 };
    size_t row_bytes = (size_t)jpeg->output_width * 3;
    while (jpeg->output_scanline < jpeg->output_height) {
        JSAMPROW rows[AT_ONCE];
        JDIMENSION left = jpeg->output_height - jpeg->output_scanline;
        JDIMENSION count = left < AT_ONCE ? left : AT_ONCE;
        for (JDIMENSION i = 0; i < count; i++) {
            rows[i] = rgb + (jpeg->output_scanline + i) * row_bytes;
        }
        jpeg_read_scanlines(jpeg, rows, count);
    }
}

bool jpeg_read(const unsigned char *bytes, size_t size, int w, int h, unsigned char *rgb)
{
    struct jpeg_decompress_struct jpeg = {0};
    struct failure failure;
    jpeg.err = quiet(&failure);
    if (setjmp(failure.escape) != 0) {
        jpeg_destroy_decompress(&jpeg);
        return false;
    }
    jpeg_create_decompress(&jpeg);
    jpeg_mem_src(&jpeg, bytes, (unsigned long)size);
    jpeg_read_header(&jpeg, TRUE);
    jpeg.out_color_space = JCS_RGB;
    bool fits = jpeg.image_width == (JDIMENSION)w && jpeg.image_height == (JDIMENSION)h;
    if (fits) {
        jpeg_start_decompress(&jpeg);
        read_rows(&jpeg, rgb);
        jpeg_finish_decompress(&jpeg);
    }
    bool is_flawless = fits && jpeg.err->num_warnings == 0;
    jpeg_destroy_decompress(&jpeg);
    return is_flawless;
}

/* ---- writing ---- */

enum { BUFFER = 16384 };

/* libjpeg's structure comes first, here, too. */
struct target {
    struct jpeg_destination_mgr manager;
    FILE *stream;
    JOCTET bytes[BUFFER];
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
    jpeg.err = quiet(&failure);
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
