/* Memory of each thread's own. Floor 0. Packing needs more than the stacks of some systems hold (128 KiB with musl). */
#include "scratch.h"

#include <stdint.h>
#include <stdlib.h>

#ifdef _WIN32
#include <windows.h>
#else
#include <pthread.h>
#endif

enum { ALIGNMENT = 64 };

static _Thread_local char *memory;
static _Thread_local size_t capacity;

/* Freed by a key's destructor, because C has no other hook on a thread's end. */
#ifdef _WIN32
static DWORD key = FLS_OUT_OF_INDEXES;
static INIT_ONCE once = INIT_ONCE_STATIC_INIT;
static void WINAPI release(void *block) { free(block); }
static BOOL CALLBACK make_key(PINIT_ONCE o, PVOID p, PVOID *c) {
    (void)o, (void)p, (void)c;
    key = FlsAlloc(release);
    return TRUE;
}
static void remember(void *block) {
    InitOnceExecuteOnce(&once, make_key, NULL, NULL);
    if (key != FLS_OUT_OF_INDEXES) FlsSetValue(key, block);
}
#else
static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static void make_key(void) { pthread_key_create(&key, free); }
static void remember(void *block) {
    pthread_once(&once, make_key);
    pthread_setspecific(key, block);
}
#endif

void *thread_scratch(size_t n_bytes) {
    if (n_bytes > capacity) {
        free(memory);
        memory = malloc(n_bytes + ALIGNMENT);
        capacity = memory ? n_bytes : 0;
        remember(memory);
    }
    if (!memory) return NULL;
    return (void *)(((uintptr_t)memory + ALIGNMENT - 1) & ~(uintptr_t)(ALIGNMENT - 1));
}
