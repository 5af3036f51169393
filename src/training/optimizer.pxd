# What an optimizer is to native code, and the step of its rule over parameters that are stepped alike. Floor 1.

from libc.stdint cimport int64_t

from constraints cimport Constraint
from regularizers cimport Penalty
from simd cimport MAX_SLOTS, hyperparameters, optimizer_step, real, step_scalars

cdef struct ParameterGroup:
    Py_ssize_t offset      # in the flat vectors
    Py_ssize_t size
    double multiplier      # of the learning rate
    double epsilon_factor  # of the rule's epsilon
    double decay           # a factor of weight decay; 0 for none

cdef struct TensorRule:
    # What only some tensors have; a tensor without any of it is not listed.
    Py_ssize_t offset
    Py_ssize_t n_rows
    Py_ssize_t n_cols
    Penalty penalty
    Constraint constraint

cdef struct TensorRange:
    Py_ssize_t offset
    Py_ssize_t size
    Py_ssize_t n_rows      # of the matrix that a rule of tensors sees in it, or of each of several
    Py_ssize_t n_cols      # 0 where it sees none

cdef struct Optimizer:
    int rule
    hyperparameters numbers
    double weight_decay
    double clip_value          # 0 for none, as all below
    double clip_norm
    double global_clip_norm
    double average_momentum    # of the moving average of the weights
    Py_ssize_t average_period  # steps after which the average overwrites the weights
    Py_ssize_t accumulation    # steps whose gradients are averaged into one update (1: every step)
    bint penalties_over_batch  # penalties are divided by the batch's number (or weight) of samples
    Py_ssize_t n_parameters    # length of the flat vectors
    Py_ssize_t n_groups
    ParameterGroup *groups
    Py_ssize_t n_rules
    TensorRule *rules
    Py_ssize_t n_tensors       # for clipping by each tensor's norm, and for rules of tensors
    TensorRange *tensors
    void *slots[MAX_SLOTS]     # flat vectors of the rule's state
    void *average
    void *accumulator
    void *scratch              # for rules of tensors
    double nadam_product       # Nadam's running product of momenta
    bint failed                # a penalty or constraint in Python raised


cdef inline step_scalars scalars_of(const Optimizer *optimizer, const ParameterGroup *group, double learning_rate,
                                    int64_t t) noexcept nogil:
    """What the rule is told of this step of a group; t counts updates from 1."""
    cdef step_scalars s
    s.lr, s.t = learning_rate * group.multiplier, t
    s.shrink = 1 - optimizer.weight_decay * group.decay * s.lr
    s.epsilon_factor, s.nadam_product, s.row_scale = group.epsilon_factor, optimizer.nadam_product, 1
    return s


cdef inline void slots_at(real **slots, const Optimizer *optimizer, Py_ssize_t offset) noexcept nogil:
    """Where the rule's state of the parameters from `offset` on stands; NULL where there is none."""
    cdef int i
    for i in range(MAX_SLOTS):
        slots[i] = NULL if optimizer.slots[i] == NULL else <real *> optimizer.slots[i] + offset


cdef inline void step_group(const Optimizer *optimizer, const ParameterGroup *group, real *w, real *g,
                            double learning_rate, int64_t t) noexcept nogil:
    """The rule's update of one group."""
    cdef step_scalars s = scalars_of(optimizer, group, learning_rate, t)
    cdef real *slots[MAX_SLOTS]
    slots_at(slots, optimizer, group.offset)
    optimizer_step(w + group.offset, slots, g + group.offset, group.size, optimizer.rule, &optimizer.numbers, &s)
