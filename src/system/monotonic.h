/* A clock that never goes back, in seconds. Floor 0. */
#ifndef CNN_CORE_MONOTONIC_H
#define CNN_CORE_MONOTONIC_H

#ifdef _WIN32
#include <windows.h>
static inline double monotonic_seconds(void) {
    LARGE_INTEGER frequency, count;
    QueryPerformanceFrequency(&frequency);
    QueryPerformanceCounter(&count);
    return (double)count.QuadPart / (double)frequency.QuadPart;
}
#else
#include <time.h>
static inline double monotonic_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
#endif

#endif
