// The integer (and f32) tile: QR rows of weights by one or two vectors of tokens.
#include "../quant_kernels.h"
#include "names.h"
#define UNROLL _Pragma("clang loop unroll(full)")
// The sums fill the registers: scales that are loaded before they are needed would push some out.
#define KEEP_ORDER __asm__ volatile("" ::: "memory")

// Sums of one group into c. `ranged`: the INT8 scheme of quant_kernels.h.
INLINE void fold(const vi sum[QR][2], const quant_tile_job *t, intptr_t group, const int nv, const bool ranged) {
    vf scale[2], term[2];
    UNROLL for (int v = 0; v < nv; v++) {
        scale[v] = v_load(t->x_scale + group * t->panel + v * VW);
        term[v] = v_load(t->x_term + group * t->panel + v * VW);
    }
    UNROLL for (int i = 0; i < QR; i++) {
        vf w_term = v_set1(t->w_term[group * QR + i]), w_scale = v_set1(ranged ? 0.0f : t->w_scale[group * QR + i]);
        UNROLL for (int v = 0; v < nv; v++) {
            float *c = t->c + i * t->ldc + v * VW;
            vf total = v_fma(w_term, term[v], v_load(c)), product = i_to_float(sum[i][v]);
            v_store(c, ranged ? v_fma(product, scale[v], total) : v_fma(v_mul(product, scale[v]), w_scale, total));
        }
    }
}

INLINE void group_sums(vi sum[QR][2], const uint8_t *x, const uint8_t *w, intptr_t words, const int nv, const bool ranged) {
    UNROLL for (int i = 0; i < QR; i++) UNROLL for (int v = 0; v < nv; v++) sum[i][v] = i_zero();
    _Pragma("clang loop unroll_count(2)") for (intptr_t s = 0; s < words; s++) {
        vi right[2];
        UNROLL for (int v = 0; v < nv; v++) right[v] = i_load(x + v * VW * 4);
        UNROLL for (int i = 0; i < QR; i++) {
            vi left = i_spread(w + i * QUANT_STRIDE);
            UNROLL for (int v = 0; v < nv; v++)
                sum[i][v] = ranged ? i_dot(sum[i][v], right[v], left) : i_dot(sum[i][v], left, right[v]);
        }
        x += nv * VW * 4;
        w += 4;
    }
}

INLINE void integer_tile(const quant_tile_job *t, const intptr_t group_words, const int nv, const bool ranged) {
    intptr_t group = 0;
    for (intptr_t at = 0; at < t->words; at += group_words, group++) {
        intptr_t words = ranged && t->words - at < group_words ? t->words - at : group_words;
        vi sum[QR][2];
        group_sums(sum, t->x + at * nv * VW * 4, t->w + at * 4, words, nv, ranged);
        KEEP_ORDER;
        fold((const vi(*)[2])sum, t, group, nv, ranged);
        KEEP_ORDER;
    }
}

INLINE void float_tile(const quant_tile_job *t, const int nv) {
    vf sum[QR][2];
    const float *x = (const float *)(const void *)t->x, *w = (const float *)(const void *)t->w;
    UNROLL for (int i = 0; i < QR; i++) UNROLL for (int v = 0; v < nv; v++) sum[i][v] = v_load(t->c + i * t->ldc + v * VW);
    for (intptr_t s = 0; s < t->words; s++) {
        vf right[2];
        UNROLL for (int v = 0; v < nv; v++) right[v] = v_load(x + v * VW);
        UNROLL for (int i = 0; i < QR; i++) {
            vf left = v_set1(w[i * (QUANT_STRIDE / 4)]);
            UNROLL for (int v = 0; v < nv; v++) sum[i][v] = v_fma(left, right[v], sum[i][v]);
        }
        x += nv * VW;
        w++;
    }
    UNROLL for (int i = 0; i < QR; i++) UNROLL for (int v = 0; v < nv; v++) v_store(t->c + i * t->ldc + v * VW, sum[i][v]);
}

INLINE void tile_of(const quant_tile_job *t, const int nv) {
    switch (t->shape.group) {
        case 128: integer_tile(t, 32, nv, true); break;
        case 32: integer_tile(t, 8, nv, false); break;
        case 16: integer_tile(t, 4, nv, false); break;
        default: float_tile(t, nv);
    }
}

void NAME(quant_tile)(const quant_tile_job *t) {
    if (t->panel == 2 * VW) tile_of(t, 2);
    else tile_of(t, 1);
}
