/* Quotients and remainders as Python and NumPy have them: rounded towards minus infinity. Floor 0. */
#ifndef CNN_CORE_QUOTIENTS_H
#define CNN_CORE_QUOTIENTS_H

#include <math.h>

/* a - b floor(a / b): nearer to zero than b, and of its sign; NaN for b = 0 */
static inline double floor_remainder(double a, double b) {
    const double rest = fmod(a, b);
    if (rest == 0) return copysign(rest, b);
    return (rest < 0) != (b < 0) ? rest + b : rest;
}

/* floor(a / b), from the remainder, because a / b may have been rounded up to a whole number; NaN for infinite a */
static inline double floor_quotient(double a, double b) {
    if (b == 0) return a / b;
    const double rest = fmod(a, b), quotient = rint((a - rest) / b);
    return rest != 0 && (rest < 0) != (b < 0) ? quotient - 1 : quotient;
}

#endif
