# Rows in an order: running sums and products along them, and the numbers of their elements from the smallest to the
# largest or from the largest to the smallest. Floor 1.

from plan cimport Operation, Sizes, Step
from rows cimport put_rows
from simd cimport real
from step cimport same_shape

# Running sums and products.

cdef enum:
    PRODUCTS = 0  # integers: whether elements are multiplied rather than added


cdef inline bint scan_fits(const Sizes *s) noexcept nogil:
    return same_shape(s)


cdef inline void scan_forward(const Step *s, real **tensors) noexcept nogil:
    """y[c] = x[0] + ... + x[c], or the product"""
    cdef const real *x
    cdef real *y
    cdef Py_ssize_t r, c
    cdef double total
    for r in range(s.n_rows):
        x, y = <const real *> s.x + r * s.x_row, <real *> s.y + r * s.y_row
        total = 1 if s.operation.integers[PRODUCTS] else 0
        for c in range(s.input.width):
            total = total * x[c] if s.operation.integers[PRODUCTS] else total + x[c]
            y[c] = <real> total


cdef inline void scan_row_backward(real *dx, const real *dy, const real *x, const real *y, Py_ssize_t n, bint products,
                                   bint add) noexcept nogil:
    """dx[c] (+)= tail[c] = dy[c] + tail[c + 1]; of products, dx[c] (+)= y[c - 1] tail[c] with
    tail[c] = dy[c] + x[c + 1] tail[c + 1], which divides by nothing"""
    cdef double tail = 0
    cdef Py_ssize_t c
    for c in range(n - 1, -1, -1):
        if products and c + 1 < n:
            tail *= x[c + 1]
        tail += dy[c]
        dx[c] = <real> (tail * y[c - 1] if products and c > 0 else tail) + (dx[c] if add else 0)


cdef inline void scan_backward(const Step *s, real **tensors, real **gradients) noexcept nogil:
    """The derivatives of `scan_forward`, row by row."""
    cdef Py_ssize_t r
    for r in range(s.n_rows if s.dx != NULL else 0):
        scan_row_backward(<real *> s.dx + r * s.x_row, <const real *> s.dy + r * s.y_row,
                          <const real *> s.x + r * s.x_row, <const real *> s.y + r * s.y_row, s.input.width,
                          s.operation.integers[PRODUCTS] != 0, s.adds_dx)


# Numbers of the elements, sorted.

cdef enum:
    DESCENDING = 0  # integers


cdef inline bint sort_fits(const Sizes *s) noexcept nogil:
    """The output has the first numbers of every row"""
    return s.input.rows == s.output.rows and s.output.width <= s.input.width


cdef inline void sort_needs(const Sizes *s, Operation *operation) noexcept nogil:
    """The numbers of a row's elements, twice"""
    operation.fixed_scratch = 2 * s.input.width * <Py_ssize_t> sizeof(Py_ssize_t) // s.element_size


cdef inline bint comes_first(real a, real b, bint descending) noexcept nogil:
    """Whether a stands before b; NaN is larger than every number."""
    if descending:
        return a > b or a != a and b == b
    return a < b or b != b and a == a


cdef inline void merge_runs(Py_ssize_t *merged, const Py_ssize_t *numbers, const real *x, Py_ssize_t first,
                            Py_ssize_t middle, Py_ssize_t last, bint descending) noexcept nogil:
    """Two sorted runs of numbers into one; equals keep their order."""
    cdef Py_ssize_t left = first, right = middle, i
    for i in range(first, last):
        if left < middle and (right >= last or not comes_first(x[numbers[right]], x[numbers[left]], descending)):
            merged[i] = numbers[left]
            left += 1
        else:
            merged[i] = numbers[right]
            right += 1


cdef inline Py_ssize_t *sorted_numbers(Py_ssize_t *numbers, Py_ssize_t *spare, const real *x, Py_ssize_t n,
                                       bint descending) noexcept nogil:
    """The numbers 0 .. n - 1 in the order of x (n): runs of 1, 2, 4, ... are merged from one memory to the other."""
    cdef Py_ssize_t length = 1, first, i
    for i in range(n):
        numbers[i] = i
    while length < n:
        first = 0
        while first < n:
            merge_runs(spare, numbers, x, first, min(first + length, n), min(first + 2 * length, n), descending)
            first += 2 * length
        numbers, spare = spare, numbers
        length *= 2
    return numbers


cdef inline void sort_forward(const Step *s, real **tensors) noexcept nogil:
    """y[k] = the number of the k-th element of x in order"""
    cdef Py_ssize_t *memory = <Py_ssize_t *> s.scratch
    cdef const Py_ssize_t *numbers
    cdef Py_ssize_t r, k
    for r in range(s.n_rows):
        numbers = sorted_numbers(memory, memory + s.input.width, <const real *> s.x + r * s.x_row, s.input.width,
                                 s.operation.integers[DESCENDING] != 0)
        for k in range(s.output.width):
            (<real *> s.y)[r * s.y_row + k] = <real> numbers[k]
