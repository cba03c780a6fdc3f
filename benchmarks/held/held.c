// A library for LD_PRELOAD that says of each mutex of a process how often it was taken and waited for, and for how long it was held.
// At SIGRTMIN it writes $HELD_OUT, a line of JSON a mutex, and begins anew; the first line says how many seconds it counted.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_MUTEXES = 4096, MAX_PROBES = 64 };

struct mutex {
    _Atomic(void *) address;
    void *taker;  // code that took it first, by which its module is known
    _Atomic uint64_t holds, waits, waited_ns, held_ns;
    uint64_t since_ns;  // written by who holds it alone
};

static struct mutex mutexes[MAX_MUTEXES];
static uint64_t began_ns;
static int (*real_lock)(pthread_mutex_t *), (*real_trylock)(pthread_mutex_t *), (*real_unlock)(pthread_mutex_t *);
static int (*real_wait)(pthread_cond_t *, pthread_mutex_t *);
static int (*real_timedwait)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
static int (*real_clockwait)(pthread_cond_t *, pthread_mutex_t *, clockid_t, const struct timespec *);

static uint64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/// Returns what is counted of a mutex; NULL where there is no room for another.
static struct mutex *of(void *address) {
    const size_t hash = ((uintptr_t)address >> 4) * 2654435761u;
    for (size_t probe = 0; probe < MAX_PROBES; ++probe) {
        struct mutex *found = &mutexes[(hash + probe) % MAX_MUTEXES];
        void *there = NULL;
        if (atomic_compare_exchange_strong(&found->address, &there, address) || there == address) return found;
    }
    return NULL;
}

static void taken(void *address, void *taker, uint64_t waited_ns) {
    struct mutex *mutex = of(address);
    if (!mutex) return;
    if (!mutex->taker) mutex->taker = taker;
    ++mutex->holds;
    if (waited_ns) {
        ++mutex->waits;
        mutex->waited_ns += waited_ns;
    }
    mutex->since_ns = now_ns();
}

static void given_back(void *address) {
    struct mutex *mutex = of(address);
    if (mutex && mutex->since_ns) mutex->held_ns += now_ns() - mutex->since_ns;
}

static void find_real(void) {
    if (real_lock) return;
    real_trylock = dlsym(RTLD_NEXT, "pthread_mutex_trylock");
    real_unlock = dlsym(RTLD_NEXT, "pthread_mutex_unlock");
    real_wait = dlsym(RTLD_NEXT, "pthread_cond_wait");
    real_timedwait = dlsym(RTLD_NEXT, "pthread_cond_timedwait");
    real_clockwait = dlsym(RTLD_NEXT, "pthread_cond_clockwait");
    real_lock = dlsym(RTLD_NEXT, "pthread_mutex_lock");
}

int pthread_mutex_lock(pthread_mutex_t *mutex) {
    find_real();
    void *const taker = __builtin_return_address(0);
    if (real_trylock(mutex) == 0) {
        taken(mutex, taker, 0);
        return 0;
    }
    const uint64_t began = now_ns();
    const int code = real_lock(mutex);
    if (code == 0) taken(mutex, taker, now_ns() - began + 1);
    return code;
}

int pthread_mutex_trylock(pthread_mutex_t *mutex) {
    find_real();
    const int code = real_trylock(mutex);
    if (code == 0) taken(mutex, __builtin_return_address(0), 0);
    return code;
}

int pthread_mutex_unlock(pthread_mutex_t *mutex) {
    find_real();
    given_back(mutex);
    return real_unlock(mutex);
}

// Who waits for a condition doesn't hold the mutex meanwhile.
int pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex) {
    find_real();
    given_back(mutex);
    const int code = real_wait(condition, mutex);
    taken(mutex, __builtin_return_address(0), 0);
    return code;
}

int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *until) {
    find_real();
    given_back(mutex);
    const int code = real_timedwait(condition, mutex, until);
    taken(mutex, __builtin_return_address(0), 0);
    return code;
}

int pthread_cond_clockwait(pthread_cond_t *condition, pthread_mutex_t *mutex, clockid_t clock, const struct timespec *until) {
    find_real();
    given_back(mutex);
    const int code = real_clockwait(condition, mutex, clock, until);
    taken(mutex, __builtin_return_address(0), 0);
    return code;
}

/// Writes what was counted, and forgets it. Not safe at every point of a program: for measuring, where one line lost is no harm.
static void tell(int signal_number) {
    (void)signal_number;
    const char *const path = getenv("HELD_OUT");
    char unfinished[4096];
    if (!path || (size_t)snprintf(unfinished, sizeof unfinished, "%s.unfinished", path) >= sizeof unfinished) return;
    FILE *const file = fopen(unfinished, "w");
    if (!file) return;
    const uint64_t time = now_ns();
    fprintf(file, "{\"seconds\": %.6f}\n", (double)(time - began_ns) * 1e-9);
    for (size_t index = 0; index < MAX_MUTEXES; ++index) {
        struct mutex *mutex = &mutexes[index];
        if (!mutex->holds) continue;
        Dl_info module = {0};
        const char *const name = dladdr(mutex->taker, &module) && module.dli_fname ? module.dli_fname : "?";
        fprintf(file, "{\"module\": \"%s\", \"mutex\": \"%p\", \"holds\": %lu, \"waits\": %lu, \"waited_s\": %.6f, \"held_s\": %.6f}\n",
                name, (void *)mutex->address, (unsigned long)mutex->holds, (unsigned long)mutex->waits,
                (double)mutex->waited_ns * 1e-9, (double)mutex->held_ns * 1e-9);
        mutex->holds = mutex->waits = mutex->waited_ns = mutex->held_ns = 0;
    }
    fclose(file);
    rename(unfinished, path);
    began_ns = now_ns();
}

__attribute__((constructor)) static void begin(void) {
    find_real();
    began_ns = now_ns();
    signal(SIGRTMIN, tell);
}
