// Rows of a chunk of weights as one byte (or f32) per element, with a scale and a term per group. Needs HALF(pointer to two bytes),
// W_OFFSET (what makes signed bytes unsigned: 128, or 0 where the product instruction takes signed ones) and QR.
#include <string.h>
#include "../quant_kernels.h"
#include "names.h"

typedef struct { uint8_t *q; float *scale, *term; } unpack_to;  // scale and term of the row, QR apart

INLINE void nibbles(const uint8_t *from, uint8_t *q, int half) {
    for (int i = 0; i < half; i++) q[i] = from[i] & 15;
    for (int i = 0; i < half; i++) q[half + i] = from[i] >> 4;
}

// The fifth bits of 32 elements, one bit each.
INLINE void add_fifth(const uint8_t *bits, uint8_t *q) {
    for (int i = 0; i < 32; i++) q[i] |= (uint8_t)((bits[i / 8] >> (i % 8) & 1) << 4);
}

INLINE void unpack_q8_0(const uint8_t *b, unpack_to to) {
    for (int i = 0; i < 32; i++) to.q[i] = (uint8_t)(b[2 + i] ^ W_OFFSET);
    *to.scale = HALF(b);
    *to.term = -(float)W_OFFSET * *to.scale;
}
INLINE void unpack_q4_0(const uint8_t *b, unpack_to to) {
    nibbles(b + 2, to.q, 16);
    *to.scale = HALF(b);
    *to.term = -8 * *to.scale;
}
INLINE void unpack_q4_1(const uint8_t *b, unpack_to to) {
    nibbles(b + 4, to.q, 16);
    *to.scale = HALF(b);
    *to.term = HALF(b + 2);
}
INLINE void unpack_q5_0(const uint8_t *b, unpack_to to) {
    nibbles(b + 6, to.q, 16);
    add_fifth(b + 2, to.q);
    *to.scale = HALF(b);
    *to.term = -16 * *to.scale;
}
INLINE void unpack_q5_1(const uint8_t *b, unpack_to to) {
    nibbles(b + 8, to.q, 16);
    add_fifth(b + 4, to.q);
    *to.scale = HALF(b);
    *to.term = HALF(b + 2);
}
INLINE void unpack_ranged_super(const uint8_t *b, const uint8_t *fifth, const uint8_t *low, unpack_to to) {
    float d = HALF(b), least = HALF(b + 2);
    for (int j = 0; j < 4; j++) nibbles(low + 32 * j, to.q + 64 * j, 32);
    for (int j = 0; j < 8; j++) {
        uint8_t scale, minimum;
        quant_scale_minimum(b + 4, j, &scale, &minimum);
        to.scale[j * QR] = d * scale;
        to.term[j * QR] = -least * minimum;
        if (fifth)
            for (int i = 0; i < 32; i++) to.q[32 * j + i] |= (uint8_t)((fifth[i] >> j & 1) << 4);
    }
}
INLINE void unpack_q4_k(const uint8_t *b, unpack_to to) { unpack_ranged_super(b, NULL, b + 16, to); }
INLINE void unpack_q5_k(const uint8_t *b, unpack_to to) { unpack_ranged_super(b, b + 16, b + 48, to); }
INLINE void unpack_q6_k(const uint8_t *b, unpack_to to) {
    for (int half = 0; half < 2; half++)
        for (int part = 0; part < 4; part++)
            for (int i = 0; i < 32; i++)
                to.q[128 * half + 32 * part + i] = (uint8_t)((b[64 * half + 32 * (part & 1) + i] >> (part / 2 * 4) & 15) |
                                                             (b[128 + 32 * half + i] >> (2 * part) & 3) << 4);
    float d = HALF(b + 208);
    for (int j = 0; j < 16; j++) {
        to.scale[j * QR] = d * (float)((const int8_t *)b)[192 + j];
        to.term[j * QR] = -32 * to.scale[j * QR];
    }
}

INLINE void unpack_int8(const quant_unpack_job *job, const uint8_t *from, unpack_to to) {
    memcpy(to.q, from, (size_t)job->k);
    memset(to.q + job->k, 0, (size_t)((QUANT_PIECE - job->k % QUANT_PIECE) % QUANT_PIECE));
    for (intptr_t k0 = 0; k0 < job->k; k0 += QUANT_PIECE, to.term += QR) {
        int32_t sum = 0;
        for (int i = 0; i < QUANT_PIECE; i++) sum += ((const int8_t *)to.q)[k0 + i];
        *to.term = (float)sum;
    }
}

#define EACH_BLOCK(NAME_, LENGTH, GROUPS)                                                       \
    for (intptr_t k0 = 0; k0 < job->k; k0 += LENGTH) {                                          \
        NAME_(from, to);                                                                        \
        from += sn_weight_block_bytes(job->format);                                             \
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
        case SN_WEIGHT_Q8_0: EACH_BLOCK(unpack_q8_0, 32, 1)
        case SN_WEIGHT_Q4_0: EACH_BLOCK(unpack_q4_0, 32, 1)
        case SN_WEIGHT_Q4_1: EACH_BLOCK(unpack_q4_1, 32, 1)
        case SN_WEIGHT_Q5_0: EACH_BLOCK(unpack_q5_0, 32, 1)
        case SN_WEIGHT_Q5_1: EACH_BLOCK(unpack_q5_1, 32, 1)
        case SN_WEIGHT_Q4_K: EACH_BLOCK(unpack_q4_k, 256, 8)
        case SN_WEIGHT_Q5_K: EACH_BLOCK(unpack_q5_k, 256, 8)
        case SN_WEIGHT_Q6_K: EACH_BLOCK(unpack_q6_k, 256, 16)
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
