// A library for LD_PRELOAD that says of each mutex of a process how often it was taken and waited for, and for how long it was held.
// At SIGRTMIN it writes $HELD_OUT, a line of JSON a mutex, and begins anew; the first line says how many seconds it counted. Python's own
// lock (the GIL) is counted beside them: it is no mutex, but a flag that is set and cleared under one.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
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
    _Atomic uint64_t holds, waits, waited_ns;
    _Atomic uint64_t held_ns, cpu_ns, inner_ns;  // by the clock; by its holder's processor time; by the clock, under another mutex
    uint64_t since_ns, since_cpu_ns;             // these are written by who holds it alone
    bool is_inner;
    bool is_pythons;  // as `taker`
};

/// What this thread does under a mutex of Python's own library. There is one, which guards the GIL: who sets that flag takes a second mutex
/// meanwhile, who clears it signals those that wait for it, and takes none. (CPython's take_gil and drop_gil; tried with 3.6 to 3.13.)
struct guarded {
    struct mutex *by;
    uint64_t since_ns;
    bool took_another, signalled, waited;
};

static struct mutex mutexes[MAX_MUTEXES];
static struct mutex gil;
static _Thread_local struct guarded guarded;
static _Thread_local int depth;  // mutexes that this thread holds
static void *python;             // where its library, or its program, is loaded
static uint64_t began_ns;
static int (*real_lock)(pthread_mutex_t *), (*real_trylock)(pthread_mutex_t *), (*real_unlock)(pthread_mutex_t *);
static int (*real_wait)(pthread_cond_t *, pthread_mutex_t *);
static int (*real_timedwait)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
static int (*real_signal)(pthread_cond_t *);
static int (*real_clockwait)(pthread_cond_t *, pthread_mutex_t *, clockid_t, const struct timespec *);

static uint64_t ns_by(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static uint64_t now_ns(void) { return ns_by(CLOCK_MONOTONIC); }

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

static void *base_of(void *code) {
    Dl_info module = {0};
    return dladdr(code, &module) ? module.dli_fbase : NULL;
}

static void begin_hold(struct mutex *mutex, uint64_t waited_ns, bool is_inner) {
    ++mutex->holds;
    if (waited_ns) {
        ++mutex->waits;
        mutex->waited_ns += waited_ns;
    }
    mutex->is_inner = is_inner;
    mutex->since_cpu_ns = ns_by(CLOCK_THREAD_CPUTIME_ID);
    mutex->since_ns = now_ns();
}

static void end_hold(struct mutex *mutex) {
    if (!mutex->since_ns) return;
    const uint64_t held_ns = now_ns() - mutex->since_ns;
    mutex->held_ns += held_ns;
    if (mutex->is_inner) mutex->inner_ns += held_ns;
    mutex->cpu_ns += ns_by(CLOCK_THREAD_CPUTIME_ID) - mutex->since_cpu_ns;
}

/// Counts a mutex that was taken, or is held again after a wait for a condition, for which there is no taker.
static void taken(void *address, void *taker, uint64_t waited_ns) {
    struct mutex *const mutex = of(address);
    if (!mutex) return;
    if (!mutex->taker && taker) {
        mutex->taker = taker;
        mutex->is_pythons = python && base_of(taker) == python;
    }
    begin_hold(mutex, waited_ns, depth++ > 0);
    if (!taker || !mutex->is_pythons) return;
    if (guarded.by)
        guarded.took_another = true;
    else
        guarded = (struct guarded){.by = mutex, .since_ns = mutex->since_ns};
}

static void given_back(void *address) {
    struct mutex *const mutex = of(address);
    if (!mutex) return;
    end_hold(mutex);
    --depth;
}

/// Counts the GIL, which was taken or is given back, as what guards it is given back.
static void count_gil(void) {
    if (guarded.took_another)
        begin_hold(&gil, guarded.waited ? now_ns() - guarded.since_ns : 0, false);
    else if (guarded.signalled)
        end_hold(&gil);
    guarded.by = NULL;
}

static void find_real(void) {
    if (real_lock) return;
    real_trylock = dlsym(RTLD_NEXT, "pthread_mutex_trylock");
    real_unlock = dlsym(RTLD_NEXT, "pthread_mutex_unlock");
    real_wait = dlsym(RTLD_NEXT, "pthread_cond_wait");
    real_timedwait = dlsym(RTLD_NEXT, "pthread_cond_timedwait");
    real_clockwait = dlsym(RTLD_NEXT, "pthread_cond_clockwait");
    real_signal = dlsym(RTLD_NEXT, "pthread_cond_signal");
    void *const of_python = dlsym(RTLD_DEFAULT, "Py_IsInitialized");
    if (of_python) python = base_of(of_python);
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
    if (guarded.by && guarded.by == of(mutex)) count_gil();
    return real_unlock(mutex);
}

int pthread_cond_signal(pthread_cond_t *condition) {
    find_real();
    guarded.signalled = true;
    return real_signal(condition);
}

static void leave(void *mutex) {
    given_back(mutex);
    guarded.waited = true;
}

// Who waits for a condition doesn't hold the mutex meanwhile.
int pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex) {
    find_real();
    leave(mutex);
    const int code = real_wait(condition, mutex);
    taken(mutex, NULL, 0);
    return code;
}

int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *until) {
    find_real();
    leave(mutex);
    const int code = real_timedwait(condition, mutex, until);
    taken(mutex, NULL, 0);
    return code;
}

int pthread_cond_clockwait(pthread_cond_t *condition, pthread_mutex_t *mutex, clockid_t clock, const struct timespec *until) {
    find_real();
    leave(mutex);
    const int code = real_clockwait(condition, mutex, clock, until);
    taken(mutex, NULL, 0);
    return code;
}

static void write_of(FILE *file, struct mutex *mutex, const char *name) {
    fprintf(file, "{\"module\": \"%s\", \"mutex\": \"%p\", \"holds\": %lu, \"waits\": %lu, \"waited_s\": %.6f, \"held_s\": %.6f, \"cpu_s\": %.6f, \"inner_s\": %.6f}\n",
            name, (void *)mutex->address, (unsigned long)mutex->holds, (unsigned long)mutex->waits, (double)mutex->waited_ns * 1e-9,
            (double)mutex->held_ns * 1e-9, (double)mutex->cpu_ns * 1e-9, (double)mutex->inner_ns * 1e-9);
    mutex->holds = mutex->waits = mutex->waited_ns = mutex->held_ns = mutex->cpu_ns = mutex->inner_ns = 0;
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
        Dl_info module = {0};
        struct mutex *const mutex = &mutexes[index];
        if (mutex->holds) write_of(file, mutex, dladdr(mutex->taker, &module) && module.dli_fname ? module.dli_fname : "?");
    }
    write_of(file, &gil, "GIL");
    fclose(file);
    rename(unfinished, path);
    began_ns = now_ns();
}

__attribute__((constructor)) static void begin(void) {
    find_real();
    began_ns = now_ns();
    signal(SIGRTMIN, tell);
}
