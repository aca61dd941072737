// Activations rounded to bytes and laid out as panels: VW tokens at once, one to a lane.
#include <string.h>
#include "../quant_kernels.h"
#include "names.h"

enum { NAME(WORDS) = QUANT_PIECE / 4 };

// The range of each token over one group: the largest magnitude (its bits: what isn't finite wins), with least and greatest.
INLINE void group_range(const float *const *rows, intptr_t at, int group, bool ranged, vf *magnitude, vf *least, vf *greatest) {
    vi bits[VW], low[VW], high[VW];
    for (int t = 0; t < VW; t++) {
        vi most = i_zero();
        vf lo = v_set1(0), hi = v_set1(0);
        for (int i = 0; i < group; i += VW) {
            vf x = v_load(rows[t] + at + i);
            most = i_max(most, i_from_float_bits(v_abs(x)));
            if (!ranged) continue;
            lo = v_min(lo, x);
            hi = v_max(hi, x);
        }
        bits[t] = most;
        low[t] = i_from_float_bits(lo);
        high[t] = i_from_float_bits(hi);
    }
    i_transpose(bits);
    vi most = bits[0];
    for (int t = 1; t < VW; t++) most = i_max(most, bits[t]);
    *magnitude = i_as_float(most);
    if (!ranged) return;
    i_transpose(low);
    i_transpose(high);
    *least = i_as_float(low[0]);
    *greatest = i_as_float(high[0]);
    for (int t = 1; t < VW; t++) {
        *least = v_min(*least, i_as_float(low[t]));
        *greatest = v_max(*greatest, i_as_float(high[t]));
    }
}

typedef struct { float inverse[8][VW], zero[8][VW]; } piece_scales;

// Scales of the groups of one piece; stores them and, of INT8, the terms.
INLINE void find_scales(const quant_pack_job *job, const float *const *rows, intptr_t at, intptr_t first_group, piece_scales *found) {
    int group = job->shape.group;
    const vf none = v_set1(0), tiny = v_set1(1e-30f);
    for (int g = 0; g < QUANT_PIECE / group; g++) {
        vf magnitude, least, greatest, steps = v_set1(127), span;
        group_range(rows, at + g * group, group, job->shape.ranged, &magnitude, &least, &greatest);
        span = magnitude;
        if (job->shape.ranged) {
            steps = v_set1(255);
            span = v_add(v_sub(greatest, least), v_sub(magnitude, magnitude));  // not a number where x isn't finite
        }
        vf inverse = v_select(v_lt(tiny, span), v_div(steps, span), none), scale = v_select(v_lt(span, tiny), none, v_div(span, steps));
        v_store(found->inverse[g], inverse);
        v_store(job->scale + (first_group + g) * job->panel, scale);
        if (!job->shape.ranged) continue;
        vf zero = v_sub(v_round(v_neg(v_mul(least, inverse))), v_set1(128 - X_OFFSET));
        v_store(found->zero[g], zero);
        v_store(job->term + (first_group + g) * job->panel, v_neg(v_mul(zero, scale)));
    }
}

INLINE void round_piece(const float *const *rows, intptr_t at, int group, bool ranged, const piece_scales *found,
                        uint8_t bytes[VW][QUANT_PIECE]) {
    for (int t = 0; t < VW; t++)
        for (int i = 0; i < QUANT_PIECE; i += VW) {
            vf scaled = v_round(v_mul(v_load(rows[t] + at + i), v_set1(found->inverse[i / group][t])));
            if (ranged) scaled = v_min(v_add(scaled, v_set1(found->zero[i / group][t])), v_set1(127 + X_OFFSET));
            i_store_bytes(bytes[t] + i, i_from_float(scaled));
        }
}

// Bytes to words of four of one token to a lane; sums of the bytes of each group give the terms of block formats.
INLINE void lay_out(const quant_pack_job *job, const uint8_t bytes[VW][QUANT_PIECE], intptr_t first_word, intptr_t first_group) {
    int words = job->shape.group / 4;
    vi sum = i_zero(), ones = i_set1(0x01010101);
    for (int w0 = 0; w0 < NAME(WORDS); w0 += VW) {
        vi r[VW];
        for (int t = 0; t < VW; t++) r[t] = i_load(bytes[t] + w0 * 4);
        i_transpose(r);
        for (int w = 0; w < VW; w++) {
            i_store(job->bytes + (first_word + w0 + w) * job->panel * 4, r[w]);
            if (job->shape.ranged) continue;
            sum = i_dot(sum, ones, r[w]);
            if ((w0 + w + 1) % words) continue;
            intptr_t at = (first_group + (w0 + w) / words) * job->panel;
            v_store(job->term + at, v_mul(v_load(job->scale + at), i_to_float(sum)));
            sum = i_zero();
        }
    }
}

// Four bytes of k are one float.
INLINE void lay_out_floats(const quant_pack_job *job, const float *const *rows, intptr_t at, intptr_t first_word) {
    for (int w0 = 0; w0 < QUANT_PIECE; w0 += VW) {
        vi r[VW];
        for (int t = 0; t < VW; t++) r[t] = i_load(rows[t] + at + w0);
        i_transpose(r);
        for (int w = 0; w < VW; w++) i_store(job->bytes + (first_word + w0 + w) * job->panel * 4, r[w]);
    }
}

INLINE void pack_of(const quant_pack_job *job, const int group, const bool ranged) {
    float padded[VW][QUANT_PIECE];
    uint8_t bytes[VW][QUANT_PIECE] __attribute__((aligned(64)));
    const float *ends[VW];
    piece_scales found;
    for (intptr_t k0 = 0; k0 < job->k; k0 += QUANT_PIECE) {
        const float *const *rows = job->rows;
        intptr_t at = k0;
        if (job->k - k0 < QUANT_PIECE) {  // the last elements, followed by zeros
            for (int t = 0; t < VW; t++) {
                memset(padded[t], 0, sizeof padded[t]);
                memcpy(padded[t], rows[t] + k0, (size_t)(job->k - k0) * 4);
                ends[t] = padded[t];
            }
            rows = ends;
            at = 0;
        }
        if (group == 0) {
            lay_out_floats(job, rows, at, k0);
            continue;
        }
        find_scales(job, rows, at, k0 / group, &found);
        round_piece(rows, at, group, ranged, &found, bytes);
        lay_out(job, (const uint8_t(*)[QUANT_PIECE])bytes, k0 / 4, k0 / group);
    }
}

void NAME(quant_pack)(const quant_pack_job *job) {
    switch (job->shape.group) {
        case 128: pack_of(job, 128, true); break;
        case 32: pack_of(job, 32, false); break;
        case 16: pack_of(job, 16, false); break;
        default: pack_of(job, 0, false);
    }
}
