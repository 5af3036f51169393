/* Compiles a file for processors beyond the oldest that the package runs on: BEGIN_TARGET before what is the file's
   own, END_TARGET at its end. dispatch.c asks the processor before it hands out a table of such a file. Floor 0. */
#ifndef CNN_CORE_TARGET_H
#define CNN_CORE_TARGET_H

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define BEGIN_TARGET(features) PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
#define END_TARGET PRAGMA(clang attribute pop)
#define WHOLE_VECTORS /* Clang makes them as wide as they are written */
#define NEON_DOT "dotprod"
#else
#define BEGIN_TARGET(features) PRAGMA(GCC target(features))
#define END_TARGET
#define WHOLE_VECTORS ",prefer-vector-width=512"
#define NEON_DOT "arch=armv8.2-a+dotprod"
#endif

#define AVX2 "avx2,fma"
#define AVX512 AVX2 ",avx512f,avx512dq,avx512bw,avx512vl" WHOLE_VECTORS

typedef int any_processor; /* C wants a declaration in a file that has nothing else for this one */

#endif
