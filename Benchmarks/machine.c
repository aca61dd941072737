// What this machine can do at most, as JSON lines: `machine THREADS`.
//
// Arithmetic: independent chains of multiply-adds in registers. Memory: every thread adds up a buffer of its own that fits into
// half of its level. The best of several short runs, as a limit is what can be reached at all.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#if defined(__AVX512F__)
#define BYTES 64
#elif defined(__AVX__)
#define BYTES 32
#else
#define BYTES 16
#endif
// The compiler must take the values as new ones in every round.
#if defined(__x86_64__)
#include <immintrin.h>
#define HIDE(a, b) __asm__ volatile("" : "+x"(a), "+x"(b))
#elif defined(__aarch64__)
#include <arm_neon.h>
#define HIDE(a, b) __asm__ volatile("" : "+w"(a), "+w"(b))
#else
#define HIDE(a, b) __asm__ volatile("" : "+m"(a), "+m"(b))
#endif

enum { chains = 12, runs = 7, most_threads = 1024 };

typedef float floats __attribute__((vector_size(BYTES)));
typedef int32_t words __attribute__((vector_size(BYTES)));

typedef struct {
    void (*work)(void *buffer, size_t bytes, long rounds);
    void *buffer;
    size_t bytes;
    long rounds;
    pthread_barrier_t *together;
    double started, ended;
} task;

// What was computed goes here, so that it is computed.
static volatile float sink;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + 1e-9 * time.tv_nsec;
}

static void multiply_add(void *buffer, size_t bytes, long rounds) {
    (void)buffer, (void)bytes;
    floats sums[chains] = {0}, a = {0}, b = a + 1e-6f;
    a += 1.0f;
    for (long i = 0; i < rounds; i++) {
        HIDE(a, b);
        for (int j = 0; j < chains; j++) sums[j] = sums[j] * a + b;
    }
    for (int j = 1; j < chains; j++) sums[0] += sums[j];
    sink = sums[0][0];
}

#if defined(__AVX512VNNI__)
#define DOTS "AVX-512 VNNI"
typedef __m512i dots;
#define DOT(sum, a, b) _mm512_dpbusd_epi32(sum, a, b)
#elif defined(__AVXVNNI__)
#define DOTS "AVX-VNNI"
typedef __m256i dots;
#define DOT(sum, a, b) _mm256_dpbusd_avx_epi32(sum, a, b)
#elif defined(__AVX2__)
#define DOTS "AVX2"
typedef __m256i dots;
#define DOT(sum, a, b) _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), _mm256_set1_epi16(1)))
#elif defined(__ARM_FEATURE_DOTPROD)
#define DOTS "SDOT"
typedef int32x4_t dots;
#define DOT(sum, a, b) vdotq_s32(sum, vreinterpretq_s8_s32(a), vreinterpretq_s8_s32(b))
#endif

#ifdef DOTS
static void dot_products(void *buffer, size_t bytes, long rounds) {
    (void)bytes;
    dots sums[chains], a, b;
    memset(sums, 0, sizeof sums);
    memcpy(&a, buffer, sizeof a);
    b = a;
    for (long i = 0; i < rounds; i++) {
        HIDE(a, b);
        for (int j = 0; j < chains; j++) sums[j] = DOT(sums[j], a, b);
    }
    int32_t word, total = 0;
    for (int j = 0; j < chains; j++) {
        memcpy(&word, &sums[j], sizeof word);
        total += word;
    }
    sink = total;
}
#endif

static void read_all(void *buffer, size_t bytes, long rounds) {
    words sums[8] = {0};
    const words *from = buffer;
    for (long i = 0; i < rounds; i++) {
        __asm__ volatile("" : : "r"(from) : "memory");
        for (size_t j = 0; j + 8 <= bytes / BYTES; j += 8)
            for (int k = 0; k < 8; k++) sums[k] += from[j + k];
    }
    for (int k = 1; k < 8; k++) sums[0] += sums[k];
    sink = sums[0][0];
}

static void *execute(void *argument) {
    task *mine = argument;
    mine->work(mine->buffer, mine->bytes, 1);
    pthread_barrier_wait(mine->together);
    mine->started = now();
    mine->work(mine->buffer, mine->bytes, mine->rounds);
    mine->ended = now();
    return NULL;
}

// Seconds from the first start to the last end, the best of the runs.
static double fastest(int threads, void (*work)(void *, size_t, long), size_t bytes, long rounds) {
    static task tasks[most_threads];
    static pthread_t ids[most_threads];
    pthread_barrier_t together;
    double best = 1e30;
    pthread_barrier_init(&together, NULL, threads);
    for (int i = 0; i < threads; i++) {
        void *buffer = NULL;
        if (posix_memalign(&buffer, 4096, bytes)) exit(1);
        memset(buffer, 1, bytes);
        tasks[i] = (task){work, buffer, bytes, rounds, &together, 0, 0};
    }
    for (int run = 0; run < runs; run++) {
        for (int i = 0; i < threads; i++)
            if (pthread_create(&ids[i], NULL, execute, &tasks[i])) exit(1);
        for (int i = 0; i < threads; i++) pthread_join(ids[i], NULL);
        double started = tasks[0].started, ended = tasks[0].ended;
        for (int i = 1; i < threads; i++) {
            if (tasks[i].started < started) started = tasks[i].started;
            if (tasks[i].ended > ended) ended = tasks[i].ended;
        }
        if (ended - started < best) best = ended - started;
    }
    for (int i = 0; i < threads; i++) free(tasks[i].buffer);
    pthread_barrier_destroy(&together);
    return best;
}

static void tell(const char *what, const char *how, double value, const char *unit) {
    printf("{\"what\": \"%s\", \"how\": \"%s\", \"value\": %.6g, \"unit\": \"%s\"}\n", what, how, value, unit);
    fflush(stdout);
}

static void tell_reading(const char *what, int threads, size_t bytes) {
    bytes -= bytes % 4096;
    if (bytes == 0) return;
    long rounds = (long)((256.0 * 1024 * 1024) / bytes) + 1;
    char how[64];
    snprintf(how, sizeof how, "%zu KiB a thread", bytes / 1024);
    tell(what, how, 1e-9 * threads * bytes * rounds / fastest(threads, read_all, bytes, rounds), "GB/s");
}

int main(int count, char **arguments) {
    int threads = count > 1 ? atoi(arguments[1]) : 1;
    if (threads < 1 || threads > most_threads) {
        fprintf(stderr, "usage: machine THREADS\n");
        return 2;
    }
    long rounds = 20 * 1000 * 1000;
    char how[64];
    snprintf(how, sizeof how, "%d bits", BYTES * 8);
    tell("f32 multiply-add", how, 1e-9 * 2 * threads * rounds * chains * (BYTES / 4) / fastest(threads, multiply_add, 4096, rounds), "GFLOP/s");
#ifdef DOTS
    tell("int8 dot product", DOTS, 1e-9 * 2 * threads * rounds * chains * sizeof(dots) / fastest(threads, dot_products, 4096, rounds), "GOP/s");
#endif
    long second = sysconf(_SC_LEVEL2_CACHE_SIZE), third = sysconf(_SC_LEVEL3_CACHE_SIZE);
    if (second > 0) tell_reading("reading L2", threads, second / 2);
    // A virtual machine may be told the cache of a whole socket, of which a core reaches a part: 16 MiB fit into every part.
    size_t shared = third / 2 < 16 << 20 ? third / 2 : 16 << 20, beyond = (size_t)1 << 30;
    if (third > 0 && second > 0) tell_reading("reading L3", threads, shared / threads > 2 * second ? shared / threads : 2 * second);
    if (third > 0 && 8 * (size_t)third < beyond) beyond = 8 * (size_t)third;
    if (beyond < (size_t)256 << 20) beyond = (size_t)256 << 20;
    beyond /= threads;
    tell_reading("reading memory", threads, beyond);
    return 0;
}
