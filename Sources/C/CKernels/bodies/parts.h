// Vectors at the end of an array, of which `count` elements exist: every element gets the same arithmetic wherever it stands.
#include "names.h"

INLINE vf v_part(const float *p, intptr_t count) { return count >= VW ? v_load(p) : v_load_first(p, count); }
INLINE vf v_part_or(const float *p, intptr_t count, float rest) {
    if (count >= VW) return v_load(p);
    float tail[VW];
    for (int i = 0; i < VW; i++) tail[i] = i < count ? p[i] : rest;
    return v_load(tail);
}
INLINE void v_put(float *p, vf x, intptr_t count) {
    if (count >= VW) v_store(p, x);
    else v_store_first(p, x, count);
}
