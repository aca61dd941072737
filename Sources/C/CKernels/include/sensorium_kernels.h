// Kernels of the engine: f32 compute, one table of functions per instruction set, chosen once at start-up.
// SENSORIUM_KERNELS=scalar|avx2|avx512|neon forces a level (one that the CPU lacks falls back to the best it has).
#ifndef SENSORIUM_KERNELS_H
#define SENSORIUM_KERNELS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __clang__
#pragma clang assume_nonnull begin
#endif

// ---- runtime: threads and buffers
int32_t sn_thread_count(void);
void sn_thread_limit(int32_t count);
typedef void (*sn_range_body)(void *_Nullable context, intptr_t start, intptr_t end);
// Runs body over disjoint ranges covering 0..<count, each at least `grain` long but the last.
void sn_parallel_for(intptr_t count, intptr_t grain, sn_range_body body, void *_Nullable context);
void *sn_pool_allocate(intptr_t bytes);
void sn_pool_release(void *pointer, intptr_t bytes);
// Gives cached buffers back to the system.
void sn_pool_trim(void);
// From now on the C library gives freed blocks of this many bytes or more back at once. By itself it comes to keep blocks of up to
// 32 MiB in every thread's heap once such have been freed.
void sn_return_large_blocks(intptr_t bytes);
// Bytes obtained from the system since start, for buffers of any size and for the threads' scratch (monotonic): constant while a
// steady state allocates nothing.
intptr_t sn_pool_system_allocations(void);
// Bytes of buffers that are in use, and the most there were since the start or the last restart (which begins with those in use).
intptr_t sn_pool_used(void);
intptr_t sn_pool_peak(bool restart);

// ---- strided copy: strides and sizes in elements, outermost axis first
void sn_copy_strided(void *target, const intptr_t *target_strides, const void *source, const intptr_t *source_strides,
                     const intptr_t *sizes, intptr_t rank, intptr_t element_size);

// ---- element-wise
typedef enum {
    SN_NEGATE, SN_ABS, SN_EXP, SN_LOG, SN_SQRT, SN_RSQRT, SN_TANH, SN_SIGMOID, SN_ERF, SN_SIN, SN_COS,
    SN_RELU, SN_GELU, SN_GELU_TANH, SN_GELU_QUICK, SN_SILU, SN_FLOOR, SN_CEIL, SN_ROUND,
    SN_UNARY_COUNT
} sn_unary;
typedef enum { SN_ADD, SN_SUB, SN_MUL, SN_DIV, SN_MAX, SN_MIN, SN_POW, SN_BINARY_COUNT } sn_binary;

// ---- the table
typedef struct {
    const char *name;
    // Rows and columns of the GEMM tile; columns come in vectors of vw. Right rows that gemm_dots takes at once.
    int32_t mr, vw, nr, dots;
    // c[rows][vectors * vw] (+)= a[rows][k] b[k][vectors * vw]; rows <= mr, vectors <= nr / vw, row strides lda and ldc
    void (*gemm_tile)(int32_t rows, int32_t vectors, intptr_t k, const float *a, intptr_t lda, const float *b, float *c, intptr_t ldc,
                      bool accumulate);
    // out[t * ldo + i] = sum(a[i][...] * b[t][...]) for i < rows (any number), t < count <= dots
    void (*gemm_dots)(int32_t rows, int32_t count, intptr_t k, const float *a, intptr_t lda, const float *b, intptr_t ldb, float *out,
                      intptr_t ldo);
    // to[j][i] = from[i][j] (+ add[j][i]) for i < rows, j < columns
    void (*transpose)(const float *from, intptr_t from_row, intptr_t rows, intptr_t columns, const float *_Nullable add, intptr_t add_row,
                      float *to, intptr_t to_row);
    // c[i][...] = (alpha * c[i][...] + bias[i]) * scale[i] over rows of `columns` elements, a multiple of vw
    void (*scale_rows)(float *c, intptr_t rows, intptr_t columns, float alpha, const float *_Nullable bias, const float *_Nullable scale);
    // y[i][j] = (alpha * c[i][j] + bias[j]) * scale[j] + residual[i][j]; c's rows, a multiple of vw, lie `width` apart
    void (*finish_rows)(const float *c, intptr_t rows, intptr_t width, intptr_t columns, float alpha, const float *_Nullable bias,
                        const float *_Nullable scale, const float *_Nullable residual, intptr_t residual_row, float *y, intptr_t y_row);
    void (*unary)(sn_unary operation, const float *x, float *y, intptr_t n);
    // a and b advance by 0 (one value for all) or 1
    void (*binary)(sn_binary operation, const float *a, intptr_t a_step, const float *b, intptr_t b_step, float *y, intptr_t n);
    float (*sum)(const float *x, intptr_t n);
    float (*max)(const float *x, intptr_t n);
    float (*dot)(const float *a, const float *b, intptr_t n);
    // y = exp(x * scale - max(x * scale)); returns the sum of y
    float (*softmax_exp)(const float *x, float scale, float *y, intptr_t n);
    // Softmax of every column of s[rows][columns] (columns a multiple of vw), continued over blocks of rows: s becomes
    // exp(s - top); top (-inf at first) rises, total adds up, factor corrects what was computed with the earlier top
    void (*softmax_columns)(float *s, intptr_t rows, intptr_t columns, float *top, float *total, float *factor);
    // c[i][j] *= factor[j]; columns a multiple of vw
    void (*scale_columns)(float *c, intptr_t rows, intptr_t columns, const float *factor);
    void (*layer_norm)(const float *x, const float *_Nullable weight, const float *_Nullable bias, float epsilon, float *y, intptr_t n);
    void (*rms_norm)(const float *x, const float *_Nullable weight, float epsilon, float *y, intptr_t n);
    void (*from_half)(const uint16_t *x, float *y, intptr_t n);
    void (*to_half)(const float *x, uint16_t *y, intptr_t n);
    void (*from_bfloat)(const uint16_t *x, float *y, intptr_t n);
    void (*to_bfloat)(const float *x, uint16_t *y, intptr_t n);
    // y[i] = bias + sum of weight[r * kernel_width + t] * rows[r][i + t * dilation]
    void (*depthwise_row)(const float *_Nonnull const *_Nonnull rows, intptr_t kernel_height, intptr_t kernel_width, intptr_t dilation, const float *weight,
                          float bias, float *y, intptr_t n);
} sn_kernel_table;

// The table of the chosen level.
const sn_kernel_table *sn_kernels(void);
// The table of a level by name; NULL where the build or the CPU lacks it.
const sn_kernel_table *_Nullable sn_kernels_named(const char *name);
// Makes `table` the chosen one (tests compare levels); returns the previous one.
const sn_kernel_table *sn_kernels_use(const sn_kernel_table *table);

// ---- GEMM
// Applied to a product in this order: alpha, bias, scale, activation, residual.
typedef struct {
    float alpha;
    const float *_Nullable bias;      // one per column of the result
    const float *_Nullable scale;     // one per column of the result
    int32_t activation;               // an sn_unary, or -1
    const float *_Nullable residual;  // row stride residual_stride
    intptr_t residual_stride;
} sn_epilogue;

// Floats that a right operand of n columns and k rows takes in panels of nr columns, the last one as narrow as whole vectors allow.
intptr_t sn_packed_size(intptr_t n, intptr_t k);
// Packs B[k][n] (element k, n at b[k * k_stride + n * n_stride]) into panels: panel j of nr columns lies at packed + j * nr * k.
void sn_pack_right(const float *b, intptr_t n, intptr_t k, intptr_t n_stride, intptr_t k_stride, float *packed);

// How the elements of a weight row are stored. Numbers are little-endian, scales of blocks are binary16.
typedef enum {
    SN_WEIGHT_F32, SN_WEIGHT_F16, SN_WEIGHT_BF16,
    SN_WEIGHT_INT8,   // k signed bytes in -127...127; one f32 scale for the row, kept beside the rows
    SN_WEIGHT_Q8_0,   // 32 elements in 34 bytes: scale, 32 signed bytes
    SN_WEIGHT_Q4_0,   // 32 in 18: scale, 16 bytes of two elements minus 8
    SN_WEIGHT_Q4_1,   // 32 in 20: scale, minimum, 16 bytes
    SN_WEIGHT_Q5_0,   // 32 in 22: scale, fifth bits, 16 bytes
    SN_WEIGHT_Q5_1,   // 32 in 24: scale, minimum, fifth bits, 16 bytes
    SN_WEIGHT_Q4_K,   // 256 in 144: two scales, 8 six-bit scales and minimums, 128 bytes
    SN_WEIGHT_Q5_K,   // 256 in 176: as Q4_K with 32 bytes of fifth bits
    SN_WEIGHT_Q6_K,   // 256 in 210: low four bits, high two bits, 16 scales in bytes, a scale
    SN_WEIGHT_FORMAT_COUNT
} sn_weight_format;

// The weights W[n][k] of a linear layer.
typedef struct {
    sn_weight_format format;
    const void *rows;
    intptr_t row_bytes, n, k;       // row_bytes: from one row to the next
    const float *_Nullable scales;  // one per row, of INT8 only
} sn_weights;

// y[m][n] = epilogue(x[m][k] W^T), W being the rows of `count` matrices of equal k one after another, each read where it lies (it may
// be mapped). F32, F16 and BF16 weights meet f32 activations here, the others as sn_linear_quantised has it. Row strides x_row and
// y_row in floats. Uses all threads.
void sn_linear(intptr_t m, const float *x, intptr_t x_row, const sn_weights *parts, intptr_t count, float *y, intptr_t y_row,
               const sn_epilogue *_Nullable epilogue);
// Floats that sn_pack_weights writes.
intptr_t sn_packed_weights_size(const sn_weights *parts, intptr_t count);
// The rows of `count` F32 matrices of equal k, one after another, as panels for sn_linear_packed at the chosen level.
void sn_pack_weights(const sn_weights *parts, intptr_t count, float *packed);
// y[m][n] = epilogue(x[m][k] W^T) with W[n][k] packed. Uses all threads.
void sn_linear_packed(intptr_t m, const float *x, intptr_t x_row, const float *packed, intptr_t n, intptr_t k, float *y, intptr_t y_row,
                      const sn_epilogue *_Nullable epilogue);
// C = A B, `batch` times over with the given batch strides (in floats); element strides of both operands are free, C is row-major.
void sn_gemm_batched(intptr_t batch, intptr_t m, intptr_t n, intptr_t k, const float *a, intptr_t a_batch, intptr_t a_row,
                     intptr_t a_step, const float *b, intptr_t b_batch, intptr_t b_k, intptr_t b_n, float *c, intptr_t c_batch,
                     intptr_t ldc);

// ---- composed operations, all on the pool
void sn_unary_all(sn_unary operation, const float *x, float *y, intptr_t n);
void sn_layer_norm_rows(const float *x, const float *_Nullable weight, const float *_Nullable bias, float epsilon, float *y,
                        intptr_t rows, intptr_t n);
void sn_rms_norm_rows(const float *x, const float *_Nullable weight, float epsilon, float *y, intptr_t rows, intptr_t n);
void sn_softmax_rows(const float *x, float *y, intptr_t rows, intptr_t n);

typedef struct {
    intptr_t batch, heads, key_heads, queries, keys, width, value_width;
    // strides in floats of batch, head and position; elements of a position are adjacent
    intptr_t q_batch, q_head, q_row, k_batch, k_head, k_row, v_batch, v_head, v_row, o_batch, o_head, o_row;
    float scale;
    bool causal;  // query i sees keys 0...i + (keys - queries)
    const float *_Nullable mask;  // additive, strides (may be 0)
    intptr_t mask_batch, mask_head, mask_row;
} sn_attention_shape;
void sn_attention(const float *q, const float *k, const float *v, float *out, const sn_attention_shape *shape);

typedef struct {
    intptr_t batch, in_channels, in_height, in_width, out_channels, kernel_height, kernel_width, out_height, out_width, groups;
    intptr_t stride_height, stride_width, pad_top, pad_left, dilation_height, dilation_width;
} sn_conv_shape;
// NCHW convolution; weight [out, in / groups, kh, kw]. y = activation(convolution + bias + residual), residual shaped as y.
void sn_conv2d(const float *x, const float *weight, const float *_Nullable bias, const float *_Nullable residual, int32_t activation,
               float *y, const sn_conv_shape *shape);
// The largest value under each window of each channel; padding never wins.
void sn_max_pool2d(const float *x, float *y, const sn_conv_shape *shape);
// The mean under each window, over the places inside the picture or, with count_padding, inside the padded one.
void sn_mean_pool2d(const float *x, float *y, const sn_conv_shape *shape, intptr_t pad_bottom, intptr_t pad_right, int count_padding);

#ifdef __clang__
#pragma clang assume_nonnull end
#endif
#endif
