/* A small pool of threads for fork-join loops. Floor 0. It knows nothing of networks.
   OpenMP's GNU runtime hangs in a forked child and costs more than a small layer takes; hence our own. */
#ifndef CNN_CORE_POOL_H
#define CNN_CORE_POOL_H

#include <stddef.h>

typedef void (*pool_task)(void *context, ptrdiff_t index);

/* Calls task(context, i) for every i in [0, n_tasks), the caller taking part, and returns when all are done.
   Runs serially on the caller when the width is 1, when n_tasks < 2, or when the pool is busy (another Python
   thread, or a task that calls pool_run itself). Starts its threads at the first call that needs them. */
void pool_run(pool_task task, void *context, ptrdiff_t n_tasks);

/* Where the tasks of a participant end that begin where those of the one before it end; they differ by one at most. */
ptrdiff_t pool_end_of_share(ptrdiff_t n_tasks, int n_shares, int owner);

/* How many threads, the caller included, share the work: 1 .. POOL_MAX_WIDTH. */
#define POOL_MAX_WIDTH 256
int pool_width(void);
void pool_set_width(int width);

/* How many threads are alive besides the callers (for tests and show_config). */
int pool_started(void);

#endif
