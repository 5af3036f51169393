"""The C functions that exported networks are made of: C99 that C++ takes, too.

In them `real` is the network's number, `weight` what its parameters are stored as, VALUE(w) a stored parameter as a
number, MATH(f) the function f of <math.h> for `real`, and FUSED(a, b, c) a b + c. A function's text names the functions
that it calls.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

# Elementwise activations by their native names: g(z) with the parameters p, q, r, as src/simd/kinds.h has them.
ACTIVATIONS = {
    "relu": "z > r ? (z < q ? z : q) : (p == 0 ? 0 : p * (z - r))",
    "sigmoid": "logistic(z)",
    "tanh": "MATH(tanh)(z)",
    "elu": "z > 0 ? z : p * MATH(expm1)(z)",
    "selu": "z > 0 ? (real)1.0507009873554805 * z : (real)1.7580993408473766 * MATH(expm1)(z)",
    "celu": "z > 0 ? z : p * MATH(expm1)(z / p)",
    "softplus": "soft_maximum(z)",
    "softsign": "z / (1 + MATH(fabs)(z))",
    "silu": "z * logistic(z)",
    "gelu": "z * ((real)0.5 * MATH(erfc)((real)-0.70710678118654752 * z))",
    "gelu_tanh": "z * logistic((real)1.5957691216057307 * z * (1 + (real)0.044715 * z * z))",
    "mish": "z * MATH(tanh)(soft_maximum(z))",
    "exponential": "MATH(exp)(z)",
    "log_sigmoid": "-soft_maximum(-z)",
    "hard_sigmoid": "clipped(z + 3, 0, 6) / 6",
    "hard_silu": "z * (clipped(z + 3, 0, 6) / 6)",
    "hard_tanh": "clipped(z, -1, 1)",
    "squareplus": "z < 0 ? p / (2 * (MATH(sqrt)(z * z + p) - z)) : (z + MATH(sqrt)(z * z + p)) / 2",
    "soft_shrink": "z > p ? z - p : (z < -p ? z + p : 0)",
    "hard_shrink": "MATH(fabs)(z) <= p ? 0 : z",
    "tanh_shrink": "z - MATH(tanh)(z)",
    "threshold": "z > p ? z : q",
    "sparse_plus": "z <= -1 ? 0 : (z >= 1 ? z : (z + 1) * (z + 1) / 4)",
    "sparse_sigmoid": "clipped((z + 1) / 2, 0, 1)",
}

_ELEMENTWISE = """\
static void {name}_each(real *a, const real *z, size_t n, real p, real q, real r)
{{
    size_t i;
    (void)p, (void)q, (void)r;
    for (i = 0; i < n; i++)
        a[i] = {name}_of(z[i], p, q, r);
}}
"""

_FORMULA = """\
static real {name}_of(real z, real p, real q, real r)
{{
    (void)p, (void)q, (void)r;
    return {formula};
}}
"""

_FUNCTIONS = {
    "half_precision": """\
/* The number that 16 bits of IEEE 754 stand for. */
static real half_precision(unsigned short bits)
{
    const int exponent = bits >> 10 & 31, fraction = bits & 1023;
    const real size = exponent ? MATH(ldexp)((real)(fraction + 1024), exponent - 25)
                               : MATH(ldexp)((real)fraction, -24);
    return bits >> 15 ? -size : size;
}
""",
    "clipped": """\
static real clipped(real z, real low, real high) { return z < low ? low : (z > high ? high : z); }
""",
    "logistic": """\
/* 1 / (1 + exp(-z)) */
static real logistic(real z)
{
    const real e = MATH(exp)(z < 40 ? z : (real)40);
    return e / (1 + e);
}
""",
    "soft_maximum": """\
/* log(1 + exp(z)) */
static real soft_maximum(real z) { return (z > 0 ? z : 0) + MATH(log1p)(MATH(exp)(-MATH(fabs)(z))); }
""",
    "softmax": """\
static void softmax(real *a, const real *z, size_t n_rows, size_t width)
{
    size_t i;
    for (; n_rows > 0; n_rows--, a += width, z += width) {
        real top = z[0];
        double total = 0;
        for (i = 1; i < width; i++)
            top = z[i] > top ? z[i] : top;
        for (i = 0; i < width; i++)
            total += a[i] = MATH(exp)(z[i] - top);
        for (i = 0; i < width; i++)
            a[i] = (real)(a[i] / total);
    }
}
""",
    "log_softmax": """\
static void log_softmax(real *a, const real *z, size_t n_rows, size_t width)
{
    size_t i;
    for (; n_rows > 0; n_rows--, a += width, z += width) {
        real top = z[0], log_sum;
        double total = 0;
        for (i = 1; i < width; i++)
            top = z[i] > top ? z[i] : top;
        for (i = 0; i < width; i++)
            total += MATH(exp)(z[i] - top);
        log_sum = (real)log(total);
        for (i = 0; i < width; i++)
            a[i] = z[i] - top - log_sum;
    }
}
""",
    "glu": """\
/* The first half of a row times the sigmoid of its second half; width is that of z. */
static void glu(real *a, const real *z, size_t n_rows, size_t width)
{
    const size_t half = width / 2;
    size_t i;
    for (; n_rows > 0; n_rows--, a += half, z += width)
        for (i = 0; i < half; i++)
            a[i] = z[i] * logistic(z[half + i]);
}
""",
    "sparsemax": """\
/* max(z - tau, 0), with tau such that a row sums to 1, by Newton's iteration. */
static void sparsemax(real *a, const real *z, size_t n_rows, size_t width)
{
    for (; n_rows > 0; n_rows--, a += width, z += width) {
        double top = z[0], tau = -1, before;
        size_t i;
        for (i = 1; i < width; i++)
            top = z[i] > top ? z[i] : top;
        do {
            double total = -1;
            size_t count = 0;
            before = tau;
            for (i = 0; i < width; i++)
                if (z[i] - top > before) {
                    total += z[i] - top;
                    count++;
                }
            tau = total / (double)count;
        } while (tau > before);
        for (i = 0; i < width; i++)
            a[i] = z[i] - top > tau ? (real)(z[i] - top - tau) : 0;
    }
}
""",
    "members": """\
/* y (n_members, n_out) = ((x * r) . w) * q + b; a step of 0 gives all members the same x, or the same w. */
static void members(real *y, const real *x, const weight *w, const weight *b, const weight *r, const weight *q,
                    size_t n_members, size_t n_in, size_t n_out, size_t x_step, size_t w_step)
{
    size_t m, i, c;
    for (m = 0; m < n_members; m++, x += x_step, w += w_step, y += n_out) {
        for (c = 0; c < n_out; c++)
            y[c] = 0;
        for (i = 0; i < n_in; i++) {
            const real scaled = r ? x[i] * VALUE(r[m * n_in + i]) : x[i];
            for (c = 0; c < n_out; c++)
                y[c] = FUSED(scaled, VALUE(w[i * n_out + c]), y[c]);
        }
        for (c = 0; q && c < n_out; c++)
            y[c] *= VALUE(q[m * n_out + c]);
        for (c = 0; b && c < n_out; c++)
            y[c] += VALUE(b[m * n_out + c]);
    }
}
""",
    "dense": """\
/* y (n_out) = x (n_in) . w (n_in, n_out) + b, row by row; sums go along the inputs, several of them at a time. */
static void dense(real *y, const real *x, const weight *w, const weight *b, size_t n_rows, size_t n_in, size_t n_out)
{
    enum { TOGETHER = 16 };
    const size_t whole = n_out - n_out % TOGETHER;
    size_t i, j, c;
    for (; n_rows > 0; n_rows--, x += n_in, y += n_out) {
        for (j = 0; j < whole; j += TOGETHER) {
            real sums[TOGETHER] = {0};
            for (i = 0; i < n_in; i++)
                for (c = 0; c < TOGETHER; c++)
                    sums[c] = FUSED(x[i], VALUE(w[i * n_out + j + c]), sums[c]);
            for (c = 0; c < TOGETHER; c++)
                y[j + c] = sums[c];
        }
        for (c = whole; c < n_out; c++)
            y[c] = 0;
        for (i = 0; i < n_in; i++)
            for (c = whole; c < n_out; c++)
                y[c] = FUSED(x[i], VALUE(w[i * n_out + c]), y[c]);
        for (c = 0; b && c < n_out; c++)
            y[c] += VALUE(b[c]);
    }
}
""",
    "prelu": """\
/* x above 0, else slope x; steps tell how far apart the slopes of neighbouring rows and columns are. */
static void prelu(real *y, const real *x, const weight *slopes, size_t n_rows, size_t width, size_t row_step,
                  size_t col_step)
{
    size_t i;
    for (; n_rows > 0; n_rows--, x += width, y += width, slopes += row_step)
        for (i = 0; i < width; i++)
            y[i] = x[i] > 0 ? x[i] : (x[i] < 0 ? VALUE(slopes[i * col_step]) * x[i] : 0);
}
""",
    "permute": """\
/* x with its axes in another order: axis i of y is axis order[i] of x. */
static void permute(real *y, const real *x, size_t rank, const size_t *shape, const size_t *order)
{
    size_t size = 1, at, axis, of_x;
    for (axis = 0; axis < rank; axis++)
        size *= shape[axis];
    for (at = 0; at < size; at++) {
        size_t rest = at, step = size, place = 0;
        for (axis = 0; axis < rank; axis++) {
            size_t stride = 1;
            step /= shape[order[axis]];
            for (of_x = order[axis] + 1; of_x < rank; of_x++)
                stride *= shape[of_x];
            place += rest / step * stride;
            rest %= step;
        }
        y[at] = x[place];
    }
}
""",
    "scale_columns": """\
/* (x - before) factor + after, column by column; step 0 has one number for all columns. */
static void scale_columns(real *y, const real *x, const double *before, const double *factor, const double *after,
                          size_t n_rows, size_t width, size_t before_step, size_t factor_step, size_t after_step)
{
    size_t i;
    for (; n_rows > 0; n_rows--, x += width, y += width)
        for (i = 0; i < width; i++)
            y[i] = (real)((x[i] - before[i * before_step]) * factor[i * factor_step] + after[i * after_step]);
}
""",
    "normalize_rows": """\
/* gamma (x - mean) / s + beta of a row: s^2 = variance + epsilon; without a mean, mean square + epsilon. */
static void normalize_rows(real *y, const real *x, const weight *gamma, const weight *beta, size_t n_rows,
                           size_t width, int has_mean, double epsilon)
{
    size_t i;
    for (; n_rows > 0; n_rows--, x += width, y += width) {
        double mean = 0, squares = 0;
        for (i = 0; has_mean && i < width; i++)
            mean += x[i];
        mean /= (double)width;
        for (i = 0; i < width; i++)
            squares += (x[i] - mean) * (x[i] - mean);
        squares = 1 / sqrt(squares / (double)width + epsilon);
        for (i = 0; i < width; i++)
            y[i] = (real)((x[i] - mean) * squares * (gamma ? VALUE(gamma[i]) : 1) + (beta ? VALUE(beta[i]) : 0));
    }
}
""",
    "unit_rows": """\
/* x / |x| of a row, the norm not below epsilon */
static void unit_rows(real *y, const real *x, size_t n_rows, size_t width, double epsilon)
{
    size_t i;
    for (; n_rows > 0; n_rows--, x += width, y += width) {
        double squares = 0;
        for (i = 0; i < width; i++)
            squares += (double)x[i] * x[i];
        squares = sqrt(squares) > epsilon ? sqrt(squares) : epsilon;
        for (i = 0; i < width; i++)
            y[i] = (real)(x[i] / squares);
    }
}
""",
    "place_rows": """\
/* Copies rows into wider ones. */
static void place_rows(real *y, const real *x, size_t n_rows, size_t width, size_t y_width)
{
    size_t i;
    for (; n_rows > 0; n_rows--, x += width, y += y_width)
        for (i = 0; i < width; i++)
            y[i] = x[i];
}
""",
    "row_products": """\
/* y[i][j] = u[i] . v[j] for the rows of u and v */
static void row_products(real *y, const real *u, const real *v, size_t n_u, size_t n_v, size_t width)
{
    size_t i, j, c;
    for (i = 0; i < n_u; i++)
        for (j = 0; j < n_v; j++) {
            double total = 0;
            for (c = 0; c < width; c++)
                total += (double)u[i * width + c] * v[j * width + c];
            y[i * n_v + j] = (real)total;
        }
}
""",
    "blend": """\
/* y = x + alpha (y - x) */
static void blend(real *y, const real *x, const weight *alpha, size_t n_rows, size_t width)
{
    size_t i;
    for (; n_rows > 0; n_rows--, x += width, y += width)
        for (i = 0; i < width; i++)
            y[i] = x[i] + VALUE(alpha[i]) * (y[i] - x[i]);
}
""",
    "periodic": """\
/* y[i] (n_out + 1) = [cos(2 pi w[i] x[i] + b[i]) . v[i] + c[i], x[i]] for every feature i */
static void periodic(real *y, const real *x, const weight *w, const weight *b, const weight *v, const weight *c,
                     size_t n_rows, size_t n_features, size_t n_waves, size_t n_out)
{
    size_t i, p, k;
    for (; n_rows > 0; n_rows--, x += n_features)
        for (i = 0; i < n_features; i++, y += n_out + 1) {
            for (k = 0; k < n_out; k++)
                y[k] = 0;
            for (p = 0; p < n_waves; p++) {
                const size_t at = i * n_waves + p;
                const real turns = x[i] * VALUE(w[at]) + VALUE(b[at]) * (real)0.15915494309189535;
                const real wave = MATH(cos)((real)6.2831853071795865 * (turns - MATH(floor)(turns + (real)0.5)));
                for (k = 0; k < n_out; k++)
                    y[k] += wave * VALUE(v[at * n_out + k]);
            }
            for (k = 0; k < n_out; k++)
                y[k] += VALUE(c[i * n_out + k]);
            y[n_out] = x[i];
        }
}
""",
    "nearness": """\
/* y[k] = -sum of a[i] |x[i] - c[i, k]| */
static void nearness(real *y, const real *x, const weight *c, const weight *a, size_t n_rows, size_t n_features,
                     size_t n_centers)
{
    size_t i, k;
    for (; n_rows > 0; n_rows--, x += n_features, y += n_centers)
        for (k = 0; k < n_centers; k++) {
            y[k] = 0;
            for (i = 0; i < n_features; i++)
                y[k] -= VALUE(a[i]) * MATH(fabs)(x[i] - VALUE(c[i * n_centers + k]));
        }
}
""",
    "embedding": """\
/* y[i] = table[x[i]]; returns how many numbers are none of 0 .. n_entries - 1: their rows are 0. */
static int embedding(real *y, const real *x, const weight *table, size_t n, size_t n_entries, size_t width)
{
    int outside = 0;
    size_t c;
    for (; n > 0; n--, x++, y += width) {
        const int is_inside = *x >= 0 && *x < (real)n_entries;
        const weight *row = table + (is_inside ? (size_t)*x : 0) * width;
        for (c = 0; c < width; c++)
            y[c] = is_inside ? VALUE(row[c]) : 0;
        outside += !is_inside;
    }
    return outside;
}
""",
    "encode": """\
/* y[t] = 1 if t is among `together` numbers, or how often it is; returns how many numbers are outside. */
static int encode(real *y, const real *x, size_t n, size_t together, size_t n_tokens, int counts)
{
    int outside = 0;
    size_t i, c;
    for (i = 0; i < n; i++) {
        const int is_inside = x[i] >= 0 && x[i] < (real)n_tokens;
        for (c = 0; i % together == 0 && c < n_tokens; c++)
            y[c] = 0;
        if (is_inside)
            y[(size_t)x[i]] = counts ? y[(size_t)x[i]] + 1 : 1;
        outside += !is_inside;
        if (i % together == together - 1)
            y += n_tokens;
    }
    return outside;
}
""",
    "discretize": """\
/* y = number of boundaries that are not above x */
static void discretize(real *y, const real *x, const weight *boundaries, size_t n, size_t n_boundaries)
{
    size_t i, below;
    for (i = 0; i < n; i++) {
        for (below = 0; below < n_boundaries && VALUE(boundaries[below]) <= x[i]; below++) {
        }
        y[i] = (real)below;
    }
}
""",
}

# Of tables.
_FUNCTIONS.update(
    {
        "scaled": """\
/* (value - center) factor, bent into -3 .. 3; 0 for NAN */
static real scaled(double value, double center, double factor)
{
    double z = (value - center) * factor;
    if (isnan(z))
        return 0;
    z = z > 1e100 ? 1e100 : (z < -1e100 ? -1e100 : z);
    return (real)(z / sqrt(1 + z / 3 * (z / 3)));
}
""",
        "share": """\
/* How far a value is from the lower edge of a bin to its upper one, 0 to 1 */
static double share(double value, double low, double width)
{
    const double z = (value - low) / width;
    return z < 0 ? 0 : (z > 1 ? 1 : z);
}
""",
        "angle": """\
/* The place of a moment in a period of so many seconds */
static double angle(double seconds, double period)
{
    const double rest = fmod(seconds, period);
    return 6.283185307179586 / period * (rest < 0 ? rest + period : rest);
}
""",
        "level": """\
/* The number of a text in an ascending list; -1 if it is not there */
static int level(const char *text, const char *const *levels, int n_levels)
{
    int low = 0, high = n_levels;
    while (text && low < high) {
        const int middle = low + (high - low) / 2, order = strcmp(levels[middle], text);
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}
""",
        "add_mean": """\
/* Add a share of the mean of the members' outputs, each between its bounds where there are any */
static void add_mean(double *total, const real *outputs, size_t n_members, size_t n_out, double share,
                     const double *lowest, const double *highest)
{
    size_t i, member;
    for (i = 0; i < n_out; i++) {
        double sum = 0;
        for (member = 0; member < n_members; member++) {
            const double output = outputs[member * n_out + i];
            sum += !lowest ? output : output < lowest[i] ? lowest[i] : (output > highest[i] ? highest[i] : output);
        }
        total[i] += share * (sum / (double)n_members);
    }
}
""",
        "normalize": """\
static void normalize(double *probabilities, size_t n)
{
    double total = 0;
    size_t i;
    for (i = 0; i < n; i++)
        total += probabilities[i];
    for (i = 0; i < n; i++)
        probabilities[i] /= total;
}
""",
        "temper": """\
/* Probabilities to the power of 1 / temperature, none less than smallest before */
static void temper(double *probabilities, size_t n, double temperature, double smallest)
{
    size_t i;
    for (i = 0; i < n; i++)
        probabilities[i] = pow(probabilities[i] > smallest ? probabilities[i] : smallest, 1 / temperature);
}
""",
        "restore": """\
/* What was standardised, on the targets' scale */
static void restore(double *answer, size_t n, const double *spread, const double *mean)
{
    size_t i;
    for (i = 0; i < n; i++)
        answer[i] = answer[i] * spread[i] + mean[i];
}
""",
        "exponentiate": """\
/* The targets of which these are the logarithms, within their range */
static void exponentiate(double *answer, size_t n, double sign, double anchor, double unit, double low, double high)
{
    size_t i;
    for (i = 0; i < n; i++) {
        const double target = anchor + sign * unit * (exp(sign * answer[i]) - 1);
        answer[i] = target < low ? low : (target > high ? high : target);
    }
}
""",
        "sort": """\
static void sort(double *numbers, size_t n)
{
    size_t i, at;
    for (i = 1; i < n; i++)
        for (at = i; at > 0 && numbers[at - 1] > numbers[at]; at--) {
            const double larger = numbers[at - 1];
            numbers[at - 1] = numbers[at];
            numbers[at] = larger;
        }
}
""",
    }
)

_COMBINED = {
    "add": "y[i] + x[at]",
    "average": "y[i] + x[at]",
    "subtract": "y[i] - x[at]",
    "multiply": "y[i] * x[at]",
    "maximum": "x[at] > y[i] ? x[at] : y[i]",
    "minimum": "x[at] < y[i] ? x[at] : y[i]",
}
_COMBINE = """\
static void {name}_into(real *y, const real *x, size_t n_rows, size_t width, size_t row_step, size_t col_step)
{{
    size_t r, i;
    for (r = 0; r < n_rows; r++, y += width)
        for (i = 0; i < width; i++) {{
            const size_t at = r * row_step + i * col_step;
            y[i] = {formula};
        }}
}}
"""
_FUNCTIONS.update({f"{name}_into": _COMBINE.format(name=name, formula=each) for name, each in _COMBINED.items()})
_FUNCTIONS["copy_into"] = _COMBINE.format(name="copy", formula="x[at]")
_FUNCTIONS["divide_each"] = """\
static void divide_each(real *y, size_t n, real by)
{
    for (; n > 0; n--)
        *y++ /= by;
}
"""
for _name, _formula in ACTIVATIONS.items():
    _FUNCTIONS[f"{_name}_of"] = _FORMULA.format(name=_name, formula=_formula)
    _FUNCTIONS[f"{_name}_each"] = _ELEMENTWISE.format(name=_name)


def define(functions: Mapping[str, str]) -> None:
    """Add functions by their names."""
    _FUNCTIONS.update(functions)


def functions_for(code: str) -> str:
    """Return the functions that C code calls, and those that these call, each before its callers.

    Examples
    --------
    >>> functions_for("hard_tanh_each(a, z, 3, 0, 0, 0);").count("static")
    3
    >>> functions_for("")
    ''
    """
    needed: list[str] = []
    _collect(_called(code), needed)
    return "\n".join(_FUNCTIONS[name] for name in needed)


def _called(code: str) -> Iterable[str]:
    return (name for name in dict.fromkeys(re.findall(r"\b([a-z]\w*)\(", code)) if name in _FUNCTIONS)


def _collect(names: Iterable[str], needed: list[str]) -> None:
    for name in names:
        if name not in needed:
            body = _FUNCTIONS[name].partition("{\n" if "\n{" in _FUNCTIONS[name] else "{")[2]
            _collect((each for each in _called(body) if each != name), needed)
            needed.append(name)
