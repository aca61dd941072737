// The vocabulary of the quantised kernels for vectors of one lane: plain C, the reference of the other levels.
#include <math.h>
#include <string.h>
#define LEVEL scalar
#define VW 1
#define QR 4
#define W_OFFSET 128
#define X_OFFSET 128
#define INLINE static inline __attribute__((always_inline))
typedef float vf;
typedef int32_t vi;
typedef bool vm;
INLINE vf v_load(const float *p) { return *p; }
INLINE void v_store(float *p, vf x) { *p = x; }
INLINE vf v_set1(float x) { return x; }
INLINE vf v_add(vf a, vf b) { return a + b; }
INLINE vf v_sub(vf a, vf b) { return a - b; }
INLINE vf v_mul(vf a, vf b) { return a * b; }
INLINE vf v_div(vf a, vf b) { return a / b; }
INLINE vf v_fma(vf a, vf b, vf c) { return a * b + c; }
INLINE vf v_max(vf a, vf b) { return a > b ? a : b; }
INLINE vf v_min(vf a, vf b) { return a < b ? a : b; }
INLINE vf v_abs(vf a) { return fabsf(a); }
INLINE vf v_neg(vf a) { return -a; }
INLINE vf v_round(vf a) { return rintf(a); }
INLINE vm v_lt(vf a, vf b) { return a < b; }
INLINE vf v_select(vm m, vf yes, vf no) { return m ? yes : no; }
INLINE vf v_reduce_add(vf a) { return a; }
static inline float half_at(const void *p) {
    uint16_t half;
    float value;
    memcpy(&half, p, 2);
    from_half_scalar(&half, &value, 1);
    return value;
}
#define HALF(p) half_at(p)
INLINE vi i_zero(void) { return 0; }
INLINE vi i_set1(int x) { return x; }
INLINE vi i_load(const void *p) {
    vi x;
    memcpy(&x, p, 4);
    return x;
}
INLINE void i_store(void *p, vi x) { memcpy(p, &x, 4); }
INLINE vi i_spread(const void *p) { return i_load(p); }
INLINE vi i_max(vi a, vi b) { return a > b ? a : b; }
// sum + four products of an unsigned and a signed byte
INLINE vi i_dot(vi sum, vi u, vi s) {
    for (int i = 0; i < 32; i += 8) sum += (int32_t)(uint8_t)(u >> i) * (int32_t)(int8_t)(s >> i);
    return sum;
}
INLINE vf i_to_float(vi x) { return (float)x; }
// What isn't a number, or too large for one, becomes 0: the scale that goes with it says so.
INLINE vi i_from_float(vf x) { return fabsf(x) < 1e6f ? (vi)rintf(x) : 0; }
INLINE vf i_as_float(vi x) {
    float value;
    memcpy(&value, &x, 4);
    return value;
}
INLINE vi i_from_float_bits(vf x) {
    vi bits;
    memcpy(&bits, &x, 4);
    return bits;
}
INLINE void i_store_bytes(uint8_t *p, vi x) { *p = (uint8_t)x; }
INLINE void i_transpose(vi *r) { (void)r; }
