// Lists of 1-bit codes: estimates from table look-ups, and what else a query needs once. A file that includes it defines
// `block_sums` (the look-ups of a block) and `block_mask` (which bounds reach a limit) with the instructions of its level.
#include <math.h>
#include <string.h>
#include "names.h"

intptr_t NAME(bit_scan)(const sn_bit_scan *scan, int32_t *places, float *bounds) {
    intptr_t found = 0, size = sn_bit_block_bytes(scan->groups), blocks = (scan->count + SN_BIT_BLOCK - 1) / SN_BIT_BLOCK;
    // The list to come is fetched in as many parts as this one has blocks.
    intptr_t ahead = 0, part = blocks > 0 ? (scan->next_bytes / blocks + 63) / 64 * 64 : 0;
    for (intptr_t first = 0; first < scan->count; first += SN_BIT_BLOCK) {
        const uint8_t *block = scan->blocks + first / SN_BIT_BLOCK * size;
        const float *slopes = (const float *)(block + 64 * scan->groups), *offsets = slopes + SN_BIT_BLOCK, *errors = offsets + SN_BIT_BLOCK;
        uint32_t sums[SN_BIT_BLOCK];
        float upper[SN_BIT_BLOCK];
        intptr_t until = ahead + part < scan->next_bytes ? ahead + part : scan->next_bytes;
        for (; ahead < until; ahead += 64) __builtin_prefetch(scan->next + ahead);
        block_sums(block, scan->tables, scan->groups, sums);
        for (int i = 0; i < SN_BIT_BLOCK; i++) {
            float product = scan->step * (float)(int32_t)sums[i] + scan->bias;
            upper[i] = scan->base + offsets[i] + slopes[i] * product + errors[i] * scan->spread;
        }
        uint32_t mask = block_mask(upper, scan->threshold);
        if (scan->count - first < SN_BIT_BLOCK) mask &= (1u << (scan->count - first)) - 1;
        for (; mask; mask &= mask - 1, found++) {
            int i = __builtin_ctz(mask);
            places[found] = (int32_t)(first + i);
            bounds[found] = upper[i];
        }
    }
    return found;
}

// Entry e of table t is the sum of the four components with the signs of e's bits, in steps from the least such sum.
void NAME(bit_tables)(const float *query, intptr_t groups, uint8_t *tables, float *step, float *bias) {
    float widest = 0, total = 0;
    for (intptr_t t = 0; t < 4 * groups; t++) {
        float width = 0;
        for (int i = 0; i < 4; i++) width += fabsf(query[4 * t + i]);
        widest = width > widest ? width : widest;
        total += width;
    }
    float inverse = widest > 0 ? 255.0f / (2 * widest) : 0;
    if (!isfinite(inverse)) inverse = 0;
    static const float ONE[4][16] = {{0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1}, {0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1},
                                     {0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1}, {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1}};
    for (intptr_t t = 0; t < 4 * groups; t++) {
        float twice[4], lowest = 0.5f;
        for (int i = 0; i < 4; i++) {
            twice[i] = 2 * inverse * query[4 * t + i];
            lowest += twice[i] < 0 ? -twice[i] : 0;
        }
        for (int e = 0; e < 16; e++) {
            // Rounding of the sums may leave a value a little outside 0...255.
            float value = lowest + twice[0] * ONE[0][e] + twice[1] * ONE[1][e] + twice[2] * ONE[2][e] + twice[3] * ONE[3][e];
            value = value < 0 ? 0 : value > 255 ? 255 : value;
            tables[16 * t + e] = (uint8_t)(int32_t)value;
        }
    }
    *step = inverse > 0 ? 1 / inverse : 0;
    *bias = -total;
}

// Hadamard transform of n values, n a power of two, not scaled: n log n additions.
static void hadamard(float *x, intptr_t n) {
    intptr_t h = 1;
    if (n >= 16)
        for (; h < 16; h = 16)
            for (intptr_t i = 0; i < n; i += 16) {
                float a[16], b[16];
                for (int j = 0; j < 8; j++) { a[j] = x[i + j] + x[i + j + 8]; a[j + 8] = x[i + j] - x[i + j + 8]; }
                for (int j = 0; j < 16; j++) b[j] = j & 4 ? a[j ^ 4] - a[j] : a[j] + a[j ^ 4];
                for (int j = 0; j < 16; j++) a[j] = j & 2 ? b[j ^ 2] - b[j] : b[j] + b[j ^ 2];
                for (int j = 0; j < 16; j++) x[i + j] = j & 1 ? a[j ^ 1] - a[j] : a[j] + a[j ^ 1];
            }
    for (; h < n; h *= 2)
        for (intptr_t i = 0; i < n; i += 2 * h)
            for (intptr_t j = i; j < i + h; j++) {
                float a = x[j], b = x[j + h];
                x[j] = a + b;
                x[j + h] = a - b;
            }
}

// Each round flips signs and transforms the longest power of two that fits, in turn from the front and from the back.
void NAME(rotate)(const float *signs, intptr_t rounds, intptr_t n, float *x) {
    intptr_t whole = 1;
    while (2 * whole <= n) whole *= 2;
    float scale = 1 / sqrtf((float)whole);
    for (intptr_t round = 0; round < rounds; round++) {
        float *part = round % 2 ? x + n - whole : x;
        for (intptr_t i = 0; i < n; i++) x[i] *= signs[round * n + i];
        hadamard(part, whole);
        for (intptr_t i = 0; i < whole; i++) part[i] *= scale;
    }
}

void NAME(bit_encode)(const sn_bit_encoder *encoder, const float *x, float *work, uint8_t *bits, float *factors) {
    intptr_t n = encoder->dimension, width = encoder->width;
    const float *c = encoder->centre, *rotated = encoder->rotated;
    double square = 0, along = 0, length = 0;
    for (intptr_t i = 0; i < n; i++) work[i] = x[i] - c[i];
    for (intptr_t i = 0; i < n; i++) {
        square += (double)work[i] * work[i];
        along += (double)work[i] * c[i];
        length += (double)x[i] * x[i];
    }
    for (intptr_t i = n; i < width; i++) work[i] = 0;
    NAME(rotate)(encoder->signs, encoder->rounds, width, work);
    double sizes = 0, signs = 0;
    memset(bits, 0, (size_t)(width / 8));
    for (intptr_t i = 0; i < width; i++) {
        int positive = work[i] >= 0;
        bits[i / 8] |= (uint8_t)(positive << i % 8);
        sizes += fabsf(work[i]);
        signs += positive ? rotated[i] : -rotated[i];
    }
    // <x - c, y> is square / sizes * <signs, y> on average over rotations, and off by the part of the signs across x - c.
    double slope = sizes > 0 ? square / sizes : 0, across = slope * slope * (double)width - square;
    double offset = along - slope * signs, error = across > 0 ? sqrt(across / (double)(width - 1)) : 0;
    factors[0] = (float)(encoder->l2 ? 2 * slope : slope);
    factors[1] = (float)(encoder->l2 ? 2 * offset - length : offset);
    factors[2] = (float)(encoder->l2 ? 2 * error : error);
    factors[3] = (float)square;
}

// Sixteen lanes each keep their best; of equal scores the smallest place wins.
intptr_t NAME(nearest_code)(const int32_t *dots, const float *factors, const float *terms, const float *penalties, float scale, intptr_t n) {
    enum { LANES = 16 };
    float best[LANES];
    int32_t place[LANES];
    for (int j = 0; j < LANES; j++) { best[j] = -INFINITY; place[j] = 0; }
    intptr_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++) {
            float score = scale * (factors[i + j] * (float)dots[i + j] + terms[i + j]) - penalties[i + j];
            place[j] = score > best[j] ? (int32_t)i + j : place[j];
            best[j] = score > best[j] ? score : best[j];
        }
    for (; i < n; i++) {
        float score = scale * (factors[i] * (float)dots[i] + terms[i]) - penalties[i];
        if (score > best[0]) { best[0] = score; place[0] = (int32_t)i; }
    }
    int winner = 0;
    for (int j = 1; j < LANES; j++)
        if (best[j] > best[winner] || (best[j] == best[winner] && place[j] < place[winner])) winner = j;
    return place[winner];
}

void NAME(list_bounds)(const sn_list_bounds *lists, const float *products, float *bounds) {
    float factor = lists->l2 ? 2 : 1, reach = factor * lists->reach;
    for (intptr_t i = 0; i < lists->count; i++) {
        float square = lists->squares[i], far = lists->query_square - 2 * products[i] + square;
        float score = factor * products[i] - (lists->l2 ? square : 0);
        float bound = score + reach * sqrtf(far > 0 ? far : 0) * lists->radii[i];
        bounds[i] = lists->radii[i] < 0 ? -INFINITY : bound;
    }
}
