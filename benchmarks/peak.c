/* Measure the rate of fused multiply-adds: independent chains in registers, no memory.
   Purpose: the roof under which the kernels' rates are judged. Compiled by peak.py in the run itself. */
#include <stddef.h>

#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#elif defined(__AVX__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif

typedef float vector __attribute__((vector_size(VECTOR_BYTES)));

#if defined(__x86_64__)
#define IN_REGISTER "+x"
#else
#define IN_REGISTER "+w"
#endif
#if defined(__AVX512F__)
#undef IN_REGISTER
#define IN_REGISTER "+v"
#endif

/* Twelve chains hide a latency of up to six cycles at two a cycle, and leave room in sixteen registers. */
#define CHAINS 12
#define EACH(do) do(0) do(1) do(2) do(3) do(4) do(5) do(6) do(7) do(8) do(9) do(10) do(11)

#define BEGIN(i) vector chain##i = {(float)i};
#define STEP(i) chain##i = chain##i * factor + chain##i;
#define HOLD(i) __asm__ volatile("" : IN_REGISTER(chain##i));
#define ADD(i) total += chain##i;

/* Run `n` rounds; return the number of floating point operations done. */
double cnn_core_peak(size_t n, float *sink)
{
    vector factor = {0};
    EACH(BEGIN)
    __asm__ volatile("" : IN_REGISTER(factor));
    for (size_t i = 0; i < n; i++) {
        EACH(STEP)
        EACH(HOLD)
    }
    vector total = {0};
    EACH(ADD)
    *sink = total[0];
    return (double)n * CHAINS * 2.0 * (VECTOR_BYTES / sizeof(float));
}
