// Threads and buffers. One job runs on the pool at a time; whoever comes meanwhile computes on their own thread, so that
// nested and concurrent calls neither wait nor deadlock.
#define _GNU_SOURCE
#if defined(__linux__)
#include <malloc.h>
#endif
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "gemm.h"
#include "scratch.h"

enum { MAX_THREADS = 256, SPINS = 4000 };

// A job is joined and left through the gate alone: whoever gives it doesn't wait for threads that still sleep, and takes no lock where
// nobody does. From its highest bits: number of the newest job; whether it is closed; workers inside.
enum { CLOSED = 1 << 15, INSIDE = CLOSED - 1, NUMBER = 16 };
static struct {
    pthread_mutex_t busy, lock;
    pthread_cond_t wake, done;
    int started, limit;
    _Atomic uint64_t gate;
    atomic_int sleepers, waiting;  // workers that sleep; whether the giver of the job does
    sn_range_body body;
    void *context;
    intptr_t count, grain, threads;
    atomic_long next;  // first index nobody took yet
} pool = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, PTHREAD_COND_INITIALIZER, .gate = CLOSED};
static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Thread_local bool inside;

// Chunks shrink towards the end (Polychronopoulos and Kuck 1987, "Guided self-scheduling"): few hand-overs, and threads of unequal
// speed finish together.
static void take_chunks(void) {
    long start = atomic_load_explicit(&pool.next, memory_order_relaxed);
    while (start < pool.count) {
        intptr_t chunk = (pool.count - start + 2 * pool.threads - 1) / (2 * pool.threads);
        if (chunk < pool.grain) chunk = pool.grain;
        intptr_t end = start + chunk < pool.count ? start + chunk : pool.count;
        if (!atomic_compare_exchange_weak_explicit(&pool.next, &start, end, memory_order_relaxed, memory_order_relaxed)) continue;
        pool.body(pool.context, start, end);
        start = atomic_load_explicit(&pool.next, memory_order_relaxed);
    }
}

intptr_t sn_parallel_next(void) { return atomic_load_explicit(&pool.next, memory_order_relaxed); }

static inline void pause_briefly(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

// The number of a job later than `seen`.
static uint64_t await_job(uint64_t seen) {
    for (int spin = 0; spin < SPINS; spin++) {
        uint64_t number = atomic_load_explicit(&pool.gate, memory_order_acquire) >> NUMBER;
        if (number != seen) return number;
        pause_briefly();
    }
    pthread_mutex_lock(&pool.lock);
    atomic_fetch_add(&pool.sleepers, 1);
    while (atomic_load(&pool.gate) >> NUMBER == seen) pthread_cond_wait(&pool.wake, &pool.lock);
    atomic_fetch_sub(&pool.sleepers, 1);
    pthread_mutex_unlock(&pool.lock);
    return atomic_load(&pool.gate) >> NUMBER;
}

static bool enter(uint64_t number) {
    uint64_t gate = atomic_load(&pool.gate);
    while (gate >> NUMBER == number && !(gate & CLOSED))
        if (atomic_compare_exchange_weak(&pool.gate, &gate, gate + 1)) return true;
    return false;
}

static void leave(void) {
    uint64_t gate = atomic_fetch_sub(&pool.gate, 1) - 1;
    if ((gate & INSIDE) || !(gate & CLOSED) || !atomic_load(&pool.waiting)) return;
    pthread_mutex_lock(&pool.lock);
    pthread_cond_signal(&pool.done);
    pthread_mutex_unlock(&pool.lock);
}

static void *worker(void *argument) {
    int number = (int)(intptr_t)argument;
    inside = true;
    for (uint64_t job = 0;;) {
        job = await_job(job);
        if (!enter(job)) continue;
        if (number < pool.threads - 1) take_chunks();
        leave();
    }
    return NULL;
}

static void start(void) {
    int cores = 1;
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) cores = CPU_COUNT(&set);
    const char *asked = getenv("SENSORIUM_THREADS");
    if (asked && atoi(asked) > 0) cores = atoi(asked);
    if (cores > MAX_THREADS) cores = MAX_THREADS;
    pool.started = 1;
    for (int i = 0; i < cores - 1; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, worker, (void *)(intptr_t)i)) break;
        pthread_detach(thread);
        pool.started++;
    }
    pool.limit = pool.started;
}

int32_t sn_thread_count(void) {
    pthread_once(&once, start);
    return pool.limit;
}

void sn_thread_limit(int32_t count) {
    pthread_once(&once, start);
    pthread_mutex_lock(&pool.busy);
    pool.limit = count < 1 ? 1 : count > pool.started ? pool.started : count;
    pthread_mutex_unlock(&pool.busy);
}

void sn_parallel_for(intptr_t count, intptr_t grain, sn_range_body body, void *context) {
    pthread_once(&once, start);
    if (grain < 1) grain = 1;
    if (count <= 0) return;
    if (inside || count <= grain || pool.limit == 1 || pthread_mutex_trylock(&pool.busy)) {
        body(context, 0, count);
        return;
    }
    pool.body = body;
    pool.context = context;
    pool.count = count;
    pool.grain = grain;
    pool.threads = pool.limit;
    atomic_store_explicit(&pool.next, 0, memory_order_relaxed);
    atomic_store(&pool.gate, ((atomic_load(&pool.gate) >> NUMBER) + 1) << NUMBER);
    if (atomic_load(&pool.sleepers)) {
        pthread_mutex_lock(&pool.lock);
        pthread_cond_broadcast(&pool.wake);
        pthread_mutex_unlock(&pool.lock);
    }
    inside = true;
    take_chunks();
    inside = false;
    atomic_fetch_or(&pool.gate, CLOSED);
    for (int spin = 0; spin < SPINS && atomic_load_explicit(&pool.gate, memory_order_acquire) & INSIDE; spin++) pause_briefly();
    if (atomic_load_explicit(&pool.gate, memory_order_acquire) & INSIDE) {
        pthread_mutex_lock(&pool.lock);
        atomic_store(&pool.waiting, 1);
        while (atomic_load(&pool.gate) & INSIDE) pthread_cond_wait(&pool.done, &pool.lock);
        atomic_store(&pool.waiting, 0);
        pthread_mutex_unlock(&pool.lock);
    }
    pthread_mutex_unlock(&pool.busy);
}

// ---- buffers: freed blocks wait in bins for the next allocation of about their size, because fresh pages cost a fault each.
// A block up to twice as large serves too: batches of changing sizes would else keep blocks of every size.
enum { SMALL_BINS = 64, BINS = SMALL_BINS + 4 * 40, ALIGNMENT = 64, LARGER_BINS = 4 };
// Lies in the ALIGNMENT bytes before a buffer.
typedef struct block { struct block *next; intptr_t size; int bin; } block;
static struct { pthread_mutex_t lock; block *head; } bins[BINS];
static pthread_once_t bins_once = PTHREAD_ONCE_INIT;
static atomic_long cached, system_allocations, used, peak;
static const long CACHE_LIMIT = 1L << 30;

static void make_bins(void) {
    for (int i = 0; i < BINS; i++) pthread_mutex_init(&bins[i].lock, NULL);
}

// Multiples of 64 bytes up to 4 KiB, then four sizes to each power of two. What no memory holds has no bin.
static int bin_of(intptr_t bytes, intptr_t *size) {
    if (bytes <= SMALL_BINS * ALIGNMENT) {
        intptr_t units = (bytes + ALIGNMENT - 1) / ALIGNMENT;
        *size = units * ALIGNMENT;
        return (int)units - 1;
    }
    int top = 63 - __builtin_clzl((unsigned long)bytes - 1);
    intptr_t base = (intptr_t)1 << top, step = base / 4;
    intptr_t quarter = (bytes - base + step - 1) / step;
    *size = base + quarter * step;
    return top - 12 < 40 ? SMALL_BINS + (top - 12) * 4 + (int)quarter - 1 : -1;
}

void sn_count_system_allocation(intptr_t bytes) { atomic_fetch_add_explicit(&system_allocations, bytes, memory_order_relaxed); }

static void count_use(long bytes) {
    long now = atomic_fetch_add_explicit(&used, bytes, memory_order_relaxed) + bytes;
    long most = atomic_load_explicit(&peak, memory_order_relaxed);
    while (now > most && !atomic_compare_exchange_weak_explicit(&peak, &most, now, memory_order_relaxed, memory_order_relaxed)) continue;
}

static block *take_block(int bin) {
    pthread_mutex_lock(&bins[bin].lock);
    block *found = bins[bin].head;
    if (found) bins[bin].head = found->next;
    pthread_mutex_unlock(&bins[bin].lock);
    if (found) atomic_fetch_sub(&cached, found->size);
    return found;
}

void *sn_pool_allocate(intptr_t bytes) {
    pthread_once(&bins_once, make_bins);
    intptr_t size;
    int bin = bin_of(bytes, &size);
    block *found = NULL;
    for (int i = bin; bin >= 0 && !found && i <= bin + LARGER_BINS && i < BINS; i++) found = take_block(i);
    if (!found) {
        sn_count_system_allocation(size);
        found = aligned_alloc(ALIGNMENT, (size_t)size + ALIGNMENT);
        if (!found) abort();
        found->size = size;
        found->bin = bin;
    }
    count_use(found->size);
    return (char *)found + ALIGNMENT;
}

void sn_pool_release(void *pointer, intptr_t bytes) {
    (void)bytes;  // the block knows its own size, which may be larger
    block *freed = (block *)(void *)((char *)pointer - ALIGNMENT);
    intptr_t size = freed->size;
    int bin = freed->bin;
    atomic_fetch_sub_explicit(&used, size, memory_order_relaxed);
    if (bin < 0 || atomic_load(&cached) + size > CACHE_LIMIT) {
        free(freed);
        return;
    }
    atomic_fetch_add(&cached, size);
    pthread_mutex_lock(&bins[bin].lock);
    freed->next = bins[bin].head;
    bins[bin].head = freed;
    pthread_mutex_unlock(&bins[bin].lock);
}

void sn_pool_trim(void) {
    pthread_once(&bins_once, make_bins);
    for (int i = 0; i < BINS; i++) {
        pthread_mutex_lock(&bins[i].lock);
        block *head = bins[i].head;
        bins[i].head = NULL;
        pthread_mutex_unlock(&bins[i].lock);
        while (head) {
            block *next = head->next;
            atomic_fetch_sub(&cached, head->size);
            free(head);
            head = next;
        }
    }
}

intptr_t sn_pool_system_allocations(void) { return atomic_load(&system_allocations); }
intptr_t sn_pool_used(void) { return atomic_load(&used); }
intptr_t sn_pool_peak(bool restart) {
    long most = atomic_load(&peak);
    if (restart) atomic_store(&peak, atomic_load(&used));
    return most;
}

void sn_return_large_blocks(intptr_t bytes) {
#if defined(__GLIBC__)
    mallopt(M_MMAP_THRESHOLD, (int)(bytes < 1 << 25 ? bytes : 1 << 25));
    mallopt(M_TRIM_THRESHOLD, (int)(bytes < 1 << 25 ? bytes : 1 << 25));
#else
    (void)bytes;
#endif
}

// ---- strided copy
static void copy_axis(char *target, const intptr_t *target_strides, const char *source, const intptr_t *source_strides,
                      const intptr_t *sizes, intptr_t rank, intptr_t element) {
    if (rank == 0) {
        memcpy(target, source, (size_t)element);
        return;
    }
    intptr_t n = sizes[0], to = target_strides[0] * element, from = source_strides[0] * element;
    if (rank > 1) {
        for (intptr_t i = 0; i < n; i++) copy_axis(target + i * to, target_strides + 1, source + i * from, source_strides + 1, sizes + 1, rank - 1, element);
    } else if (to == element && from == element) {
        memcpy(target, source, (size_t)(n * element));
    } else if (element == 4) {
        for (intptr_t i = 0; i < n; i++) memcpy(target + i * to, source + i * from, 4);
    } else {
        for (intptr_t i = 0; i < n; i++) memcpy(target + i * to, source + i * from, (size_t)element);
    }
}

typedef struct {
    char *target;
    const char *source;
    const intptr_t *target_strides, *source_strides, *sizes;
    intptr_t rank, element;
} copy_job;

static void copy_range(void *context, intptr_t start, intptr_t end) {
    copy_job *job = context;
    intptr_t sizes[64];
    memcpy(sizes, job->sizes, (size_t)job->rank * sizeof(intptr_t));
    sizes[0] = end - start;
    copy_axis(job->target + start * job->target_strides[0] * job->element, job->target_strides,
              job->source + start * job->source_strides[0] * job->element, job->source_strides, sizes, job->rank, job->element);
}

void sn_copy_strided(void *target, const intptr_t *target_strides, const void *source, const intptr_t *source_strides,
                     const intptr_t *sizes, intptr_t rank, intptr_t element_size) {
    if (rank == 0) {
        memcpy(target, source, (size_t)element_size);
        return;
    }
    if (rank > 64) abort();  // Tensor merges axes and its rank is bounded far below
    intptr_t total = 1;
    for (intptr_t i = 0; i < rank; i++) total *= sizes[i];
    copy_job job = {target, source, target_strides, source_strides, sizes, rank, element_size};
    intptr_t inner = sizes[0] ? total / sizes[0] : 1;
    sn_parallel_for(sizes[0], inner ? 1 + 65536 / (inner * element_size) : 1, copy_range, &job);
}
