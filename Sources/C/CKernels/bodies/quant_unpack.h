// Rows of a chunk of weights as one byte (or f32) per element, with a scale and a term per group. Needs HALF(pointer to two bytes),
// W_OFFSET (what makes signed bytes unsigned: 128, or 0 where the product instruction takes signed ones) and QR.
#include <string.h>
#include "../quant_kernels.h"
#include "names.h"

typedef struct { uint8_t *q; float *scale, *term; } unpack_to;  // scale and term of the row, QR apart

typedef uint8_t bytes16 __attribute__((vector_size(16)));
typedef uint8_t bytes32 __attribute__((vector_size(32)));
INLINE bytes32 load32(const uint8_t *p) {
    bytes32 x;
    memcpy(&x, p, 32);
    return x;
}
INLINE void store32(uint8_t *p, bytes32 x) { memcpy(p, &x, 32); }

// 16 bytes of two elements: the low halves come first.
INLINE bytes32 nibbles(const uint8_t *from) {
    bytes16 x;
    memcpy(&x, from, 16);
    bytes16 low = x & 15, high = x >> 4;
    return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25,
                                   26, 27, 28, 29, 30, 31);
}

// The fifth bits of 32 elements, one bit each, in place.
INLINE bytes32 fifth_bits(const uint8_t *from) {
    const bytes32 bit = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    bytes16 x = {from[0], from[1], from[2], from[3]};
    bytes32 all = __builtin_shufflevector(x, x, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
    return (bytes32)((all & bit) != 0) & 16;
}

INLINE void unpack_q8_0(const uint8_t *b, unpack_to to) {
    store32(to.q, load32(b + 2) ^ W_OFFSET);
    *to.scale = HALF(b);
    *to.term = -(float)W_OFFSET * *to.scale;
}
INLINE void unpack_q4_0(const uint8_t *b, unpack_to to) {
    store32(to.q, nibbles(b + 2));
    *to.scale = HALF(b);
    *to.term = -8 * *to.scale;
}
INLINE void unpack_q4_1(const uint8_t *b, unpack_to to) {
    store32(to.q, nibbles(b + 4));
    *to.scale = HALF(b);
    *to.term = HALF(b + 2);
}
INLINE void unpack_q5_0(const uint8_t *b, unpack_to to) {
    store32(to.q, nibbles(b + 6) | fifth_bits(b + 2));
    *to.scale = HALF(b);
    *to.term = -16 * *to.scale;
}
INLINE void unpack_q5_1(const uint8_t *b, unpack_to to) {
    store32(to.q, nibbles(b + 8) | fifth_bits(b + 4));
    *to.scale = HALF(b);
    *to.term = HALF(b + 2);
}
INLINE void unpack_ranged_super(const uint8_t *b, const uint8_t *fifth, const uint8_t *low, unpack_to to) {
    float d = HALF(b), least = HALF(b + 2);
    for (int j = 0; j < 8; j++) {
        uint8_t scale, minimum;
        quant_scale_minimum(b + 4, j, &scale, &minimum);
        to.scale[j * QR] = d * scale;
        to.term[j * QR] = -least * minimum;
        bytes32 q = load32(low + j / 2 * 32);
        q = j % 2 ? q >> 4 : q & 15;
        store32(to.q + 32 * j, fifth ? q | (load32(fifth) >> (uint8_t)j & 1) << 4 : q);
    }
}
INLINE void unpack_q4_k(const uint8_t *b, unpack_to to) { unpack_ranged_super(b, NULL, b + 16, to); }
INLINE void unpack_q5_k(const uint8_t *b, unpack_to to) { unpack_ranged_super(b, b + 16, b + 48, to); }
INLINE void unpack_q6_k(const uint8_t *b, unpack_to to) {
    for (int half = 0; half < 2; half++)
        for (int part = 0; part < 4; part++) {
            bytes32 low = load32(b + 64 * half + 32 * (part & 1)), high = load32(b + 128 + 32 * half) >> (uint8_t)(2 * part) & 3;
            store32(to.q + 128 * half + 32 * part, (part < 2 ? low & 15 : low >> 4) | high << 4);
        }
    float d = HALF(b + 208);
    for (int j = 0; j < 16; j++) {
        to.scale[j * QR] = d * (float)((const int8_t *)b)[192 + j];
        to.term[j * QR] = -32 * to.scale[j * QR];
    }
}

INLINE void unpack_int8(const quant_unpack_job *job, const uint8_t *from, unpack_to to) {
    memcpy(to.q, from, (size_t)job->k);
    memset(to.q + job->k, 0, (size_t)((QUANT_PIECE - job->k % QUANT_PIECE) % QUANT_PIECE));
    const vi ones = i_set1(0x01010101);
    for (intptr_t k0 = 0; k0 < job->k; k0 += QUANT_PIECE, to.term += QR) {
        vi sum = i_zero();
        for (int i = 0; i < QUANT_PIECE; i += 4 * VW) sum = i_dot(sum, ones, i_load(to.q + k0 + i));
        *to.term = v_reduce_add(i_to_float(sum));
    }
}

#define EACH_BLOCK(NAME_, LENGTH, BYTES, GROUPS)                                                \
    for (intptr_t k0 = 0; k0 < job->k; k0 += LENGTH) {                                          \
        NAME_(from, to);                                                                        \
        from += BYTES;                                                                          \
        to.q += LENGTH;                                                                         \
        to.scale += QR * GROUPS;                                                                \
        to.term += QR * GROUPS;                                                                 \
    }                                                                                           \
    break;

INLINE void unpack_row(const quant_unpack_job *job, const uint8_t *from, unpack_to to) {
    switch (job->format) {
        case SN_WEIGHT_F32: memcpy(to.q, from, (size_t)job->k * 4); break;
        case SN_WEIGHT_F16: sn_kernels()->from_half((const uint16_t *)(const void *)from, (float *)(void *)to.q, job->k); break;
        case SN_WEIGHT_BF16: sn_kernels()->from_bfloat((const uint16_t *)(const void *)from, (float *)(void *)to.q, job->k); break;
        case SN_WEIGHT_INT8: unpack_int8(job, from, to); break;
        case SN_WEIGHT_Q8_0: EACH_BLOCK(unpack_q8_0, 32, 34, 1)
        case SN_WEIGHT_Q4_0: EACH_BLOCK(unpack_q4_0, 32, 18, 1)
        case SN_WEIGHT_Q4_1: EACH_BLOCK(unpack_q4_1, 32, 20, 1)
        case SN_WEIGHT_Q5_0: EACH_BLOCK(unpack_q5_0, 32, 22, 1)
        case SN_WEIGHT_Q5_1: EACH_BLOCK(unpack_q5_1, 32, 24, 1)
        case SN_WEIGHT_Q4_K: EACH_BLOCK(unpack_q4_k, 256, 144, 8)
        case SN_WEIGHT_Q5_K: EACH_BLOCK(unpack_q5_k, 256, 176, 8)
        case SN_WEIGHT_Q6_K: EACH_BLOCK(unpack_q6_k, 256, 210, 16)
        case SN_WEIGHT_FORMAT_COUNT: break;
    }
}

// Rows beyond `count` repeat the last one; what they give isn't used.
void NAME(quant_unpack)(const quant_unpack_job *job) {
    for (intptr_t r = 0; r < QR; r++) {
        const uint8_t *from = job->rows + (r < job->count ? r : job->count - 1) * job->row_bytes;
        unpack_to to = {job->tile + r * QUANT_STRIDE, job->scale + r, job->term + r};
        unpack_row(job, from, to);
    }
}
