// `NAME(sum)` is sum_avx2, sum_avx512 ... in the file of that level.
#define PASTE_(a, b) a##_##b
#define PASTE(a, b) PASTE_(a, b)
#define NAME(operation) PASTE(operation, LEVEL)
