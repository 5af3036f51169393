# Activations over the rows of a buffer: the elementwise ones by the vector kernels, those of a whole row here.
# Floor 1. Formulas of the elementwise kinds: src/simd/kinds.h.

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy, memset
from libc.math cimport INFINITY, log as log_of

from custom cimport custom_activation_forward, custom_activation_backward
from plan cimport BLOCK, INFERENCE, TRACING, Buffer, Operation, Plan, Workspace
from simd cimport (ACTIVATION_LINEAR, ACTIVATION_RELU, ACTIVATION_SIGMOID, CUSTOM_ACTIVATION, ROW_GLU, ROW_LOG_SOFTMAX,
                   ROW_SOFTMAX, ROW_SPARSEMAX, activation_backward, activation_forward, activation_is_elementwise,
                   activation_slope_needs_z, add_scaled, real, softmax_rows, vector_exp)


cdef inline bint is_plain_relu(const Operation *operation) noexcept nogil:
    """max(z, 0), whose derivative follows from the sign of its output."""
    return (operation.activation == ACTIVATION_RELU and operation.activation_parameters[0] == 0
            and operation.activation_parameters[1] == INFINITY and operation.activation_parameters[2] == 0)


cdef inline bint derivative_needs_z(const Operation *operation) noexcept nogil:
    if operation.activation == ROW_GLU:
        return True
    if operation.activation == ACTIVATION_RELU:
        return (operation.activation_parameters[1] != INFINITY or operation.activation_parameters[2] != 0
                or operation.activation_parameters[0] < 0)
    return activation_slope_needs_z(operation.activation)


cdef inline void sparsemax_row(real *a, const real *z, Py_ssize_t n) noexcept nogil:
    """a = max(z - tau, 0) with tau such that a sums to one: the projection of z onto the simplex.

    tau is found by Newton's iteration on the convex, piecewise linear sum; it ends after at most n steps.
    """
    cdef Py_ssize_t i, count
    cdef double total, tau = -INFINITY, top = -INFINITY
    for i in range(n):
        top = max(top, <double> z[i])
    total, count = 0, 0
    for i in range(n):
        if z[i] > top - 1:
            total += z[i] - top
            count += 1
    tau = (total - 1) / count
    while True:
        total, count = 0, 0
        for i in range(n):
            if z[i] - top > tau:
                total += z[i] - top
                count += 1
        if (total - 1) / count <= tau:
            break
        tau = (total - 1) / count
    for i in range(n):
        a[i] = <real> max(z[i] - top - tau, <double> 0)


cdef inline void log_softmax_rows(real *a, const real *z, Py_ssize_t n_rows, Py_ssize_t n_cols, Py_ssize_t a_row,
                                  Py_ssize_t z_row) noexcept nogil:
    """a = z - log sum exp(z), row by row."""
    cdef Py_ssize_t r, c
    cdef real log_sum
    cdef real *out
    cdef const real *row
    cdef real exponentials[64]
    cdef real top
    cdef double total
    cdef Py_ssize_t first, n
    for r in range(n_rows):
        row, out = z + r * z_row, a + r * a_row
        top = row[0]
        for c in range(1, n_cols):
            if row[c] > top or row[c] != row[c]:
                top = row[c]
        total, first = 0, 0
        while first < n_cols:
            n = min(<Py_ssize_t> 64, n_cols - first)
            for c in range(n):
                exponentials[c] = row[first + c] - top
            vector_exp(exponentials, exponentials, n)
            for c in range(n):
                total += exponentials[c]
            first += n
        exponentials[0] = <real> total
        log_sum = <real> log_of(total)
        for c in range(n_cols):
            out[c] = row[c] - top - log_sum


cdef inline void glu_row(real *a, const real *z, Py_ssize_t n) noexcept nogil:
    """a = u * sigmoid(v), with u the first half of z and v the second."""
    cdef Py_ssize_t c
    cdef real p[3]
    activation_forward(a, z + n, n, ACTIVATION_SIGMOID, p)
    for c in range(n):
        a[c] *= z[c]


cdef inline void glu_row_backward(real *dz, const real *da, const real *z, Py_ssize_t n) noexcept nogil:
    """du = da sigmoid(v), dv = da u sigmoid(v) (1 - sigmoid(v))"""
    cdef Py_ssize_t c
    cdef real gate
    cdef real p[3]
    for c in range(n):
        activation_forward(&gate, z + n + c, 1, ACTIVATION_SIGMOID, p)
        dz[n + c] = da[c] * z[c] * gate * (1 - gate)
        dz[c] = da[c] * gate


cdef inline void activate_rows(int kind, const double *parameters, real *a, const real *z, Py_ssize_t n_rows,
                               Py_ssize_t n_cols, Py_ssize_t a_row, Py_ssize_t z_row) noexcept nogil:
    """a[r, :] = g(z[r, :]); a may be z. For glu, a has half as many columns: n_cols counts those of z."""
    cdef real p[3]
    cdef Py_ssize_t r
    for r in range(3):
        p[r] = <real> parameters[r]
    if activation_is_elementwise(kind):
        if a_row == z_row:
            # Padding takes part: it belongs to the buffer, and one long sweep beats many short ones.
            activation_forward(a, z, n_rows * a_row - (a_row - n_cols) if n_rows > 0 else 0, kind, p)
        else:
            for r in range(n_rows):
                activation_forward(a + r * a_row, z + r * z_row, n_cols, kind, p)
    elif kind == ROW_SOFTMAX:
        softmax_rows(a, <real *> NULL, z, n_rows, n_cols, a_row, z_row)
    elif kind == ROW_LOG_SOFTMAX:
        log_softmax_rows(a, z, n_rows, n_cols, a_row, z_row)
    elif kind == ROW_SPARSEMAX:
        for r in range(n_rows):
            sparsemax_row(a + r * a_row, z + r * z_row, n_cols)
    elif kind == ROW_GLU:
        for r in range(n_rows):
            glu_row(a + r * a_row, z + r * z_row, n_cols // 2)


cdef inline void softmax_row_backward(real *delta, const real *da, const real *a, Py_ssize_t n) noexcept nogil:
    """delta = a * (da - sum(da * a))"""
    cdef Py_ssize_t c
    cdef double total = 0
    for c in range(n):
        total += <double> da[c] * a[c]
    for c in range(n):
        delta[c] = a[c] * (da[c] - <real> total)


cdef inline void log_softmax_row_backward(real *delta, const real *da, const real *a, Py_ssize_t n) noexcept nogil:
    """delta = da - exp(a) * sum(da)"""
    cdef Py_ssize_t c, first = 0, m
    cdef real p[64]
    cdef double total = 0
    for c in range(n):
        total += da[c]
    while first < n:
        m = min(<Py_ssize_t> 64, n - first)
        vector_exp(p, a + first, m)
        for c in range(m):
            delta[first + c] = da[first + c] - p[c] * <real> total
        first += m


cdef inline void sparsemax_row_backward(real *delta, const real *da, const real *a, Py_ssize_t n) noexcept nogil:
    """delta = da - mean(da) over the support of a, 0 elsewhere"""
    cdef Py_ssize_t c, count = 0
    cdef double total = 0
    for c in range(n):
        if a[c] > 0:
            total += da[c]
            count += 1
    for c in range(n):
        delta[c] = da[c] - <real> (total / count) if a[c] > 0 else 0


cdef inline void derive_rows(int kind, const double *parameters, real *delta, const real *da, const real *z,
                             const real *a, Py_ssize_t n_rows, Py_ssize_t n_cols, Py_ssize_t row) noexcept nogil:
    """delta[r, :] = da[r, :] . dg/dz, all with the same stride; delta may be da."""
    cdef real p[3]
    cdef Py_ssize_t r
    for r in range(3):
        p[r] = <real> parameters[r]
    if kind == ACTIVATION_LINEAR and delta == da:
        return
    if activation_is_elementwise(kind):
        activation_backward(delta, da, z, a, n_rows * row - (row - n_cols) if n_rows > 0 else 0, kind, p)
        return
    for r in range(n_rows):
        if kind == ROW_SOFTMAX:
            softmax_row_backward(delta + r * row, da + r * row, a + r * row, n_cols)
        elif kind == ROW_LOG_SOFTMAX:
            log_softmax_row_backward(delta + r * row, da + r * row, a + r * row, n_cols)
        elif kind == ROW_SPARSEMAX:
            sparsemax_row_backward(delta + r * row, da + r * row, a + r * row, n_cols)


cdef inline void copy_rows(real *y, const real *x, Py_ssize_t n_rows, Py_ssize_t n_cols, Py_ssize_t y_row,
                           Py_ssize_t x_row) noexcept nogil:
    cdef Py_ssize_t r
    for r in range(n_rows):
        memcpy(y + r * y_row, x + r * x_row, n_cols * sizeof(real))


cdef inline void add_rows(real *y, const real *x, Py_ssize_t n_rows, Py_ssize_t n_cols, Py_ssize_t y_row,
                          Py_ssize_t x_row) noexcept nogil:
    cdef Py_ssize_t r
    for r in range(n_rows):
        add_scaled(y + r * y_row, x + r * x_row, n_cols, <real> 1)


cdef inline bint keeps_z(const Operation *operation, int mode) noexcept nogil:
    """Whether z is stored apart from a: for g', for a loss that works on logits, or for a reader."""
    return (mode != INFERENCE and operation.activation != ACTIVATION_LINEAR
            and (operation.keeps_z or operation.left_to_loss or mode == TRACING or mode == BLOCK))


cdef inline void activate(const Plan *plan, int index, Workspace *workspace, real *a, const real *z) noexcept nogil:
    """The activation of operation `index` from z to its output a (which may be z)."""
    cdef const Operation *operation = &plan.operations[index]
    cdef const Buffer *output = &plan.buffers[operation.output]
    cdef Py_ssize_t row = workspace.strides[operation.output]
    cdef Py_ssize_t n_rows = workspace.n * output.rows
    if operation.activation == CUSTOM_ACTIVATION:
        custom_activation_forward(operation.custom, workspace, a, z, n_rows, output.width, row)
    elif operation.activation != ACTIVATION_LINEAR or a != z:
        activate_rows(operation.activation, operation.activation_parameters, a, z, n_rows, output.width, row, row)


cdef inline void derive(const Plan *plan, int index, Workspace *workspace, real *delta) noexcept nogil:
    """delta = dJ/da becomes dJ/dz of operation `index`, in place."""
    cdef const Operation *operation = &plan.operations[index]
    cdef const Buffer *output = &plan.buffers[operation.output]
    cdef Py_ssize_t row = workspace.strides[operation.output]
    cdef Py_ssize_t n_rows = workspace.n * output.rows
    cdef const real *a = <const real *> workspace.values[operation.output]
    cdef const real *z = <const real *> workspace.scratch[index] if keeps_z(operation, workspace.mode) else NULL
    if operation.activation == CUSTOM_ACTIVATION:
        custom_activation_backward(operation.custom, workspace, delta, z, a, n_rows, output.width, row)
    else:
        derive_rows(operation.activation, operation.activation_parameters, delta, delta, z, a, n_rows, output.width,
                    row)


cdef inline void activation_operation_forward(const Plan *plan, int index, Workspace *workspace,
                                              real **tensors) noexcept nogil:
    """a = g(x), an operation of its own"""
    cdef const Operation *operation = &plan.operations[index]
    cdef int source = operation.inputs[0]
    cdef const Buffer *input = &plan.buffers[source]
    cdef Py_ssize_t n_rows = workspace.n * input.rows
    cdef Py_ssize_t x_row = workspace.strides[source], y_row = workspace.strides[operation.output]
    cdef const real *x = <const real *> workspace.values[source]
    cdef real *a = <real *> workspace.values[operation.output]
    cdef real *z
    if operation.activation == ROW_GLU:
        activate_rows(ROW_GLU, operation.activation_parameters, a, x, n_rows, input.width, y_row, x_row)
        return
    z = <real *> workspace.scratch[index] if keeps_z(operation, workspace.mode) else a
    copy_rows(z, x, n_rows, input.width, y_row, x_row)
    if not (operation.left_to_loss and workspace.mode != INFERENCE):
        activate(plan, index, workspace, a, z)


cdef inline void activation_operation_backward(const Plan *plan, int index, Workspace *workspace,
                                               real **tensors) noexcept nogil:
    """dx (+)= da . dg/dx"""
    cdef const Operation *operation = &plan.operations[index]
    cdef int source = operation.inputs[0]
    cdef const Buffer *input = &plan.buffers[source]
    cdef Py_ssize_t n_rows = workspace.n * input.rows, r
    cdef Py_ssize_t x_row = workspace.strides[source], y_row = workspace.strides[operation.output]
    cdef real *delta = <real *> workspace.deltas[operation.output]
    cdef real *dx = <real *> workspace.deltas[source]
    if dx == NULL:
        return
    if operation.activation == ROW_GLU:
        delta = <real *> workspace.scratch[index]
        for r in range(n_rows):
            glu_row_backward(delta + r * input.width, <real *> workspace.deltas[operation.output] + r * y_row,
                             <real *> workspace.values[source] + r * x_row, input.width // 2)
        y_row = input.width
    elif not (operation.left_to_loss or operation.gated):
        derive(plan, index, workspace, delta)
    if workspace.delta_written[source]:
        add_rows(dx, delta, n_rows, input.width, x_row, y_row)
    else:
        copy_rows(dx, delta, n_rows, input.width, x_row, y_row)
    workspace.delta_written[source] = True


cdef extern from *:
    """
    /* Signs are random, and a branch would be guessed wrong half the time; masks leave the compiler no choice. */
    static inline float by_sign_f32(float x, float above, float below)
    {
        uint32_t a, b, mask = 0u - (uint32_t)(x > 0);
        memcpy(&a, &above, 4);
        memcpy(&b, &below, 4);
        a = (a & mask) | (b & ~mask);
        memcpy(&above, &a, 4);
        return above;
    }
    static inline double by_sign_f64(double x, double above, double below)
    {
        uint64_t a, b, mask = 0u - (uint64_t)(x > 0);
        memcpy(&a, &above, 8);
        memcpy(&b, &below, 8);
        a = (a & mask) | (b & ~mask);
        memcpy(&above, &a, 8);
        return above;
    }
    """
    float by_sign_f32(float x, float above, float below) nogil
    double by_sign_f64(double x, double above, double below) nogil


cdef inline real by_sign(real x, real above, real below) noexcept nogil:
    """above where x > 0, else below"""
    if real is float:
        return by_sign_f32(x, above, below)
    else:
        return by_sign_f64(x, above, below)


# One slope for each element of a sample, or shared: tensor alpha; integers: its rows and columns, 1 where it is shared.

cdef inline const real *slopes_of_row(const Operation *operation, const Buffer *input, real **tensors,
                                      Py_ssize_t row) noexcept nogil:
    return (tensors[operation.tensors[0]]
            + (row % input.rows if operation.integers[0] > 1 else 0) * operation.integers[1])


cdef inline void prelu_row(real *y, const real *x, const real *dy, const real *alpha, Py_ssize_t n,
                           Py_ssize_t step) noexcept nogil:
    """y = dy where x > 0, alpha dy where x < 0, else 0; step 0 repeats alpha's only element"""
    cdef Py_ssize_t c
    for c in range(n):
        y[c] = by_sign(x[c], dy[c], alpha[c * step] * dy[c]) if x[c] != 0 else 0


cdef inline void add_prelu_slopes(double *sums, const real *x, const real *da, Py_ssize_t n,
                                  Py_ssize_t step) noexcept nogil:
    """sums += da min(x, 0), element by element or all into one"""
    cdef Py_ssize_t c
    for c in range(n):
        sums[c * step] += <double> da[c] * by_sign(x[c], <real> 0, x[c])


cdef inline void prelu_forward(const Plan *plan, int index, Workspace *workspace, real **tensors) noexcept nogil:
    """a = x above 0, else alpha x"""
    cdef const Operation *operation = &plan.operations[index]
    cdef int source = operation.inputs[0]
    cdef const Buffer *input = &plan.buffers[source]
    cdef Py_ssize_t x_row = workspace.strides[source], y_row = workspace.strides[operation.output], r
    cdef Py_ssize_t step = 1 if operation.integers[1] > 1 else 0
    cdef const real *x
    cdef real *a
    cdef const real *alpha
    for r in range(workspace.n * input.rows):
        alpha = slopes_of_row(operation, input, tensors, r)
        x = <const real *> workspace.values[source] + r * x_row
        a = <real *> workspace.values[operation.output] + r * y_row
        prelu_row(a, x, x, alpha, input.width, step)


cdef inline void prelu_backward(const Plan *plan, int index, Workspace *workspace, real **tensors,
                                real **gradients) noexcept nogil:
    """dx (+)= da above 0, alpha da below, 0 at 0;  dalpha = sum of da x where x < 0, over what shares the slope"""
    cdef const Operation *operation = &plan.operations[index]
    cdef int source = operation.inputs[0], slopes = operation.tensors[0]
    cdef const Buffer *input = &plan.buffers[source]
    cdef Py_ssize_t x_row = workspace.strides[source], y_row = workspace.strides[operation.output], r, c, place
    cdef Py_ssize_t step = 1 if operation.integers[1] > 1 else 0, size = operation.integers[0] * operation.integers[1]
    cdef const real *x
    cdef const real *da
    cdef const real *alpha
    cdef real *dx = <real *> workspace.deltas[source]
    cdef double *sums = <double *> workspace.scratch[index]
    cdef real *row = <real *> (sums + size)
    cdef bint add = workspace.delta_written[source]
    cdef real *back
    memset(sums, 0, size * sizeof(double))
    for r in range(workspace.n * input.rows):
        x = <const real *> workspace.values[source] + r * x_row
        da = <const real *> workspace.deltas[operation.output] + r * y_row
        alpha = slopes_of_row(operation, input, tensors, r)
        place = alpha - tensors[slopes]
        add_prelu_slopes(sums + place, x, da, input.width, step)
        if dx == NULL:
            continue
        back = dx + r * x_row
        if add:
            back = row
        prelu_row(back, x, da, alpha, input.width, step)
        if add:
            add_scaled(dx + r * x_row, row, input.width, <real> 1)
    if dx != NULL:
        workspace.delta_written[source] = True
    if gradients[slopes] != NULL:
        for c in range(size):
            gradients[slopes][c] = <real> (sums[c] + (gradients[slopes][c] if workspace.tensor_written[slopes] else 0))
        workspace.tensor_written[slopes] = True
