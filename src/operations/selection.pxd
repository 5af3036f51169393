# Elements of a sample picked by number: by numbers that stand in the plan, or by those that a buffer holds; and one of
# two buffers picked by the run's mode. Floor 1.

from libc.string cimport memcpy

from embedding cimport report_out_of_range, row_number
from plan cimport Buffer, Operation, Sizes, Step, is_training, most_elements
from rows cimport copy_rows, put_rows
from simd cimport add_scaled, real
from step cimport cleared_delta_of, delta_of, input_of, input_row, same_shape, value_of

# By numbers of the plan.

cdef struct Run:
    # Elements that stand side by side in the input and in the output, within a row of either. Their numbers count the
    # elements of a sample, and from the time when the plan is built their places in memory.
    Py_ssize_t y
    Py_ssize_t x
    Py_ssize_t length

cdef enum:
    RUN_NUMBERS = 3


cdef inline bint run_fits(Py_ssize_t first, Py_ssize_t length, const Buffer *buffer) noexcept nogil:
    return 0 <= first < buffer.rows * buffer.width and 0 < length <= buffer.width - first % buffer.width


cdef inline bint selection_fits(const Sizes *s) noexcept nogil:
    cdef const Run *runs = <const Run *> s.operation.numbers
    cdef Py_ssize_t i
    for i in range(s.operation.n_numbers // RUN_NUMBERS):
        if not (run_fits(runs[i].y, runs[i].length, s.output) and run_fits(runs[i].x, runs[i].length, s.input)):
            return False
    return s.operation.n_numbers % RUN_NUMBERS == 0


cdef inline Py_ssize_t place_of(const Buffer *buffer, Py_ssize_t row, Py_ssize_t element) noexcept nogil:
    """Where an element of a sample stands in memory whose rows are `row` elements apart."""
    return element // buffer.width * row + element % buffer.width


cdef inline void selection_needs(const Sizes *s, Operation *operation) noexcept nogil:
    """No memory: it puts places for the numbers of elements, which saves every run two divisions a sample"""
    cdef Run *runs = <Run *> operation.numbers
    cdef Py_ssize_t i
    for i in range(operation.n_numbers // RUN_NUMBERS):
        runs[i].y = place_of(s.output, s.output.stride, runs[i].y)
        runs[i].x = place_of(s.input, s.input.stride, runs[i].x)


cdef inline Py_ssize_t place_in_use(const Step *s, Py_ssize_t x) noexcept nogil:
    """Where the input's place is now: the network's own inputs are read where they stand, without gaps."""
    if s.x_row == s.input.stride:
        return x
    return x // s.input.stride * s.x_row + x % s.input.stride


cdef inline void selection_forward(const Step *s, real **tensors) noexcept nogil:
    """y[i] = x[numbers[i]] for the elements of each sample"""
    cdef const Run *runs = <const Run *> s.operation.numbers
    cdef Py_ssize_t n_runs = s.operation.n_numbers // RUN_NUMBERS, sample, i
    cdef const real *x
    cdef real *y
    for sample in range(s.workspace.n):
        x = <const real *> s.x + sample * s.input.rows * s.x_row
        y = <real *> s.y + sample * s.output.rows * s.y_row
        for i in range(n_runs):
            if runs[i].length == 1:
                y[runs[i].y] = x[place_in_use(s, runs[i].x)]
            else:
                memcpy(y + runs[i].y, x + place_in_use(s, runs[i].x), runs[i].length * sizeof(real))


cdef inline void selection_backward(const Step *s, real **tensors, real **gradients) noexcept nogil:
    """dx[numbers[i]] (+)= dy[i]"""
    cdef const Run *runs = <const Run *> s.operation.numbers
    cdef Py_ssize_t n_runs = s.operation.n_numbers // RUN_NUMBERS, sample, i
    cdef real *first = cleared_delta_of(s, 0, tensors)
    cdef const real *dy
    cdef real *dx
    for sample in range(s.workspace.n if first != NULL else 0):
        dx = first + sample * s.input.rows * s.x_row
        dy = <const real *> s.dy + sample * s.output.rows * s.y_row
        for i in range(n_runs):
            if runs[i].length == 1:
                dx[place_in_use(s, runs[i].x)] += dy[runs[i].y]
            else:
                add_scaled(dx + place_in_use(s, runs[i].x), dy + runs[i].y, runs[i].length, <real> 1)


# By numbers of a buffer, the second input. A sample of the first is (outer, size, inner), the output (outer, count,
# inner); the numbers are `count` ones for all, or one for every element of the output.

cdef enum:
    OUTER
    SIZE
    INNER
    COUNT
    EACH_HAS_ITS_OWN


cdef inline bint product_fits(Py_ssize_t outer, Py_ssize_t size, Py_ssize_t inner, const Buffer *buffer) noexcept nogil:
    """Whether a sample has outer * size * inner elements, none of which is negative."""
    return (0 <= outer and 0 <= size and 0 <= inner and outer <= most_elements() and size <= most_elements()
            and inner <= most_elements() and <double> outer * size * inner == <double> (buffer.rows * buffer.width))


cdef inline bint gathering_fits(const Sizes *s) noexcept nogil:
    cdef const Py_ssize_t *sizes = &s.operation.integers[0]
    cdef const Buffer *numbers
    cdef Py_ssize_t n_numbers
    if s.operation.n_inputs != 2:
        return False
    numbers = &s.plan.buffers[s.operation.inputs[1]]
    n_numbers = numbers.rows * numbers.width
    return (product_fits(sizes[OUTER], sizes[SIZE], sizes[INNER], s.input)
            and product_fits(sizes[OUTER], sizes[COUNT], sizes[INNER], s.output)
            and n_numbers == (s.output.rows * s.output.width if sizes[EACH_HAS_ITS_OWN] else sizes[COUNT]))


cdef inline Py_ssize_t gathered_element(const Step *s, Py_ssize_t sample, Py_ssize_t element,
                                        real **typed) noexcept nogil:
    """The element of the input that an element of the output is; -1 if its number is none. Negative ones count from
    the end."""
    cdef const Py_ssize_t *sizes = &s.operation.integers[0]
    cdef Py_ssize_t inner = element % sizes[INNER], rest = element // sizes[INNER]
    cdef Py_ssize_t outer = rest // sizes[COUNT], place = rest % sizes[COUNT], number
    cdef const Buffer *numbers = input_of(s, 1)
    cdef real found = (value_of(s, 1, typed) + sample * numbers.rows * input_row(s, 1))[
        place_of(numbers, input_row(s, 1), element if sizes[EACH_HAS_ITS_OWN] else place)]
    number = row_number(found + sizes[SIZE] if found < 0 else found, sizes[SIZE])
    return (outer * sizes[SIZE] + number) * sizes[INNER] + inner if number >= 0 else -1


cdef inline void gathering_forward(const Step *s, real **tensors) noexcept nogil:
    """y[o, j, i] = x[o, numbers[j], i], or x[o, numbers[o, j, i], i]"""
    cdef Py_ssize_t sample, element, found
    cdef const real *x
    cdef real *y
    for sample in range(s.workspace.n):
        x = <const real *> s.x + sample * s.input.rows * s.x_row
        y = <real *> s.y + sample * s.output.rows * s.y_row
        for element in range(s.output.rows * s.output.width):
            found = gathered_element(s, sample, element, tensors)
            y[place_of(s.output, s.y_row, element)] = x[place_of(s.input, s.x_row, found)] if found >= 0 else 0
            if found < 0:
                report_out_of_range(s)


cdef inline void gathering_backward(const Step *s, real **tensors, real **gradients) noexcept nogil:
    """dx[o, numbers[j], i] (+)= dy[o, j, i]; the numbers have no derivative"""
    cdef real *first = cleared_delta_of(s, 0, tensors)
    cdef Py_ssize_t sample, element, found
    cdef const real *dy
    cdef real *dx
    cleared_delta_of(s, 1, tensors)
    for sample in range(s.workspace.n if first != NULL else 0):
        dx = first + sample * s.input.rows * s.x_row
        dy = <const real *> s.dy + sample * s.output.rows * s.y_row
        for element in range(s.output.rows * s.output.width):
            found = gathered_element(s, sample, element, tensors)
            if found >= 0:
                dx[place_of(s.input, s.x_row, found)] += dy[place_of(s.output, s.y_row, element)]


# By the run's mode: the first input in training, the second otherwise.

cdef inline bint choice_fits(const Sizes *s) noexcept nogil:
    cdef const Buffer *other
    if s.operation.n_inputs != 2:
        return False
    other = &s.plan.buffers[s.operation.inputs[1]]
    return same_shape(s) and other.rows == s.input.rows and other.width == s.input.width


cdef inline int chosen_input(const Step *s) noexcept nogil:
    return 0 if is_training(s.workspace) else 1


cdef inline void choice_forward(const Step *s, real **tensors) noexcept nogil:
    """y = the first input in training, else the second"""
    copy_rows(<real *> s.y, <const real *> value_of(s, chosen_input(s), tensors), s.n_rows, s.output.width, s.y_row,
              input_row(s, chosen_input(s)))


cdef inline void choice_backward(const Step *s, real **tensors, real **gradients) noexcept nogil:
    """dx (+)= dy of the one that was chosen; the other gets nothing"""
    cdef int chosen = chosen_input(s)
    cdef real *dx = delta_of(s, chosen, tensors)
    if dx != NULL:
        put_rows(dx, <const real *> s.dy, s.n_rows, s.output.width, input_row(s, chosen), s.y_row,
                 s.workspace.delta_written[s.operation.inputs[chosen]])
        s.workspace.delta_written[s.operation.inputs[chosen]] = True
    cleared_delta_of(s, 1 - chosen, tensors)
