// Buffers that belong to a thread.
#include "scratch.h"
#include <pthread.h>
#include <stdlib.h>

typedef struct { float *memory; intptr_t floats; } buffer;
static pthread_key_t buffers_key;
static pthread_once_t buffers_once = PTHREAD_ONCE_INIT;
static _Thread_local buffer *buffers;

static void free_buffers(void *memory) {
    buffer *all = memory;
    for (int i = 0; i < SCRATCH_COUNT; i++) free(all[i].memory);
    free(all);
}
static void make_key(void) { pthread_key_create(&buffers_key, free_buffers); }

float *sn_scratch(int purpose, intptr_t floats) {
    if (!buffers) {
        pthread_once(&buffers_once, make_key);
        buffers = calloc(SCRATCH_COUNT, sizeof(buffer));
        if (!buffers) abort();
        pthread_setspecific(buffers_key, buffers);
    }
    buffer *b = &buffers[purpose];
    if (b->floats < floats) {
        free(b->memory);
        b->memory = aligned_alloc(64, (size_t)(floats * 4 + 63) / 64 * 64);
        if (!b->memory) abort();
        b->floats = floats;
        sn_count_system_allocation(floats * 4);
    }
    return b->memory;
}
