#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jerror.h>
#include <jpeglib.h>
#include "sensorium_jpeg.h"

// A progressive file may repeat its scans without end, each as dear as the whole picture; real ones have about ten.
enum { MOST_SCANS = 100 };

struct sn_jpeg {
    struct jpeg_decompress_struct decoder;
    struct jpeg_error_mgr errors;
    struct jpeg_source_mgr source;
    struct jpeg_progress_mgr progress;
    jmp_buf escape;
    sn_jpeg_status status;
    char reason[JMSG_LENGTH_MAX];
};

static sn_jpeg *owner(j_common_ptr decoder) { return decoder->client_data; }

static void fail(j_common_ptr decoder) {
    sn_jpeg *jpeg = owner(decoder);
    jpeg->status = decoder->err->msg_code == JERR_INPUT_EOF ? SN_JPEG_TRUNCATED : SN_JPEG_DAMAGED;
    decoder->err->format_message(decoder, jpeg->reason);
    longjmp(jpeg->escape, 1);
}
// Warnings are of damage that libjpeg can read on from; they are let pass, and nothing is printed.
static void ignore_message(j_common_ptr decoder, int level) { (void)decoder; (void)level; }
static void ignore_output(j_common_ptr decoder) { (void)decoder; }

// The whole file is in memory from the start: there is nothing to begin, to fetch or to end.
static void idle(j_decompress_ptr decoder) { (void)decoder; }
static boolean refill(j_decompress_ptr decoder) {
    ERREXIT(decoder, JERR_INPUT_EOF);
    return FALSE;
}
static void skip(j_decompress_ptr decoder, long count) {
    if (count <= 0) return;
    if ((size_t)count > decoder->src->bytes_in_buffer) ERREXIT(decoder, JERR_INPUT_EOF);
    decoder->src->next_input_byte += count;
    decoder->src->bytes_in_buffer -= (size_t)count;
}

static void count_scans(j_common_ptr decoder) {
    if (((j_decompress_ptr)decoder)->input_scan_number <= MOST_SCANS) return;
    sn_jpeg *jpeg = owner(decoder);
    jpeg->status = SN_JPEG_DAMAGED;
    snprintf(jpeg->reason, sizeof jpeg->reason, "more than %d scans", MOST_SCANS);
    longjmp(jpeg->escape, 1);
}

sn_jpeg *sn_jpeg_open(const void *bytes, size_t count) {
    sn_jpeg *jpeg = calloc(1, sizeof *jpeg);
    if (!jpeg) return NULL;
    j_decompress_ptr decoder = &jpeg->decoder;
    decoder->err = jpeg_std_error(&jpeg->errors);
    jpeg->errors.error_exit = fail;
    jpeg->errors.emit_message = ignore_message;
    jpeg->errors.output_message = ignore_output;
    decoder->client_data = jpeg;
    if (setjmp(jpeg->escape)) return jpeg;
    jpeg_create_decompress(decoder);
    jpeg->progress.progress_monitor = count_scans;
    decoder->progress = &jpeg->progress;
    jpeg->source = (struct jpeg_source_mgr){bytes, count, idle, refill, skip, jpeg_resync_to_restart, idle};
    decoder->src = &jpeg->source;
    jpeg_save_markers(decoder, JPEG_APP0 + 1, 0xFFFF);
    jpeg_save_markers(decoder, JPEG_APP0 + 2, 0xFFFF);
    jpeg_read_header(decoder, TRUE);
    return jpeg;
}

void sn_jpeg_close(sn_jpeg *jpeg) {
    if (!jpeg) return;
    jpeg_destroy_decompress(&jpeg->decoder);
    free(jpeg);
}

sn_jpeg_status sn_jpeg_state(const sn_jpeg *jpeg) { return jpeg->status; }
const char *sn_jpeg_reason(const sn_jpeg *jpeg) { return jpeg->reason; }

void sn_jpeg_size(sn_jpeg *jpeg, int32_t shrink, int32_t *width, int32_t *height) {
    // As jpeg_calc_output_dimensions rounds.
    *width = (int32_t)((jpeg->decoder.image_width + (JDIMENSION)shrink - 1) / (JDIMENSION)shrink);
    *height = (int32_t)((jpeg->decoder.image_height + (JDIMENSION)shrink - 1) / (JDIMENSION)shrink);
}

bool sn_jpeg_is_plain(const sn_jpeg *jpeg) {
    J_COLOR_SPACE space = jpeg->decoder.jpeg_color_space;
    return space == JCS_GRAYSCALE || space == JCS_YCbCr || space == JCS_RGB;
}

// `length` counts the name's closing zero.
static jpeg_saved_marker_ptr find(const sn_jpeg *jpeg, int marker, const char *name, unsigned length) {
    for (jpeg_saved_marker_ptr m = jpeg->decoder.marker_list; m; m = m->next)
        if (m->marker == marker && m->data_length >= length && !memcmp(m->data, name, length)) return m;
    return NULL;
}

bool sn_jpeg_has_profile(const sn_jpeg *jpeg) { return find(jpeg, JPEG_APP0 + 2, "ICC_PROFILE", 12) != NULL; }

uint8_t *sn_jpeg_profile(sn_jpeg *jpeg, size_t *count) {
    JOCTET *data = NULL;
    unsigned length = 0;
    *count = 0;
    if (setjmp(jpeg->escape) || !jpeg_read_icc_profile(&jpeg->decoder, &data, &length)) return NULL;
    *count = length;
    return data;
}

const uint8_t *sn_jpeg_exif(const sn_jpeg *jpeg, size_t *count) {
    jpeg_saved_marker_ptr found = find(jpeg, JPEG_APP0 + 1, "Exif\0", 6);
    *count = found ? found->data_length : 0;
    return found ? found->data : NULL;
}

sn_jpeg_status sn_jpeg_pixels(sn_jpeg *jpeg, int32_t shrink, uint8_t *target) {
    j_decompress_ptr decoder = &jpeg->decoder;
    if (jpeg->status != SN_JPEG_FINE || setjmp(jpeg->escape)) return jpeg->status;
    decoder->out_color_space = JCS_RGB;
    decoder->scale_num = 1;
    decoder->scale_denom = (unsigned)shrink;
    jpeg_start_decompress(decoder);
    int32_t width, height;
    sn_jpeg_size(jpeg, shrink, &width, &height);
    if (decoder->output_width != (JDIMENSION)width || decoder->output_height != (JDIMENSION)height || decoder->output_components != 3) {
        snprintf(jpeg->reason, sizeof jpeg->reason, "the decoder changed its mind about the size");
        return jpeg->status = SN_JPEG_DAMAGED;
    }
    size_t row_bytes = (size_t)width * 3;
    while (decoder->output_scanline < decoder->output_height) {
        JSAMPROW rows[16];
        JDIMENSION count = decoder->output_height - decoder->output_scanline;
        if (count > 16) count = 16;
        for (JDIMENSION i = 0; i < count; i++) rows[i] = target + (decoder->output_scanline + i) * row_bytes;
        jpeg_read_scanlines(decoder, rows, count);
    }
    return SN_JPEG_FINE;
}
