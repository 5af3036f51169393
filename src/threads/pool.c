/* A small pool of threads for fork-join loops. Floor 0. It knows nothing of networks.
   Every participant (0 is the caller) owns a contiguous share of the tasks, so that a repeated loop finds its data in
   the same core's cache; who has finished takes over what others have not begun. So a sleeping or preempted worker
   holds up nothing but the one task that it has claimed. */
#if !defined(_WIN32) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE /* pthread_setname_np */
#endif

#include "pool.h"

#include <stdatomic.h>
#include <stdint.h>

/* ---- What the operating system offers: a thread, a lock, a condition, a clock --------------------------------- */

#ifdef _WIN32

#define WIN32_LEAN_AND_MEAN
#include <process.h>
#include <windows.h>

typedef HANDLE os_thread;
typedef SRWLOCK os_lock;
typedef CONDITION_VARIABLE os_condition;

#define lock_init InitializeSRWLock
#define lock_acquire AcquireSRWLockExclusive
#define lock_release ReleaseSRWLockExclusive
#define condition_init InitializeConditionVariable
#define condition_signal WakeConditionVariable
#define condition_wait(condition, lock) SleepConditionVariableSRW(condition, lock, INFINITE, 0)
#define yield_processor SwitchToThread
#define watch_forks(in_child) ((void)(in_child)) /* there are none */

static int64_t nanoseconds(void) {
    LARGE_INTEGER frequency, count;
    QueryPerformanceFrequency(&frequency);
    QueryPerformanceCounter(&count);
    return (int64_t)((double)count.QuadPart * (1e9 / (double)frequency.QuadPart));
}

static void worker_main(int id);
static unsigned __stdcall thread_entry(void *id) {
    worker_main((int)(intptr_t)id);
    return 0;
}

static int thread_start(os_thread *thread, int id) {
    *thread = (HANDLE)_beginthreadex(NULL, 512 * 1024, thread_entry, (void *)(intptr_t)id,
                                     STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    return *thread != NULL;
}

static void thread_join(os_thread thread) {
    WaitForSingleObject(thread, INFINITE);
    CloseHandle(thread);
}

#else

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <time.h>

typedef pthread_t os_thread;
typedef pthread_mutex_t os_lock;
typedef pthread_cond_t os_condition;

#define lock_init(lock) pthread_mutex_init(lock, NULL)
#define lock_acquire pthread_mutex_lock
#define lock_release pthread_mutex_unlock
#define condition_init(condition) pthread_cond_init(condition, NULL)
#define condition_signal pthread_cond_signal
#define condition_wait pthread_cond_wait
#define yield_processor sched_yield
#define thread_join(thread) pthread_join(thread, NULL)
#define watch_forks(in_child) pthread_atfork(NULL, NULL, in_child)

static int64_t nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void worker_main(int id);
static void *thread_entry(void *id) {
#if defined(__APPLE__)
    pthread_setname_np("cnn_core"); /* a thread can name itself only */
#endif
    worker_main((int)(intptr_t)id);
    return NULL;
}

/* Signals are for the threads that know Python, so that Ctrl-C wakes the one that handles it. Faults are not blocked:
   they arrive where they happen, and faulthandler wants them. */
static void signals_for_worker(sigset_t *set) {
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP};
    sigfillset(set);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) sigdelset(set, faults[i]);
}

static int thread_start(os_thread *thread, int id) {
    sigset_t blocked, before;
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0) return 0;
    pthread_attr_setstacksize(&attributes, 512 * 1024);
    signals_for_worker(&blocked);
    pthread_sigmask(SIG_SETMASK, &blocked, &before); /* a new thread inherits the mask: no gap at its start */
    int error = pthread_create(thread, &attributes, thread_entry, (void *)(intptr_t)id);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
#if defined(__linux__)
    if (error == 0) pthread_setname_np(*thread, "cnn_core");
#endif
    pthread_attr_destroy(&attributes);
    return error == 0;
}

#endif

/* Workers compute in the caller's mode of rounding and of subnormal numbers: one result on any number of threads. */
#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#define MODE_BITS 0xe040u /* flush to zero, rounding, denormals are zero */
static void relax_processor(void) { _mm_pause(); }
static uint64_t floating_mode(void) { return _mm_getcsr() & MODE_BITS; }
static void set_floating_mode(uint64_t mode) { _mm_setcsr((_mm_getcsr() & ~MODE_BITS) | (unsigned)mode); }
#elif defined(__aarch64__)
/* `yield` does nothing on most cores; `isb` waits about as long as x86's pause. */
static void relax_processor(void) { __asm__ __volatile__("isb" ::: "memory"); }
static uint64_t floating_mode(void) {
    uint64_t mode;
    __asm__ __volatile__("mrs %0, fpcr" : "=r"(mode));
    return mode;
}
static void set_floating_mode(uint64_t mode) { __asm__ __volatile__("msr fpcr, %0" ::"r"(mode)); }
#else
static void relax_processor(void) {}
static uint64_t floating_mode(void) { return 0; }
static void set_floating_mode(uint64_t mode) { (void)mode; }
#endif

/* ---- The pool -------------------------------------------------------------------------------------------------- */

#define PAUSES_PER_CLOCK 32   /* reading the clock costs as much as one pause */
#define PURE_SPIN_NS 20000    /* then offer the processor to others between looks */
#define WORKER_SPIN_NS 100000 /* idle for so long, a worker sleeps */
#define CALLER_SPIN_NS 200000 /* waiting for so long, the caller sleeps; waking costs it about 50 us */
#define FAN_OUT 4             /* each participant wakes so many sleepers: none pays for waking a large pool */
#define CACHE_LINE 128        /* two lines of x86 (its prefetcher takes pairs), one of Apple's */

/* Participant 0 is the caller of pool_run; its thread field is unused. */
typedef struct {
    _Alignas(CACHE_LINE) atomic_ptrdiff_t left; /* unclaimed tasks of its share; below zero after futile claims */
    atomic_int asleep;
    os_thread thread;
    os_lock lock;
    os_condition condition;
} participant;

/* Written by the caller while no task is claimed, read only by those who hold a claim. */
typedef struct {
    pool_task task;
    void *context;
    ptrdiff_t quotient, remainder; /* of n_tasks by n_shares */
    uint64_t floating_mode;        /* the caller's */
} assignment;

static participant participants[POOL_MAX_WIDTH];
static assignment job;
static atomic_int n_shares;                              /* of the latest job */
static _Alignas(CACHE_LINE) atomic_ptrdiff_t n_finished; /* tasks of the job that workers have finished */
static _Alignas(CACHE_LINE) atomic_int busy;             /* held by the thread in pool_run or retire_excess */
static atomic_int width = 1;
static atomic_int width_limit = POOL_MAX_WIDTH; /* lower once the system has refused a thread */
static atomic_int n_started;                    /* workers 1 .. n_started are alive */
static atomic_int n_kept = POOL_MAX_WIDTH;      /* workers above it leave */
static atomic_int initialized;

static int try_acquire(void) { return !atomic_load(&busy) && !atomic_exchange(&busy, 1); }
static void release(void) { atomic_store(&busy, 0); }

static ptrdiff_t end_of(int owner, ptrdiff_t quotient, ptrdiff_t remainder) {
    ptrdiff_t shares = (ptrdiff_t)owner + 1;
    return quotient * shares + (shares < remainder ? shares : remainder);
}

static ptrdiff_t end_of_share(int owner) { return end_of(owner, job.quotient, job.remainder); }

/* Claims and runs tasks of one share until none is left; returns how many it ran. A claim is valid whenever it is
   made, also by a worker that was late for an earlier job: `left` is above zero only while a job is published, and
   the job cannot end, nor `job` change, before the claimed task is reported. */
static ptrdiff_t work_on_share(int owner) {
    atomic_ptrdiff_t *left = &participants[owner].left;
    ptrdiff_t n_done = 0;
    while (atomic_load_explicit(left, memory_order_relaxed) > 0) {
        ptrdiff_t position = atomic_fetch_sub(left, 1);
        if (position <= 0) break;
        if (n_done == 0 && floating_mode() != job.floating_mode) set_floating_mode(job.floating_mode);
        job.task(job.context, end_of_share(owner) - position);
        n_done++;
    }
    return n_done;
}

static void wake(participant *sleeper) {
    lock_acquire(&sleeper->lock); /* it is now either before its last look or in condition_wait */
    lock_release(&sleeper->lock);
    condition_signal(&sleeper->condition);
}

static void wake_if_asleep(participant *sleeper) {
    if (atomic_load(&sleeper->asleep) && atomic_exchange(&sleeper->asleep, 0)) wake(sleeper);
}

/* The participants form a tree, root 0. Shares are published from the last to the first, so that one that sees its own
   share knows its children's to be visible. */
static void wake_children(int id) {
    int end = atomic_load(&n_shares);
    for (int child = FAN_OUT * id + 1; child <= FAN_OUT * id + FAN_OUT && child < end; child++)
        wake_if_asleep(&participants[child]);
}

/* Does the own share, then what is left of the others; returns how many tasks. */
static ptrdiff_t participate(int id) {
    wake_children(id);
    ptrdiff_t n_done = work_on_share(id);
    int end = atomic_load_explicit(&n_shares, memory_order_relaxed);
    for (int step = 1; step < end; step++) n_done += work_on_share((id + step) % end);
    return n_done;
}

static int has_work(int id) { return atomic_load(&participants[id].left) > 0; }
static int must_leave(int id) { return id > atomic_load(&n_kept); }

static int is_idle(ptrdiff_t id) { return !has_work((int)id) && !must_leave((int)id); }
static int is_unfinished(ptrdiff_t n_expected) { return atomic_load(&n_finished) != n_expected; }

/* Spins while waiting(argument), for at most `limit` nanoseconds. */
static void spin(int (*waiting)(ptrdiff_t), ptrdiff_t argument, int64_t limit) {
    int64_t begun = nanoseconds(), elapsed = 0;
    while (waiting(argument) && elapsed < limit) {
        for (int i = 0; i < PAUSES_PER_CLOCK && waiting(argument); i++) relax_processor();
        elapsed = nanoseconds() - begun;
        if (elapsed > PURE_SPIN_NS && waiting(argument)) yield_processor();
    }
}

/* Sleeps unless waiting(argument) has ended; may return early, so callers look again. The mark is set before the last
   look, and wakers change what is looked at before they read the mark: one of the two sees the other. */
static void doze(int (*waiting)(ptrdiff_t), ptrdiff_t argument, participant *self) {
    lock_acquire(&self->lock);
    atomic_store(&self->asleep, 1);
    if (waiting(argument)) condition_wait(&self->condition, &self->lock);
    atomic_store(&self->asleep, 0);
    lock_release(&self->lock);
}

static void worker_main(int id) {
    while (!must_leave(id)) {
        spin(is_idle, id, WORKER_SPIN_NS);
        if (is_idle(id)) doze(is_idle, id, &participants[id]);
        ptrdiff_t n_done = has_work(id) ? participate(id) : 0;
        if (n_done > 0) {
            atomic_fetch_add(&n_finished, n_done);
            wake_if_asleep(&participants[0]);
        }
    }
}

static void wait_for_workers(ptrdiff_t n_expected) {
    if (is_unfinished(n_expected)) spin(is_unfinished, n_expected, CALLER_SPIN_NS);
    while (is_unfinished(n_expected)) doze(is_unfinished, n_expected, &participants[0]);
}

/* ---- Starting and ending threads; all of it by the holder of `busy` --------------------------------------------- */

static void prepare(int id) {
    participant *one = &participants[id];
    atomic_store(&one->left, 0);
    atomic_store(&one->asleep, 0);
    lock_init(&one->lock);
    condition_init(&one->condition);
}

/* A forked child has one thread, whatever the others were doing; the locks of workers are prepared as they start. */
static void start_over(void) {
    prepare(0);
    atomic_store(&n_shares, 0);
    atomic_store(&n_started, 0);
    atomic_store(&n_kept, POOL_MAX_WIDTH);
    atomic_store(&width_limit, POOL_MAX_WIDTH);
    atomic_store(&busy, 0);
}

/* Makes up to `wanted` participants, the caller included; returns how many there are for the job. */
static int recruit(int wanted) {
    int limit = atomic_load(&width_limit);
    if (wanted > limit) wanted = limit;
    for (int id = atomic_load(&n_started) + 1; id < wanted; id++) {
        prepare(id);
        if (!thread_start(&participants[id].thread, id)) {
            atomic_store(&width_limit, id); /* pool_set_width tries again */
            return id;
        }
        atomic_store(&n_started, id);
    }
    return wanted;
}

/* Ends the threads that the width no longer covers. Who narrows the pool while it is busy leaves this to the thread
   that keeps it busy, which looks again after it has released the pool. */
static void retire_excess(void) {
    while (atomic_load(&n_started) > atomic_load(&width) - 1 && try_acquire()) {
        int kept = atomic_load(&width) - 1;
        atomic_store(&n_kept, kept);
        for (int id = atomic_load(&n_started); id > kept; id--) {
            wake(&participants[id]);
            thread_join(participants[id].thread);
            atomic_store(&n_started, id - 1);
        }
        atomic_store(&n_kept, POOL_MAX_WIDTH);
        release();
    }
}

/* ---- The public functions ---------------------------------------------------------------------------------------- */

static void publish(pool_task task, void *context, ptrdiff_t n_tasks, int shares) {
    job.task = task;
    job.context = context;
    job.quotient = n_tasks / shares;
    job.remainder = n_tasks % shares;
    job.floating_mode = floating_mode();
    atomic_store_explicit(&n_finished, 0, memory_order_relaxed);
    atomic_store_explicit(&n_shares, shares, memory_order_relaxed);
    for (int id = shares - 1; id >= 0; id--)
        atomic_store(&participants[id].left, end_of_share(id) - (id > 0 ? end_of_share(id - 1) : 0));
}

static void run_serially(pool_task task, void *context, ptrdiff_t n_tasks) {
    for (ptrdiff_t index = 0; index < n_tasks; index++) task(context, index);
}

void pool_run(pool_task task, void *context, ptrdiff_t n_tasks) {
    int wanted = atomic_load_explicit(&width, memory_order_relaxed);
    if (n_tasks < wanted) wanted = (int)n_tasks;
    if (wanted < 2 || !try_acquire()) {
        run_serially(task, context, n_tasks);
        return;
    }
    int shares = recruit(wanted);
    if (shares < 2) {
        run_serially(task, context, n_tasks);
    } else {
        publish(task, context, n_tasks, shares);
        ptrdiff_t n_own = participate(0);
        wait_for_workers(n_tasks - n_own);
    }
    release();
    retire_excess();
}

ptrdiff_t pool_end_of_share(ptrdiff_t n_tasks, int n_shares, int owner) {
    return end_of(owner, n_tasks / n_shares, n_tasks % n_shares);
}

int pool_width(void) { return atomic_load(&width); }

void pool_set_width(int new_width) {
    if (new_width < 1) new_width = 1;
    if (new_width > POOL_MAX_WIDTH) new_width = POOL_MAX_WIDTH;
    if (!atomic_exchange(&initialized, 1)) { /* before the width first permits a job */
        prepare(0);
        watch_forks(start_over);
    }
    atomic_store(&width_limit, POOL_MAX_WIDTH);
    atomic_store(&width, new_width);
    retire_excess();
}

int pool_started(void) { return atomic_load(&n_started); }
