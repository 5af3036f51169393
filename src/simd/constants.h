/* Numbers of the two formats and the polynomials of the vector math, fitted for each by Remez exchange (the rational
   one by Lawson's iteration) to the relative error that stands beside it. Floor 0. Lowest power first. */

enum { MANTISSA_BITS_f32 = 23, MANTISSA_BITS_f64 = 52 };
enum { EXPONENT_BIAS_f32 = 127, EXPONENT_BIAS_f64 = 1023 };
static const uint32_t MANTISSA_f32 = 0x007fffff, LEADING_HALF_f32 = 0xfffff000;
static const uint64_t MANTISSA_f64 = 0x000fffffffffffff, LEADING_HALF_f64 = 0xfffffffff8000000;
static const float LARGEST_f32 = FLT_MAX, SMALLEST_NORMAL_f32 = FLT_MIN;
static const double LARGEST_f64 = DBL_MAX, SMALLEST_NORMAL_f64 = DBL_MIN;

/* Adding 1.5 * 2^MANTISSA_BITS rounds to an integer n and leaves it in the low bits; 2 EXPONENT_BIAS more keeps it
   positive there: the low bits hold n + 2 EXPONENT_BIAS. */
static const float ROUNDING_f32 = 0x1.8p23f + 254;
static const double ROUNDING_f64 = 0x1.8p52 + 2046;

/* ln 2 in two parts; the high one has so few bits that its product with any exponent is exact. */
static const float LOG2_E_f32 = 0x1.715476p+0f, LN2_HIGH_f32 = 0x1.63p-1f, LN2_LOW_f32 = -0x1.bd0106p-13f;
static const double LOG2_E_f64 = 0x1.71547652b82fep+0, LN2_HIGH_f64 = 0x1.62e42feep-1,
                    LN2_LOW_f64 = 0x1.a39ef35793c76p-33;

/* Outside of these exp is infinite or zero. */
static const float EXP_HIGHEST_f32 = 89, EXP_LOWEST_f32 = -104.5f;
static const double EXP_HIGHEST_f64 = 710, EXP_LOWEST_f64 = -746;

/* (exp(r) - 1 - r) / r^2 on |r| <= ln(2) / 2, weighed as it counts in exp: 2^-28.2 and 2^-57.9. */
static const float EXP_POLYNOMIAL_f32[] = {0x1.fffffcp-2f, 0x1.55549p-3f, 0x1.5558f8p-5f, 0x1.123b02p-7f,
                                           0x1.6a224ep-10f};
static const double EXP_POLYNOMIAL_f64[] = {
    0x1.000000000000ap-1,  0x1.55555555554f8p-3,  0x1.5555555550754p-5,  0x1.1111111128167p-7,  0x1.6c16c1846fc03p-10,
    0x1.a01a012900bdfp-13, 0x1.a01999446a37fp-16, 0x1.71df271a5efbcp-19, 0x1.28ae345e6b2e0p-22, 0x1.ad7e903378f3bp-26};

/* (2 atanh(s) / s - 2) / s^2 in s^2 for s = f / (2 + f), sqrt(1/2) <= 1 + f <= sqrt(2): 2^-30.2 and 2^-59.5. */
static const float LOG_POLYNOMIAL_f32[] = {0x1.55557ap-1f, 0x1.995e7cp-2f, 0x1.31e9fep-2f};
static const double LOG_POLYNOMIAL_f64[] = {0x1.5555555555593p-1, 0x1.999999997f8a3p-2, 0x1.249249423e7c1p-2,
                                            0x1.c71c51c652845p-3, 0x1.74664d7b3a2d2p-3, 0x1.39a02e77df428p-3,
                                            0x1.2f15bfbed8aedp-3};

/* Adding this rounds to an integer whose low bits it leaves in the low bits. */
static const float WHOLE_f32 = 0x1.8p23f;
static const double WHOLE_f64 = 0x1.8p52;

/* Turns from which on neighbours are half a turn or more apart. */
static const float MOST_TURNS_f32 = 0x1p22f;
static const double MOST_TURNS_f64 = 0x1p51;

/* sin(2 pi r) / r in r^2 on |r| <= 1/8: 2^-28.2 and 2^-58.1; (cos(2 pi r) - 1) / r^2, weighed as it counts in the
   cosine: 2^-33.9 and 2^-64.5. */
static const float SINE_POLYNOMIAL_f32[] = {0x1.921fb6p+2f, -0x1.4abbbap+5f, 0x1.465e92p+6f, -0x1.2d9302p+6f};
static const double SINE_POLYNOMIAL_f64[] = {0x1.921fb54442d18p+2,  -0x1.4abbce625be41p+5, 0x1.466bc67758700p+6,
                                             -0x1.32d2cce2d535dp+6, 0x1.50782fca388fcp+5,  -0x1.e30063a00c5e9p+3,
                                             0x1.e3eed5c67a376p+1};
static const float COSINE_POLYNOMIAL_f32[] = {-0x1.3bd3ccp+4f, 0x1.03c1dep+6f, -0x1.55c5e0p+6f, 0x1.d9d57ep+5f};
static const double COSINE_POLYNOMIAL_f64[] = {-0x1.3bd3cc9be45dep+4, 0x1.03c1f081b5aaep+6,  -0x1.55d3c7e3c9280p+6,
                                               0x1.e1f5068367b24p+5,  -0x1.a6d1ec7e0bd9ap+4, 0x1.f9cc40acf508ep+2,
                                               -0x1.b263c362f0d8dp+0};

/* exp(v^2 / 2) Q(v), Q(v) = 1 - Phi(v) the upper tail of the normal distribution, as a quotient on 0 <= v <= TAIL_END,
   beyond which Q is zero: 2^-27.2 and 2^-59.9. All coefficients are positive: nothing cancels. */
static const float TAIL_END_f32 = 15;
static const float TAIL_NUMERATOR_f32[] = {0.5000000031474721706f, 0.43927540172667819032f, 0.18396293357275055894f,
                                           0.040878960531990909295f, 0.0041528878902493326219f};
static const float TAIL_DENOMINATOR_f32[] = {1.0f,
                                             1.6764358100999057502f,
                                             1.2055230626713276244f,
                                             0.4713922544335933602f,
                                             0.10247447668136010315f,
                                             0.010409634496305287981f};
static const double TAIL_END_f64 = 39;
static const double TAIL_NUMERATOR_f64[] = {
    0.50000000000000000046,    0.82793321740743932647,   0.67962313473652886493,  0.35735643462018694432,
    0.13205215412573594227,    0.035669926899073839857,  0.00712340920080100584,  0.0010398097784815883621,
    0.00010658410570324965592, 6.9768359004816909758e-6, 2.2421555407364781439e-7};
static const double TAIL_DENOMINATOR_f64[] = {1.0,
                                              2.4537509956177442201,
                                              2.8170563049311073023,
                                              2.0014846243161374245,
                                              0.98013318136389602182,
                                              0.34833268172532430294,
                                              0.091982687534428257208,
                                              0.018121781588343794435,
                                              0.0026239049253197800996,
                                              0.00026772875802630978018,
                                              0.00001748833413563791885,
                                              5.6202504745293307501e-7};

/* erf(x) / x in x^2 on |x| <= 1/2: 2^-29.5 and 2^-57.8. */
static const float ERF_POLYNOMIAL_f32[] = {0x1.20dd74p+0f, -0x1.812732p-2f, 0x1.ce24f8p-4f, -0x1.b663c4p-6f,
                                           0x1.3532bep-8f};
static const double ERF_POLYNOMIAL_f64[] = {0x1.20dd750429b6dp+0,  -0x1.812746b0379b3p-2,  0x1.ce2f21a03d691p-4,
                                            -0x1.b82ce30f1f159p-6, 0x1.565bcbf5eb4f0p-8,   -0x1.c02d4ea4eb65ep-11,
                                            0x1.f98d959e6144ap-14, -0x1.f2229823c3e3ep-17, 0x1.8b392a5df9bc6p-20};

/* pi / 2 in four parts; all but the last have so few bits that their products with MOST_QUARTERS, or less, are exact. */
static const float MOST_QUARTERS_f32 = 0x1p13f,
                   QUARTER_f32[] = {0x1.92p+0f, 0x1.fb4p-12f, 0x1.444p-24f, 0x1.68c234p-39f};
static const double MOST_QUARTERS_f64 = 0x1p20,
                    QUARTER_f64[] = {0x1.921fb544p+0, 0x1.0b4611a6p-34, 0x1.3198a2ep-69, 0x1.b839a252049c1p-104};
