// What pooling and its gradient share.
#ifndef SENSORIUM_POOL_H
#define SENSORIUM_POOL_H
#include "sensorium_kernels.h"
// Places that a window along one axis covers, of the picture alone or with its padding. A window that ceil lets stick out is cut
// at the padded border.
intptr_t sn_pool_covered(intptr_t start, intptr_t kernel, intptr_t dilation, intptr_t size, intptr_t after, int count_padding);
#endif
