# Dense layers of the members of an ensemble, side by side: a row of the output for every member. Floor 1.
# Members share one kernel, of whose inputs and outputs each has its own factors, or each has a kernel of its own.
# After Wen, Tran, Ba, "BatchEnsemble" (2020), and Gorishniy, Kotelnikov, Babenko, "TabM" (2025).
# A shared kernel takes one product over the rows of all members; factors and biases pass over rows around it.

from libc.string cimport memset

from activation cimport activate, activation_needs, derive, keeps_z, leaves_activation
from blocks cimport Product, begin_plain
from matmul cimport multiply
from plan cimport Operation, Sizes, Step, most_elements
from rows cimport copy_rows
from simd cimport ACTIVATION_LINEAR, add_scaled, real
from step cimport adds_gradient, gradient_is_written, has_shape, has_tensor, may_have_size, tensor_of

# Tensors.
cdef enum:
    KERNEL         # w (n_in, n_out), or (members, n_in, n_out)
    BIAS           # b (members, n_out)
    INPUT_FACTOR   # r (members, n_in)
    OUTPUT_FACTOR  # q (members, n_out)

cdef enum:
    OWN_KERNELS = 0  # integers: whether every member has its own, and no factors


cdef inline bint members_fit(const Sizes *s) noexcept nogil:
    cdef Py_ssize_t members = s.output.rows, n_in = s.input.width, n_out = s.output.width
    cdef bint own = s.operation.integers[OWN_KERNELS]
    if (s.input.rows != 1 and s.input.rows != members) or n_in > most_elements() // members or (
            own and (has_tensor(s.operation, INPUT_FACTOR) or has_tensor(s.operation, OUTPUT_FACTOR))):
        return False
    return (has_shape(s, KERNEL, members * n_in if own else n_in, n_out) and may_have_size(s, BIAS, members * n_out)
            and may_have_size(s, INPUT_FACTOR, members * n_in) and may_have_size(s, OUTPUT_FACTOR, members * n_out))


# Rows of a sample.

cdef inline Py_ssize_t product_rows(const Operation *operation, Py_ssize_t input_rows,
                                    Py_ssize_t members) noexcept nogil:
    """How many the product with a shared kernel has: one where all members read the same."""
    return members if has_tensor(operation, INPUT_FACTOR) else input_rows


cdef inline bint keeps_product(const Operation *operation, Py_ssize_t input_rows, Py_ssize_t members) noexcept nogil:
    """Whether the product stands apart from z."""
    return not operation.integers[OWN_KERNELS] and (
        has_tensor(operation, OUTPUT_FACTOR) or product_rows(operation, input_rows, members) != members)


cdef inline void members_need(const Sizes *s, Operation *operation) noexcept nogil:
    """z; x * r; the product"""
    cdef Py_ssize_t members = s.output.rows
    activation_needs(s, operation)
    if has_tensor(operation, INPUT_FACTOR):
        operation.scratch += members * s.input.stride
    if keeps_product(operation, s.input.rows, members):
        operation.scratch += product_rows(operation, s.input.rows, members) * s.output.stride


cdef inline Py_ssize_t rows_of_product(const Step *s) noexcept nogil:
    return product_rows(s.operation, s.input.rows, s.output.rows)


cdef inline bint has_product_apart(const Step *s) noexcept nogil:
    return keeps_product(s.operation, s.input.rows, s.output.rows)


cdef inline real *room_of_scaled(const Step *s, real **typed) noexcept nogil:
    """x * r, and in the backward pass its derivative."""
    cdef Py_ssize_t z = 0 if s.operation.activation == ACTIVATION_LINEAR else s.output.rows * s.y_row
    return <real *> s.scratch + s.workspace.capacity * z


cdef inline real *room_of_product(const Step *s, real **typed) noexcept nogil:
    """u = (x * r) . w, and in the backward pass its derivative."""
    cdef Py_ssize_t scaled = s.output.rows * s.x_row if has_tensor(s.operation, INPUT_FACTOR) else 0
    return room_of_scaled(s, typed) + s.workspace.capacity * scaled


# Forward.

cdef inline void scale_inputs(const Step *s, real **tensors) noexcept nogil:
    """scaled (n, members, n_in) = x * r"""
    cdef const real *r = tensor_of(s, tensors, INPUT_FACTOR)
    cdef const real *x = <const real *> s.x
    cdef real *scaled = room_of_scaled(s, tensors)
    cdef Py_ssize_t width = s.input.width, _sample, member, c
    for _sample in range(s.workspace.n):
        for member in range(s.output.rows):
            for c in range(width):
                scaled[c] = x[c] * r[member * width + c]
            scaled += s.x_row
            if s.input.rows > 1:
                x += s.x_row
        if s.input.rows == 1:
            x += s.x_row


cdef inline void multiply_shared(const Step *s, real **tensors, real *u) noexcept nogil:
    """u (n, rows, n_out) = (x * r) . w"""
    cdef Product p
    begin_plain(&p)
    p.x = s.x
    if has_tensor(s.operation, INPUT_FACTOR):
        scale_inputs(s, tensors)
        p.x = room_of_scaled(s, tensors)
    p.w, p.w_k, p.w_c = tensor_of(s, tensors, KERNEL), s.output.width, 1
    p.x_row, p.x_k, p.y_row = s.x_row, 1, s.y_row
    p.n_rows, p.n_cols, p.n_k = s.workspace.n * rows_of_product(s), s.output.width, s.input.width
    p.spare_cols = s.y_row - s.output.width
    multiply(&p, u)


cdef inline void scale_outputs(const Step *s, real **tensors, real *z, const real *u) noexcept nogil:
    """z (n, members, n_out) = u * q + b; z may be u"""
    cdef const real *q = tensor_of(s, tensors, OUTPUT_FACTOR)
    cdef const real *b = tensor_of(s, tensors, BIAS)
    cdef Py_ssize_t width = s.output.width, _sample, member, first, c
    cdef bint shared = rows_of_product(s) != s.output.rows
    for _sample in range(s.workspace.n):
        for member in range(s.output.rows):
            first = member * width
            if q != NULL and b != NULL:
                for c in range(width):
                    z[c] = u[c] * q[first + c] + b[first + c]
            elif q != NULL:
                for c in range(width):
                    z[c] = u[c] * q[first + c]
            elif b != NULL:
                for c in range(width):
                    z[c] = u[c] + b[first + c]
            elif z != u:
                copy_rows(z, u, 1, width, 0, 0)
            z += s.y_row
            if not shared:
                u += s.y_row
        if shared:
            u += s.y_row


cdef inline void begin_own(const Step *s, Product *p) noexcept nogil:
    """The strides of one member's rows, and of its kernel"""
    begin_plain(p)
    p.x_row, p.x_k = s.input.rows * s.x_row, 1
    p.w_k, p.w_c = s.output.width, 1
    p.y_row = s.output.rows * s.y_row
    p.n_rows, p.n_cols, p.n_k = s.workspace.n, s.output.width, s.input.width


cdef inline const real *member_input(const Step *s, const real *x, Py_ssize_t member) noexcept nogil:
    """Where a member's first row begins in x, or in dx."""
    return x + member * s.x_row if s.input.rows > 1 else x


cdef inline void multiply_own(const Step *s, real **tensors, real *z) noexcept nogil:
    """z (n, members, n_out) = x . w + b, member by member"""
    cdef const real *b = tensor_of(s, tensors, BIAS)
    cdef Py_ssize_t n_in = s.input.width, n_out = s.output.width, member
    cdef Product p
    begin_own(s, &p)
    p.spare_cols = s.y_row - n_out
    for member in range(s.output.rows):
        p.x = member_input(s, <const real *> s.x, member)
        p.w = tensor_of(s, tensors, KERNEL) + member * n_in * n_out
        p.bias = b + member * n_out if b != NULL else NULL
        multiply(&p, z + member * s.y_row)


cdef inline void members_forward(const Step *s, real **tensors) noexcept nogil:
    """z (n, members, n_out) = ((x * r) . w) * q + b;  a = g(z)"""
    cdef real *a = <real *> s.y
    cdef real *z = <real *> s.scratch if keeps_z(s.operation, s.workspace.mode) else a
    cdef real *u = room_of_product(s, tensors) if has_product_apart(s) else z
    if s.operation.integers[OWN_KERNELS]:
        multiply_own(s, tensors, z)
    else:
        multiply_shared(s, tensors, u)
        scale_outputs(s, tensors, z, <const real *> u)
    if not leaves_activation(s):
        activate(s, a, z)


# Backward.

cdef inline real *cleared_gradient(const Step *s, real **gradients, int which, Py_ssize_t width) noexcept nogil:
    """That of a tensor (members, width), to be added to; NULL where it is not trained."""
    cdef real *gradient = tensor_of(s, gradients, which)
    if gradient != NULL:
        if not adds_gradient(s, which):
            memset(gradient, 0, s.output.rows * width * sizeof(real))
        gradient_is_written(s, which)
    return gradient


cdef inline void add_products(real *sums, const real *x, const real *y, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t c
    for c in range(n):
        sums[c] += x[c] * y[c]


cdef inline void add_output_gradients(real *db, real *dq, real *du, const real *delta, const real *u, const real *q,
                                      Py_ssize_t n) noexcept nogil:
    """db += delta;  dq += delta * u;  du = delta * q where it has u's place; NULL for what is not there"""
    cdef Py_ssize_t c
    if db != NULL and dq != NULL and du == u:  # one pass instead of three
        for c in range(n):
            db[c] += delta[c]
            dq[c] += delta[c] * du[c]
            du[c] = delta[c] * q[c]
        return
    if db != NULL:
        for c in range(n):
            db[c] += delta[c]
    if dq != NULL:
        add_products(dq, delta, u, n)
    if du != NULL:
        for c in range(n):
            du[c] = delta[c] * q[c]


cdef inline void output_gradients(const Step *s, real **tensors, real **gradients) noexcept nogil:
    """db (members, n_out) (+)= sum of delta over samples;  dq (members, n_out) (+)= sum of delta * u;
    du = delta * q in u's place where each member has its own"""
    cdef Py_ssize_t width = s.output.width, _sample, member, first
    cdef const real *q = tensor_of(s, tensors, OUTPUT_FACTOR)
    cdef const real *delta = <const real *> s.dy
    cdef real *u = room_of_product(s, tensors) if has_product_apart(s) else NULL
    cdef real *db = cleared_gradient(s, gradients, BIAS, width)
    cdef real *dq = cleared_gradient(s, gradients, OUTPUT_FACTOR, width)
    cdef bint shared = rows_of_product(s) != s.output.rows
    cdef bint replaces = u != NULL and not shared
    if db == NULL and dq == NULL and not replaces:
        return
    for _sample in range(s.workspace.n):
        for member in range(s.output.rows):
            first = member * width
            add_output_gradients(db + first if db != NULL else NULL, dq + first if dq != NULL else NULL,
                                 u if replaces else NULL, delta, <const real *> u, q + first if q != NULL else NULL,
                                 width)
            delta += s.y_row
            if replaces:
                u += s.y_row
        if u != NULL and shared:
            u += s.y_row


cdef inline void summed_product_gradient(const Step *s, real **tensors) noexcept nogil:
    """du (n, n_out) = sum of delta * q over the members, which all read the same, in u's place"""
    cdef Py_ssize_t width = s.output.width, _sample, member
    cdef const real *delta = <const real *> s.dy
    cdef const real *q = tensor_of(s, tensors, OUTPUT_FACTOR)
    cdef real *du = room_of_product(s, tensors)
    for _sample in range(s.workspace.n):
        memset(du, 0, width * sizeof(real))
        for member in range(s.output.rows):
            if q != NULL:
                add_products(du, delta, q + member * width, width)
            else:
                add_scaled(du, delta, width, <real> 1)
            delta += s.y_row
        du += s.y_row


cdef inline void shared_kernel_gradient(const Step *s, real **tensors, real **gradients, const real *du) noexcept nogil:
    """dw (n_in, n_out) (+)= (x * r)^T . du"""
    cdef real *dw = tensor_of(s, gradients, KERNEL)
    cdef Product p
    if dw == NULL:
        return
    begin_plain(&p)
    p.x = room_of_scaled(s, tensors) if has_tensor(s.operation, INPUT_FACTOR) else s.x
    p.x_row, p.x_k = 1, s.x_row
    p.w, p.w_k, p.w_c = du, s.y_row, 1
    p.n_rows, p.n_cols, p.n_k = s.input.width, s.output.width, s.workspace.n * rows_of_product(s)
    p.y_row, p.accumulate = s.output.width, adds_gradient(s, KERNEL)
    multiply(&p, dw)
    gradient_is_written(s, KERNEL)


cdef inline void shared_input_product(const Step *s, real **tensors, real *dx, const real *du,
                                      bint accumulate) noexcept nogil:
    """dx (n, rows, n_in) (+)= du . w^T"""
    cdef Product p
    begin_plain(&p)
    p.x, p.x_row, p.x_k = du, s.y_row, 1
    p.w, p.w_k, p.w_c = tensor_of(s, tensors, KERNEL), 1, s.output.width
    p.n_rows, p.n_cols, p.n_k = s.workspace.n * rows_of_product(s), s.input.width, s.output.width
    p.y_row, p.spare_cols, p.accumulate = s.x_row, s.x_row - s.input.width, accumulate
    multiply(&p, dx)


cdef inline void input_factor_gradients(const Step *s, real **tensors, real *dr) noexcept nogil:
    """dr (members, n_in) += sum of d(x * r) * x over samples;  dx (+)= d(x * r) * r, summed over members of one row"""
    cdef Py_ssize_t width = s.input.width, _sample, member
    cdef const real *r = tensor_of(s, tensors, INPUT_FACTOR)
    cdef const real *x = <const real *> s.x
    cdef const real *d_scaled = room_of_scaled(s, tensors)
    cdef real *dx = <real *> s.dx
    cdef bint shared = s.input.rows == 1
    for _sample in range(s.workspace.n):
        for member in range(s.output.rows):
            if dr != NULL:
                add_products(dr + member * width, d_scaled, x, width)
            if dx != NULL:
                if not s.adds_dx and (member == 0 or not shared):
                    memset(dx, 0, width * sizeof(real))
                add_products(dx, d_scaled, r + member * width, width)
            d_scaled += s.x_row
            if not shared or member + 1 == s.output.rows:
                x += s.x_row
                if dx != NULL:
                    dx += s.x_row


cdef inline void shared_backward(const Step *s, real **tensors, real **gradients) noexcept nogil:
    """The derivatives where members share a kernel, of delta = dJ/dz."""
    cdef const real *du = <const real *> s.dy
    cdef real *dr = cleared_gradient(s, gradients, INPUT_FACTOR, s.input.width)
    output_gradients(s, tensors, gradients)
    if has_product_apart(s):
        du = room_of_product(s, tensors)
        if rows_of_product(s) != s.output.rows:
            summed_product_gradient(s, tensors)
    shared_kernel_gradient(s, tensors, gradients, du)
    if has_tensor(s.operation, INPUT_FACTOR):
        if dr != NULL or s.dx != NULL:
            shared_input_product(s, tensors, room_of_scaled(s, tensors), du, False)
            input_factor_gradients(s, tensors, dr)
    elif s.dx != NULL:
        shared_input_product(s, tensors, <real *> s.dx, du, s.adds_dx)


cdef inline void own_kernel_gradients(const Step *s, real *dw) noexcept nogil:
    """dw (members, n_in, n_out) (+)= x^T . delta, member by member"""
    cdef Py_ssize_t n_in = s.input.width, n_out = s.output.width, member
    cdef Product p
    begin_own(s, &p)
    p.x_row, p.x_k, p.w_k, p.y_row = 1, s.input.rows * s.x_row, s.output.rows * s.y_row, n_out
    p.n_rows, p.n_cols, p.n_k, p.accumulate = n_in, n_out, s.workspace.n, adds_gradient(s, KERNEL)
    for member in range(s.output.rows):
        p.x = member_input(s, <const real *> s.x, member)
        p.w = <const real *> s.dy + member * s.y_row
        multiply(&p, dw + member * n_in * n_out)


cdef inline void own_input_gradients(const Step *s, real **tensors) noexcept nogil:
    """dx (n, rows, n_in) (+)= delta . w^T, member by member"""
    cdef Py_ssize_t n_in = s.input.width, n_out = s.output.width, member
    cdef real *dx = <real *> s.dx
    cdef Product p
    begin_own(s, &p)
    p.x_row, p.w_k, p.w_c, p.y_row = s.output.rows * s.y_row, 1, n_out, s.input.rows * s.x_row
    p.n_cols, p.n_k, p.spare_cols = n_in, n_out, s.x_row - n_in
    for member in range(s.output.rows):
        p.x = <const real *> s.dy + member * s.y_row
        p.w = tensor_of(s, tensors, KERNEL) + member * n_in * n_out
        p.accumulate = s.adds_dx or (s.input.rows == 1 and member > 0)
        multiply(&p, <real *> member_input(s, dx, member))


cdef inline void own_backward(const Step *s, real **tensors, real **gradients) noexcept nogil:
    """The derivatives where every member has a kernel, of delta = dJ/dz."""
    cdef real *dw = tensor_of(s, gradients, KERNEL)
    output_gradients(s, tensors, gradients)
    if dw != NULL:
        own_kernel_gradients(s, dw)
        gradient_is_written(s, KERNEL)
    if s.dx != NULL:
        own_input_gradients(s, tensors)


cdef inline void members_backward(const Step *s, real **tensors, real **gradients) noexcept nogil:
    """delta = da * g'(z), then as the members have it"""
    derive(s, <real *> s.dy)
    if s.operation.integers[OWN_KERNELS]:
        own_backward(s, tensors, gradients)
    else:
        shared_backward(s, tensors, gradients)
