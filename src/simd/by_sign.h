/* A choice by the sign of a number. Floor 0. Signs are random, and a branch would be guessed wrong half the time; masks
   leave the compiler no choice. */
#ifndef CNN_CORE_BY_SIGN_H
#define CNN_CORE_BY_SIGN_H

#include <stdint.h>
#include <string.h>

/* above where x > 0, else below */
static inline float by_sign_f32(float x, float above, float below) {
    uint32_t a, b, mask = 0u - (uint32_t)(x > 0);
    memcpy(&a, &above, 4);
    memcpy(&b, &below, 4);
    a = (a & mask) | (b & ~mask);
    memcpy(&above, &a, 4);
    return above;
}
static inline double by_sign_f64(double x, double above, double below) {
    uint64_t a, b, mask = 0u - (uint64_t)(x > 0);
    memcpy(&a, &above, 8);
    memcpy(&b, &below, 8);
    a = (a & mask) | (b & ~mask);
    memcpy(&above, &a, 8);
    return above;
}

#endif
