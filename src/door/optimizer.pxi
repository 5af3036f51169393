# An optimizer's rule over the flat vector of parameters. Floor 2.

from libc.stdlib cimport free

from constraints cimport MOST_CONSTRAINT_PARAMETERS, Constraint
from optimizers cimport Optimizer as OptimizerStruct
from optimizers cimport ParameterGroup, TensorRange, TensorRule, take_bounded_step
from regularizers cimport Penalty
from simd cimport MAX_SLOTS, RULE_ADAFACTOR, hyperparameter_named, rule_hyperparameters, rule_slots
from tensor_steps cimport scratch_length

cdef int fill_hyperparameters(OptimizerStruct *o, tuple numbers) except -1:
    """By the names of the rule's row, in whose order Python gives them; a number that is left out is 0."""
    names = rule_hyperparameters(o.rule).split()
    check_length(numbers, 0, len(names), "hyperparameters")
    for name, number in zip(names, numbers):
        hyperparameter_named(&o.numbers, name)[0] = number
    return 0


cdef class Optimizer:
    """An optimizer's rule and state over one flat vector of parameters.

    Parameters
    ----------
    rule : str
    hyperparameters : sequence of float, as the rule orders them
    tail : mapping with weight_decay, clip_value, clip_norm, global_clip_norm, average_momentum, average_period,
        accumulation, and optionally penalties_over_batch
    groups : sequence of (offset, size, multiplier, epsilon_factor, decay)
    rules : sequence of dicts with offset, n_rows, n_cols and, where there are such, penalty, l1, l2, custom_penalty,
        constraint, axis, parameters, custom_constraint
    tensors : sequence of (offset, size, n_rows, n_cols)
    parameters, gradients : flat arrays
    slots : list of flat arrays
    average, accumulator : flat arrays or None
    """
    cdef OptimizerStruct optimizer
    cdef object parameters, gradients, kept_alive, dtype
    cdef list python_objects
    cdef double weight_decay  # as it was given

    def __cinit__(self, str rule, object hyperparameters, dict tail not None, object groups, object rules,
                  object tensors, object parameters, object gradients, list slots not None, object average,
                  object accumulator):
        cdef int i
        cdef OptimizerStruct *o = &self.optimizer
        self.dtype = dtype = real_dtype(parameters.dtype)
        self.python_objects = []
        self.parameters, self.gradients = parameters, gradients
        self.kept_alive = (tuple(slots), average, accumulator)
        o.rule = RULES[rule]
        fill_hyperparameters(o, tuple(hyperparameters))
        check_length(slots, rule_slots(o.rule, &o.numbers), MAX_SLOTS, "slots")
        self.weight_decay = o.weight_decay = tail["weight_decay"]
        o.clip_value = tail["clip_value"]
        o.clip_norm, o.global_clip_norm = tail["clip_norm"], tail["global_clip_norm"]
        o.average_momentum, o.average_period = tail["average_momentum"], tail["average_period"]
        o.accumulation, o.nadam_product = tail["accumulation"], 1
        o.penalties_over_batch = tail.get("penalties_over_batch", False)
        o.n_parameters, o.n_groups, o.n_rules = parameters.size, len(groups), len(rules)
        o.n_tensors = len(tensors)
        o.groups = <ParameterGroup *> allocate(o.n_groups, sizeof(ParameterGroup))
        o.rules = <TensorRule *> allocate(o.n_rules, sizeof(TensorRule))
        o.tensors = <TensorRange *> allocate(o.n_tensors, sizeof(TensorRange))
        for i, (offset, size, multiplier, epsilon_factor, decay) in enumerate(groups):
            self.check_range(offset, size)
            o.groups[i] = ParameterGroup(offset, size, multiplier, epsilon_factor, decay)
        for i, (offset, size, n_rows, n_cols) in enumerate(tensors):
            self.check_range(offset, size)
            o.tensors[i] = TensorRange(offset, size, n_rows, n_cols)
            self.check_matrices(&o.tensors[i])
        for i, description in enumerate(rules):
            self.fill_rule(&o.rules[i], description)
        for i, slot in enumerate(slots):
            o.slots[i] = data_of(slot, dtype, o.n_parameters, True)
        data_of(parameters, dtype, o.n_parameters, True)
        data_of(gradients, dtype, o.n_parameters, True)
        if average is not None:
            o.average = data_of(average, dtype, o.n_parameters, True)
        if accumulator is not None:
            o.accumulator = data_of(accumulator, dtype, o.n_parameters, True)
        elif o.accumulation > 1:
            raise ValueError("accumulation needs an accumulator")

        o.scratch = allocate(scratch_length(o), dtype.itemsize)

    cdef int fill_rule(self, TensorRule *rule, dict description) except -1:
        cdef int i
        rule.offset, rule.n_rows, rule.n_cols = description["offset"], description["n_rows"], description["n_cols"]
        if rule.n_rows < 0 or rule.n_cols < 0:
            raise ValueError(f"a rule is for ({rule.n_rows}, {rule.n_cols}) parameters")
        self.check_range(rule.offset, description["n_rows"] * description["n_cols"])
        if description.get("penalty") is not None:
            self.fill_penalty(&rule.penalty, description, max(rule.n_rows, rule.n_cols))
        if description.get("constraint") is not None:
            self.fill_constraint(&rule.constraint, description)
        return 0

    cdef int fill_penalty(self, Penalty *penalty, dict description, Py_ssize_t most_vectors) except -1:
        penalty.traits = &penalty_rows[<int> PENALTIES[description["penalty"]]]
        penalty.l1, penalty.l2 = description.get("l1", 0.0), description.get("l2", 0.0)
        penalty.custom = self.kept(description.get("custom_penalty"), penalty.traits.of_f32 == NULL)
        if penalty.traits.takes_lengths:
            penalty.lengths = <double *> allocate(most_vectors, sizeof(double))
        return 0

    cdef int fill_constraint(self, Constraint *constraint, dict description) except -1:
        cdef int i
        constraint.traits = &constraint_rows[<int> CONSTRAINTS[description["constraint"]]]
        constraint.axis = description.get("axis", 0)
        numbers = description.get("parameters", ())
        check_length(numbers, constraint.traits.n_parameters, MOST_CONSTRAINT_PARAMETERS, "parameters of a constraint")
        for i, number in enumerate(numbers):
            constraint.parameters[i] = number
        constraint.custom = self.kept(description.get("custom_constraint"), description["constraint"] == "custom")
        return 0

    cdef void *kept(self, object custom, bint needed) except? NULL:
        """The object of a custom penalty or constraint, NULL for one that has none."""
        if (custom is not None) != needed:
            raise ValueError("a custom penalty or constraint, and no other, needs its object")
        self.python_objects.append(custom)
        return <void *> custom if needed else NULL

    def __dealloc__(self):
        cdef Py_ssize_t i
        if self.optimizer.rules != NULL:
            for i in range(self.optimizer.n_rules):
                free(self.optimizer.rules[i].penalty.lengths)
        free(self.optimizer.groups)
        free(self.optimizer.rules)
        free(self.optimizer.tensors)
        free(self.optimizer.scratch)

    cdef int check_range(self, Py_ssize_t offset, Py_ssize_t size) except -1:
        if offset < 0 or size < 0 or size > self.optimizer.n_parameters - offset:
            raise ValueError(f"range ({offset}, {size}) lies outside {self.optimizer.n_parameters} parameters")
        return 0

    cdef int check_matrices(self, const TensorRange *tensor) except -1:
        """What a rule of tensors reads and writes of its state and of the scratch memory."""
        cdef Py_ssize_t n_rows = tensor.n_rows, n_cols = tensor.n_cols, whole = max(tensor.size, <Py_ssize_t> 1)
        cdef bint several = self.optimizer.rule == RULE_ADAFACTOR
        if n_rows == 0 and n_cols == 0 and not several:
            return 0
        if not 0 < n_cols <= whole or not 0 < n_rows <= whole or tensor.size % (n_rows * n_cols) != 0 or (
                tensor.size > n_rows * n_cols and not several):
            raise ValueError(f"matrices of shape ({n_rows}, {n_cols}) do not make up {tensor.size} parameters")
        return 0

    def step(self, double learning_rate, int64_t step):
        """One update from the gradients, which are consumed; `step` counts from 0 those that came before.

        Returns whether it was made: not so if it would leave the finite numbers.
        """
        cdef OptimizerStruct *o = &self.optimizer
        cdef void *w = cnp.PyArray_DATA(self.parameters)
        cdef void *g = cnp.PyArray_DATA(self.gradients)
        cdef bint narrow = self.dtype.itemsize == 4, made
        with nogil:
            if narrow:
                made = take_bounded_step(o, <float *> w, <float *> g, learning_rate, step)
            else:
                made = take_bounded_step(o, <double *> w, <double *> g, learning_rate, step)
        if o.failed:
            o.failed = False
            raise_kept_error(self.python_objects)
        return made

    @property
    def nadam_product(self):
        return self.optimizer.nadam_product

    @nadam_product.setter
    def nadam_product(self, double value):
        self.optimizer.nadam_product = value
