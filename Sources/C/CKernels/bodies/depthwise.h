// Convolution of each channel apart, one output row at a time: taps outer, the row's vector inner.
#include "math.h"
