// The gradients' table of each instruction set.
#include "levels.h"
#include "sensorium_gradients.h"

#define DECLARE(LEVEL)                                                                                                     \
    void unary_gradient_##LEVEL(sn_unary, const float *, const float *, float *, intptr_t);                                \
    void layer_norm_gradient_##LEVEL(const float *, const float *, float, const float *, float *, float *, float *, intptr_t); \
    void rms_norm_gradient_##LEVEL(const float *, const float *, float, const float *, float *, float *, intptr_t);        \
    void softmax_gradient_##LEVEL(const float *, const float *, float *, intptr_t);                                        \
    void log_softmax_##LEVEL(const float *, float *, intptr_t);                                                            \
    void log_softmax_gradient_##LEVEL(const float *, const float *, float *, intptr_t);                                    \
    void add_rows_##LEVEL(const float *, intptr_t, intptr_t, float *, intptr_t);                                           \
    void softmax_gradient_columns_##LEVEL(float *, float *, intptr_t, intptr_t, const float *);                            \
    void add_scaled_##LEVEL(float *, const float *, float, intptr_t);                                                      \
    double sum_of_squares_##LEVEL(const float *, intptr_t);                                                                \
    intptr_t count_not_finite_##LEVEL(const float *, intptr_t);                                                            \
    void sgd_##LEVEL(float *, const float *, float *, intptr_t, const sn_step *);                                          \
    void adamw_##LEVEL(float *, const float *, float *, float *, intptr_t, const sn_step *);                               \
    void lion_##LEVEL(float *, const float *, float *, intptr_t, const sn_step *);                                         \
    void lamb_direction_##LEVEL(const float *, const float *, float *, float *, float *, intptr_t, const sn_step *);
#define TABLE(LEVEL)                                                                                                          \
    {#LEVEL, unary_gradient_##LEVEL, layer_norm_gradient_##LEVEL, rms_norm_gradient_##LEVEL, softmax_gradient_##LEVEL,         \
     log_softmax_##LEVEL, log_softmax_gradient_##LEVEL, add_rows_##LEVEL, softmax_gradient_columns_##LEVEL, add_scaled_##LEVEL, \
     sum_of_squares_##LEVEL, count_not_finite_##LEVEL, sgd_##LEVEL, adamw_##LEVEL, lion_##LEVEL, lamb_direction_##LEVEL}

SN_LEVELS(sn_gradient_table, sn_gradients_named)

const sn_gradient_table *sn_gradients(void) { return sn_gradients_named(sn_kernels()->name); }
