// Swift can't call C's variadic functions: one inline wrapper for each libvips operation in use.
#ifndef SENSORIUM_VIPS_SHIM_H
#define SENSORIUM_VIPS_SHIM_H
#include <vips/vips.h>

// ---- start-up
// Damaged files make GLib, librsvg and the loaders talk; what they say comes back as errors. Only what ends the process is shown.
static inline void sn_vips_quiet(const gchar *domain, GLogLevelFlags level, const gchar *message, gpointer data) {
    if (level & G_LOG_LEVEL_ERROR) g_log_default_handler(domain, level, message, data);
}
static inline GLogWriterOutput sn_vips_quiet_writer(GLogLevelFlags level, const GLogField *fields, gsize count, gpointer data) {
    return level & G_LOG_LEVEL_ERROR ? g_log_writer_default(level, fields, count, data) : G_LOG_WRITER_HANDLED;
}

// Starts libvips once: one thread to a picture (callers decode several at a time), no cache of results, and none of the loaders
// that libvips itself calls untrusted.
static inline int sn_vips_start(void) {
    g_log_set_default_handler(sn_vips_quiet, NULL);
    g_log_set_writer_func(sn_vips_quiet_writer, NULL, NULL);
    if (vips_init("sensorium")) return -1;
    vips_concurrency_set(1);
    vips_cache_set_max(0);
    vips_cache_set_max_mem(0);
    vips_cache_set_max_files(0);
    vips_block_untrusted_set(TRUE);
    vips_operation_block_set("VipsForeignLoadSvg", FALSE);
    return 0;
}

// ---- loaders: all from memory; `fail` is how strictly damage is answered
static inline int sn_vips_load_jpeg(const void *bytes, size_t count, int shrink, VipsFailOn fail, VipsImage **out) {
    return vips_jpegload_buffer((void *)bytes, count, out, "shrink", shrink, "fail_on", fail, "access", VIPS_ACCESS_SEQUENTIAL, NULL);
}
static inline int sn_vips_load_png(const void *bytes, size_t count, VipsFailOn fail, VipsImage **out) {
    return vips_pngload_buffer((void *)bytes, count, out, "fail_on", fail, "access", VIPS_ACCESS_SEQUENTIAL, NULL);
}
static inline int sn_vips_load_webp(const void *bytes, size_t count, double scale, VipsFailOn fail, VipsImage **out) {
    return vips_webpload_buffer((void *)bytes, count, out, "scale", scale, "fail_on", fail, "access", VIPS_ACCESS_SEQUENTIAL, NULL);
}
static inline int sn_vips_load_gif(const void *bytes, size_t count, VipsFailOn fail, VipsImage **out) {
    return vips_gifload_buffer((void *)bytes, count, out, "n", 1, "fail_on", fail, "access", VIPS_ACCESS_SEQUENTIAL, NULL);
}
static inline int sn_vips_load_tiff(const void *bytes, size_t count, VipsFailOn fail, VipsImage **out) {
    return vips_tiffload_buffer((void *)bytes, count, out, "fail_on", fail, "access", VIPS_ACCESS_SEQUENTIAL, NULL);
}
static inline int sn_vips_load_svg(const void *bytes, size_t count, double scale, VipsFailOn fail, VipsImage **out) {
    return vips_svgload_buffer((void *)bytes, count, out, "scale", scale, "fail_on", fail, NULL);
}
static inline int sn_vips_load_heif(const void *bytes, size_t count, VipsFailOn fail, VipsImage **out) {
    return vips_heifload_buffer((void *)bytes, count, out, "fail_on", fail, "access", VIPS_ACCESS_SEQUENTIAL, NULL);
}

// ---- colour, bands, geometry
static inline int sn_vips_icc_to_srgb(VipsImage *in, const char *fallback, VipsIntent intent, VipsImage **out) {
    return vips_icc_transform(in, out, "srgb", "embedded", TRUE, "input_profile", fallback, "intent", intent,
                              "black_point_compensation", TRUE, "depth", 8, NULL);
}
static inline int sn_vips_colourspace(VipsImage *in, VipsInterpretation space, VipsImage **out) {
    return vips_colourspace(in, out, space, NULL);
}
static inline int sn_vips_relabel(VipsImage *in, VipsInterpretation space, VipsImage **out) {
    return vips_copy(in, out, "interpretation", space, NULL);
}
static inline int sn_vips_cast(VipsImage *in, VipsBandFormat format, gboolean shift, VipsImage **out) {
    return vips_cast(in, out, format, "shift", shift, NULL);
}
static inline int sn_vips_scale(VipsImage *in, double factor, VipsImage **out) {
    return vips_linear1(in, out, factor, 0.0, NULL);
}
static inline int sn_vips_extract(VipsImage *in, int first, int count, VipsImage **out) {
    return vips_extract_band(in, out, first, "n", count, NULL);
}
static inline int sn_vips_join(VipsImage *a, VipsImage *b, VipsImage **out) { return vips_bandjoin2(a, b, out, NULL); }
static inline int sn_vips_upright(VipsImage *in, VipsImage **out) { return vips_autorot(in, out, NULL); }

// ---- writers
static inline int sn_vips_save_jpeg(VipsImage *in, int quality, void **bytes, size_t *count) {
    return vips_jpegsave_buffer(in, bytes, count, "Q", quality, "optimize_coding", TRUE, "strip", TRUE, NULL);
}
static inline int sn_vips_save_png(VipsImage *in, int compression, void **bytes, size_t *count) {
    return vips_pngsave_buffer(in, bytes, count, "compression", compression, "strip", TRUE, NULL);
}
static inline int sn_vips_save_webp(VipsImage *in, int quality, gboolean lossless, void **bytes, size_t *count) {
    return vips_webpsave_buffer(in, bytes, count, "Q", quality, "lossless", lossless, "strip", TRUE, NULL);
}

static inline void sn_vips_unref(VipsImage *image) { g_object_unref(image); }
#endif
