# Steps of the rules that look at a whole tensor: its norm, its rows and columns, or the matrix itself. Floor 1.
# The sweep of such a rule (optimizers.template.c) keeps the state and leaves a direction where the gradient was; here
# it becomes a step. One thread has a tensor, or products of matrices are shared out: the bits are those of one thread.

from libc.math cimport pow, sqrt
from libc.stdint cimport int64_t

from blocks cimport Product, begin_plain
from matmul cimport multiply
from optimizer cimport Optimizer, ParameterGroup, TensorRange, scalars_of, slots_at
from simd cimport (MAX_SLOTS, RULE_ADAFACTOR, RULE_ADAM, RULE_LAMB, RULE_MUON, add_scaled, hyperparameters,
                   optimizer_step, real, scale_by, step_scalars, sum_of_squares)
from threads cimport pool_run

ctypedef struct TensorSteps:
    # One step of all tensors, which threads share.
    const Optimizer *optimizer
    void *w
    void *g
    double learning_rate
    int64_t t


cdef inline Py_ssize_t scratch_length(const Optimizer *optimizer) noexcept nogil:
    """How many numbers the largest tensor needs beside itself: two square matrices and one of its own shape."""
    cdef Py_ssize_t i, side, longest = 0
    cdef const TensorRange *tensor
    if optimizer.rule != RULE_MUON:
        return 0
    for i in range(optimizer.n_tensors):
        tensor = &optimizer.tensors[i]
        side = min(tensor.n_rows, tensor.n_cols)
        longest = max(longest, 2 * side * side + tensor.n_rows * tensor.n_cols)
    return longest


cdef inline const ParameterGroup *group_of(const Optimizer *optimizer, const TensorRange *tensor) noexcept nogil:
    """The parameters that are stepped like a tensor, and among which it is; NULL if it is not stepped."""
    cdef Py_ssize_t i
    cdef const ParameterGroup *group
    for i in range(optimizer.n_groups):
        group = &optimizer.groups[i]
        if group.offset <= tensor.offset and tensor.offset + tensor.size <= group.offset + group.size:
            return group
    return NULL


# Lamb

cdef inline void step_by_norms(const Optimizer *optimizer, const TensorRange *tensor, real *w, real *g, real **slots,
                               const step_scalars *s) noexcept nogil:
    """w -= lr |w| / |u| u, u the direction; lr u where either norm is 0"""
    cdef double w_norm, norm
    optimizer_step(w, slots, g, tensor.size, optimizer.rule, &optimizer.numbers, s)
    w_norm, norm = sqrt(sum_of_squares(w, tensor.size)), sqrt(sum_of_squares(g, tensor.size))
    add_scaled(w, g, tensor.size, <real> (-s.lr * (w_norm / norm if w_norm > 0 and norm > 0 else 1)))


# Adafactor

cdef inline double update_mean_squares(real *rows, real *columns, const real *g, Py_ssize_t n_rows, Py_ssize_t n_cols,
                                       double beta_2, double epsilon) noexcept nogil:
    """rows[r] = beta_2 rows[r] + (1 - beta_2) mean_c (g[r,c]^2 + epsilon), columns likewise; returns the rows' mean"""
    cdef Py_ssize_t r, c
    cdef double fresh = 1 - beta_2, total = 0
    cdef real factor = <real> (fresh / n_rows)
    for c in range(n_cols):
        columns[c] = <real> (beta_2 * columns[c] + fresh * epsilon)
    for r in range(n_rows):
        rows[r] = <real> (beta_2 * rows[r] + fresh * (sum_of_squares(g, n_cols) / n_cols + epsilon))
        total += rows[r]
        for c in range(n_cols):
            columns[c] += factor * (g[c] * g[c])
        g += n_cols
    return total / n_rows


cdef inline double root_mean_square(const real *x, Py_ssize_t n) noexcept nogil:
    return sqrt(sum_of_squares(x, n) / n)


cdef inline void step_by_factors(const Optimizer *optimizer, const TensorRange *tensor, real *w, real *g, real **slots,
                                 step_scalars *s) noexcept nogil:
    """w -= max(epsilon_2, rms(w)) min(lr, 1 / sqrt(t)) u / max(1, rms(u) / clip_threshold), u = g / sqrt(v), where
    v[r,c] = rows[r] columns[c] / mean(rows); a vector is a matrix of one row, and v its columns"""
    cdef const hyperparameters *h = &optimizer.numbers
    cdef real *rows = slots[0]
    cdef real *columns[MAX_SLOTS]
    cdef Py_ssize_t at = 0, r, n_rows = tensor.n_rows, n_cols = tensor.n_cols
    cdef double beta_2 = 1 - pow(<double> s.t, h.beta_2_decay), mean, length
    columns[0], columns[1], columns[2] = slots[1], NULL, NULL
    while at < tensor.size:
        mean = update_mean_squares(rows, columns[0], g + at, n_rows, n_cols, beta_2, h.epsilon_1)
        for r in range(n_rows):
            s.row_scale = rows[r] / mean if mean > 0 else 0
            optimizer_step(w + at, columns, g + at, n_cols, optimizer.rule, h, s)
            at += n_cols
        rows, columns[0] = rows + n_rows, columns[0] + n_cols
    length = max(h.epsilon_2, root_mean_square(w, tensor.size)) * min(s.lr, 1 / sqrt(<double> s.t))
    length /= max(1.0, root_mean_square(g, tensor.size) / h.clip_threshold)
    add_scaled(w, g, tensor.size, <real> -length)


# Muon

cdef inline void multiply_matrices(real *y, const real *x, const real *w, Py_ssize_t n_rows, Py_ssize_t n_cols,
                                   Py_ssize_t n_k, Py_ssize_t x_row, Py_ssize_t x_k, Py_ssize_t w_k,
                                   Py_ssize_t w_c) noexcept nogil:
    """y (n_rows, n_cols) = x (n_rows, n_k) . w (n_k, n_cols), with these strides of x and w"""
    cdef Product p
    begin_plain(&p)
    p.x, p.w = x, w
    p.n_rows, p.n_cols, p.n_k = n_rows, n_cols, n_k
    p.y_row, p.x_row, p.x_k, p.w_k, p.w_c = n_cols, x_row, x_k, w_k, w_c
    multiply(&p, y)


cdef inline const real *orthogonal_factor(const Optimizer *optimizer, real *x, Py_ssize_t n_rows,
                                          Py_ssize_t n_cols) noexcept nogil:
    """Where, in x or in the scratch memory, U V^T of x = U S V^T stands as nearly as ns_steps of Newton-Schulz come:
    x = (a I + b A + c A A) x with A = x x^T, from x / |x|; of a tall x, x (a I + b A + c A A) with A = x^T x"""
    cdef const hyperparameters *h = &optimizer.numbers
    cdef bint tall = n_rows > n_cols
    cdef Py_ssize_t side = min(n_rows, n_cols), long_side = max(n_rows, n_cols), i
    cdef real *square = <real *> optimizer.scratch
    cdef real *factor = square + side * side
    cdef real *y = factor + side * side
    scale_by(x, x, n_rows * n_cols, <real> (1 / (sqrt(sum_of_squares(x, n_rows * n_cols)) + 1e-7)))
    for _ in range(<Py_ssize_t> h.ns_steps):
        if tall:
            multiply_matrices(square, x, x, side, side, long_side, 1, n_cols, n_cols, 1)
        else:
            multiply_matrices(square, x, x, side, side, long_side, n_cols, 1, 1, n_cols)
        multiply_matrices(factor, square, square, side, side, side, side, 1, side, 1)
        scale_by(factor, factor, side * side, <real> h.muon_c)
        add_scaled(factor, square, side * side, <real> h.muon_b)
        for i in range(side):
            factor[i * side + i] += <real> h.muon_a
        if tall:
            multiply_matrices(y, x, factor, n_rows, n_cols, side, n_cols, 1, side, 1)
        else:
            multiply_matrices(y, factor, x, n_rows, n_cols, side, side, 1, n_cols, 1)
        x, y = y, x
    return x


cdef inline void step_by_matrices(const Optimizer *optimizer, const TensorRange *tensor, real *w, real *g,
                                  real **slots, step_scalars *s) noexcept nogil:
    """w -= lr rms_rate sqrt(max(n_rows, n_cols)) U V^T, U S V^T the direction; what is no matrix takes Adam's step"""
    cdef const hyperparameters *h = &optimizer.numbers
    cdef double length = s.lr
    if tensor.n_cols == 0:
        s.lr *= h.adam_lr_ratio
        optimizer_step(w, slots, g, tensor.size, RULE_ADAM, h, s)
        return
    optimizer_step(w, slots, g, tensor.size, optimizer.rule, h, s)
    if h.rms_rate > 0:
        length *= h.rms_rate * sqrt(<double> max(tensor.n_rows, tensor.n_cols))
    add_scaled(w, orthogonal_factor(optimizer, g, tensor.n_rows, tensor.n_cols), tensor.size, <real> -length)


# All tensors

cdef inline void step_tensor(TensorSteps *steps, real *w, real *g, Py_ssize_t index) noexcept nogil:
    cdef const Optimizer *optimizer = steps.optimizer
    cdef const TensorRange *tensor = &optimizer.tensors[index]
    cdef const ParameterGroup *group = group_of(optimizer, tensor)
    cdef step_scalars s
    cdef real *slots[MAX_SLOTS]
    if group == NULL or tensor.size == 0:
        return
    s = scalars_of(optimizer, group, steps.learning_rate, steps.t)
    slots_at(slots, optimizer, tensor.offset)
    w, g = w + tensor.offset, g + tensor.offset
    if optimizer.rule == RULE_LAMB:
        step_by_norms(optimizer, tensor, w, g, slots, &s)
    elif optimizer.rule == RULE_ADAFACTOR:
        step_by_factors(optimizer, tensor, w, g, slots, &s)
    else:
        step_by_matrices(optimizer, tensor, w, g, slots, &s)


cdef inline void tensor_task_f32(void *context, Py_ssize_t index) noexcept nogil:
    cdef TensorSteps *steps = <TensorSteps *> context
    step_tensor(steps, <float *> steps.w, <float *> steps.g, index)


cdef inline void tensor_task_f64(void *context, Py_ssize_t index) noexcept nogil:
    cdef TensorSteps *steps = <TensorSteps *> context
    step_tensor(steps, <double *> steps.w, <double *> steps.g, index)


cdef inline void step_tensors(const Optimizer *optimizer, real *w, real *g, double learning_rate,
                              int64_t t) noexcept nogil:
    """The rule's update of all tensors; t counts updates from 1."""
    cdef TensorSteps steps
    cdef Py_ssize_t i
    steps.optimizer, steps.w, steps.g, steps.learning_rate, steps.t = optimizer, w, g, learning_rate, t
    if optimizer.rule == RULE_MUON:  # whose products of matrices are shared out themselves
        for i in range(optimizer.n_tensors):
            step_tensor(&steps, w, g, i)
        return
    pool_run(tensor_task_f32 if real is float else tensor_task_f64, &steps, optimizer.n_tensors)
