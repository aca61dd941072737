// Distances between one query and stored rows: four rows at a time share the loads of the query. Each row has two
// accumulators whatever its place, so that equal vectors get equal scores.
#include "names.h"

#define DISTANCE_ONE(OPERATION, ELEMENT, LOAD, STEP, SCALAR, SCALAR_LOAD)                                             \
    INLINE float PASTE(OPERATION##_one, LEVEL)(const float *q, const ELEMENT *x, intptr_t n) {                        \
        vf s0 = v_set1(0.0f), s1 = s0;                                                                                \
        intptr_t i = 0;                                                                                               \
        for (; i + 2 * VW <= n; i += 2 * VW) {                                                                        \
            STEP(s0, v_load(q + i), LOAD(x + i));                                                                     \
            STEP(s1, v_load(q + i + VW), LOAD(x + i + VW));                                                           \
        }                                                                                                             \
        float total = v_reduce_add(v_add(s0, s1));                                                                    \
        for (; i < n; i++) SCALAR(total, q[i], SCALAR_LOAD(x + i));                                                   \
        return total;                                                                                                 \
    }

#define DISTANCE_ROWS(OPERATION, ELEMENT, LOAD, STEP, SCALAR, SCALAR_LOAD, SIGN)                                      \
    DISTANCE_ONE(OPERATION, ELEMENT, LOAD, STEP, SCALAR, SCALAR_LOAD)                                                 \
    void NAME(OPERATION)(const float *q, const ELEMENT *rows, intptr_t count, intptr_t n, float *out) {               \
        intptr_t r = 0;                                                                                               \
        for (; r + 4 <= count; r += 4) {                                                                              \
            const ELEMENT *x = rows + r * n;                                                                          \
            vf s[4][2];                                                                                               \
            _Pragma("clang loop unroll(full)") for (int j = 0; j < 4; j++) s[j][0] = s[j][1] = v_set1(0.0f);          \
            intptr_t i = 0;                                                                                           \
            for (; i + 2 * VW <= n; i += 2 * VW) {                                                                    \
                vf q0 = v_load(q + i), q1 = v_load(q + i + VW);                                                       \
                _Pragma("clang loop unroll(full)") for (int j = 0; j < 4; j++) {                                      \
                    __builtin_prefetch(x + (j + 4) * n + i);                                                          \
                    STEP(s[j][0], q0, LOAD(x + j * n + i));                                                           \
                    STEP(s[j][1], q1, LOAD(x + j * n + i + VW));                                                      \
                }                                                                                                     \
            }                                                                                                         \
            for (int j = 0; j < 4; j++) {                                                                             \
                float total = v_reduce_add(v_add(s[j][0], s[j][1]));                                                  \
                for (intptr_t t = i; t < n; t++) SCALAR(total, q[t], SCALAR_LOAD(x + j * n + t));                     \
                out[r + j] = SIGN total;                                                                              \
            }                                                                                                         \
        }                                                                                                             \
        for (; r < count; r++) out[r] = SIGN PASTE(OPERATION##_one, LEVEL)(q, rows + r * n, n);                       \
    }

void from_half_scalar(const uint16_t *x, float *y, intptr_t n);
INLINE float PASTE(load_float, LEVEL)(const float *x) { return *x; }
INLINE float PASTE(load_half, LEVEL)(const uint16_t *x) {
    float value;
    from_half_scalar(x, &value, 1);
    return value;
}

#define DOT_STEP(s, q, x) s = v_fma(q, x, s)
#define DOT_SCALAR(s, q, x) s += (q) * (x)
#define L2_STEP(s, q, x) { vf d = v_sub(q, x); s = v_fma(d, d, s); }
#define L2_SCALAR(s, q, x) { float d = (q) - (x); s += d * d; }

DISTANCE_ROWS(dot_rows, float, v_load, DOT_STEP, DOT_SCALAR, PASTE(load_float, LEVEL), +)
DISTANCE_ROWS(dot_rows_half, uint16_t, v_load_half, DOT_STEP, DOT_SCALAR, PASTE(load_half, LEVEL), +)
DISTANCE_ROWS(l2_rows, float, v_load, L2_STEP, L2_SCALAR, PASTE(load_float, LEVEL), -)
DISTANCE_ROWS(l2_rows_half, uint16_t, v_load_half, L2_STEP, L2_SCALAR, PASTE(load_half, LEVEL), -)
