# Passes over batches: training with an optimizer, evaluation without. Floor 2.

from libc.math cimport isnan
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport free

from compile cimport most_members
from gathering cimport Source
from loss cimport Loss, Targets, values_per_sample
from losses cimport loss_denominator, takes_activation_over
from metrics cimport AS_ITS_LOSS, CLASSES, Metric
from noise cimport STRENGTH
from plan cimport *
from ranges cimport all_indices, all_labels
from run cimport (RUN_DIVERGED, RUN_FAILED, SHARE_COUNT, SHARE_FIRST, SHARE_NUMBERS, SHARE_PLACE, SHARE_WHOLE, Run,
                  clear_totals, copy_totals, run_slice, totals_length, update)


cdef double SLICE_SECONDS = 0.05
cdef Py_ssize_t LONG_STEP = 1 << 29  # multiply-adds of a forward pass from which a step polls for signals
cdef Py_ssize_t TRAINING_BLOCK_BYTES = 1 << 18
cdef Py_ssize_t SMALL_NETWORK = 1 << 15  # parameters; larger networks take a batch whole, so that W is packed once
cdef Py_ssize_t ROWS_OF_MEMBERS = 512     # of an ensemble's block: enough for a product, few enough for the cache


cdef class Pass(Workbench):
    """Passes over batches of samples: training with an optimizer, evaluation without.

    Parameters
    ----------
    network : Network
    inputs, targets, weights : lists of arrays, one for each input of the plan and each loss; weights may be None
    batch_size : int
    losses, metrics : lists of descriptions
    optimizer : Optimizer or None
    predictions : list with an array or None for each output
    mode : "evaluation", "training" or "tracing"
    input_gradients : bool
    """
    cdef Optimizer optimizer
    cdef Run run
    cdef list kept_alive
    cdef object shares
    cdef object exchange
    cdef readonly bint has_updated  # by the last call of `update`
    cdef object checked_order
    cdef readonly Py_ssize_t n_batches
    cdef Py_ssize_t most_samples

    def __cinit__(self, Network network not None, list inputs not None, list targets not None,
                  list weights not None, object batch_size,
                  list losses not None, list metrics not None,
                  Optimizer optimizer=None, list predictions=None, str mode="evaluation",
                  uint64_t seed=0, bint input_gradients=False):
        cdef int i
        cdef Py_ssize_t n
        cdef Run *run = &self.run
        self.open(network)
        check_length(inputs, network.plan.n_inputs, network.plan.n_inputs, "inputs")
        check_length(losses, 0, MAX_LOSSES, "losses")
        check_length(targets, len(losses), len(losses), "targets")
        check_length(weights, len(losses), len(losses), "weights")
        n = len(inputs[0])
        self.optimizer = optimizer
        run.plan, run.workspace, run.tensors = &self.plan, &self.workspace, self.tensors
        run.tensor_sizes = network.tensor_sizes
        run.n_samples, run.batch_size = n, max(<Py_ssize_t> 1, min(batch_size, n))
        self.most_samples = n
        run.n_losses, run.n_metrics = len(losses), len(metrics)
        run.inputs = <Source *> allocate(network.plan.n_inputs, sizeof(Source))
        run.targets = <Targets *> allocate(run.n_losses, sizeof(Targets))
        run.losses = <Loss *> allocate(run.n_losses, sizeof(Loss))
        run.metrics = <Metric *> allocate(run.n_metrics, sizeof(Metric))
        run.metric_targets = <int *> allocate(run.n_metrics, sizeof(int))
        run.predictions = <void **> allocate(network.plan.n_outputs, sizeof(void *))
        run.loss_totals = <double *> allocate(2 * run.n_losses, sizeof(double))
        for i in range(run.n_losses):
            fill_loss(&run.losses[i], losses[i], network)
            check_widths(&run.losses[i], network.plan.buffers[run.losses[i].output].width)
            if "plan" in losses[i]:
                self.traced_losses.append(traced_loss(network, losses[i]["plan"], &run.losses[i]))
        for i in range(run.n_metrics):
            self.fill_metric(i, metrics[i])
        self.python_objects = [description["custom"] for description in losses if description["custom"] is not None]
        for i in range(network.plan.n_inputs):
            self.sparse[network.plan.inputs[i]] = is_sparse(inputs[i])
            if is_sparse(inputs[i]) and input_gradients:
                raise ValueError("there is no gradient with respect to sparse rows")
        self.point_at(inputs, targets, weights, predictions)
        if optimizer is not None:
            if optimizer.dtype != network.dtype:
                raise TypeError(f"the optimizer is of {optimizer.dtype}, the network of {network.dtype}")
            if optimizer.optimizer.penalties_over_batch and run.n_losses == 0:
                raise ValueError("penalties over a batch need a loss")
            run.optimizer = &optimizer.optimizer
            run.gradients = self.gradients if mode != "evaluation" else NULL
            run.parameters = cnp.PyArray_DATA(optimizer.parameters)
            run.flat_gradients = cnp.PyArray_DATA(optimizer.gradients)
        self.mark_deltas(mode != "evaluation", input_gradients)
        for i in range(run.n_losses):
            self.needs_delta[run.losses[i].output] = True
        run.block_size = self.block_size(mode)
        self.allocate_workspace(min(run.block_size, max(n, <Py_ssize_t> 1)), mode, seed)
        for traced in self.traced_losses:
            (<TracedLossPlan> traced).allocate(self.workspace.capacity, mode)
        if run.batch_size * network.most_work_per_sample() > LONG_STEP:
            self.interruption = Interruption()
            self.workspace.interruption = <void *> self.interruption
        self.workspace.live = mode == "training"  # a trace only looks at a batch

    def __dealloc__(self):
        cdef int i
        for i in range(self.run.n_losses):
            if self.run.losses != NULL:
                free(self.run.losses[i].parameters)
        for i in range(self.run.n_metrics):
            if self.run.metrics != NULL:
                free(self.run.metrics[i].loss.parameters)
        free(self.run.inputs)
        free(self.run.targets)
        free(self.run.losses)
        free(self.run.metrics)
        free(self.run.metric_targets)
        free(self.run.predictions)
        free(self.run.loss_totals)

    def feed(self, list inputs, list targets, list weights, list predictions=None):
        """Points the pass at other data, of at most as many samples as it was made for; drops totals not taken."""
        self.point_at(inputs, targets, weights, predictions)
        clear_totals(&self.run)

    def feed_plain(self, object x, object y):
        """Points a pass of one input and one loss at one batch, of at most as many samples as it was made for.

        False if x is no plain array of rows, y no plain array of as many targets, or the loss has more of them; then
        there is no batch to run.
        """
        cdef Loss *loss = self.run.losses
        cdef Py_ssize_t n, width = self.plan.buffers[loss.output].width
        cdef int kind = cnp.NPY_FLOAT32 if self.network.element_size == 4 else cnp.NPY_FLOAT64
        cdef object targets = y
        if self.busy:
            raise RuntimeError("another thread is running this pass")
        self.n_batches = 0
        clear_totals(&self.run)
        if (self.plan.n_inputs != 1 or self.run.n_losses != 1 or self.sparse[self.plan.inputs[0]]
                or not is_plain(x, kind, self.network.sample_size(self.plan.inputs[0]))):
            return False
        n = cnp.PyArray_DIM(<cnp.ndarray> x, 0)
        if n > self.most_samples or n > self.run.batch_size or self.plan.buffers[loss.output].rows != 1:
            return False
        if loss.has_labels:
            targets = plain_labels(y, width) if isnan(loss.ignored) else None
            if targets is None:
                return False
        elif not is_plain(y, kind, loss.target_width):
            return False
        if cnp.PyArray_DIM(<cnp.ndarray> targets, 0) != n:
            return False
        self.kept_alive, self.checked_order = [x, targets], None
        self.run.shares = NULL
        self.run.inputs[0].data = cnp.PyArray_DATA(<cnp.ndarray> x)
        self.run.targets[0].values = cnp.PyArray_DATA(<cnp.ndarray> targets)
        self.run.targets[0].weights = NULL
        for i in range(self.network.plan.n_outputs):
            self.run.predictions[i] = NULL
        self.run.n_samples, self.n_batches = n, 1
        return True

    cdef int point_at(self, list inputs, list targets, list weights, list predictions) except -1:
        cdef Run *run = &self.run
        cdef Network network = self.network
        cdef list kept
        cdef Py_ssize_t n, i
        if self.busy:
            raise RuntimeError("another thread is running this pass")
        check_length(inputs, network.plan.n_inputs, network.plan.n_inputs, "inputs")
        check_length(targets, run.n_losses, run.n_losses, "targets")
        check_length(weights, run.n_losses, run.n_losses, "weights")
        if predictions is not None:
            check_length(predictions, network.plan.n_outputs, network.plan.n_outputs, "predictions")
        n = len(inputs[0])
        if n > self.most_samples:
            raise ValueError(f"expected at most {self.most_samples} samples. Received: {n}")
        for i in range(network.plan.n_inputs):
            if is_sparse(inputs[i]) != self.sparse[network.plan.inputs[i]]:
                raise ValueError(f"input {i} must be sparse or not, as it was when the pass was made")
        # Not the lists, from which a caller could take arrays away.
        kept = [*weights, *(predictions or ())]
        self.kept_alive, self.checked_order = kept, None
        run.shares = NULL  # they were of other samples
        run.n_samples, self.n_batches = n, 0  # no batch can be run until all of it is checked
        kept += network.fill_sources(run.inputs, inputs, n)
        for i in range(run.n_losses):
            self.fill_targets(i, targets[i], weights[i])
        for i in range(network.plan.n_outputs):
            run.predictions[i] = NULL
            if predictions is not None and predictions[i] is not None:
                run.predictions[i] = data_of(predictions[i], network.dtype,
                                             n * network.sample_size(network.plan.outputs[i]), True)
        self.n_batches = (n + run.batch_size - 1) // run.batch_size
        return 0

    cdef int fill_targets(self, int i, object target, object weight) except -1:
        cdef Loss *loss = &self.run.losses[i]
        cdef Py_ssize_t rows = self.plan.buffers[loss.output].rows, n = self.run.n_samples * rows
        cdef Py_ssize_t width = self.plan.buffers[loss.output].width
        cdef Py_ssize_t n_values = self.run.n_samples * values_per_sample(loss, &self.plan)
        if loss.has_labels:
            target = np.array(target, order="C")  # a copy: labels that change after this check would be wild indices
            self.run.targets[i].values = data_of(target, np.dtype(np.int32), n)
            if not all_labels(<const int32_t *> self.run.targets[i].values, n, width, loss.ignored):
                raise ValueError(f"labels must be 0..{width - 1}")
        else:
            self.run.targets[i].values = data_of(target, self.network.dtype, n * loss.target_width)
        self.kept_alive.append(target)
        self.run.targets[i].weights = NULL
        if weight is not None:
            self.run.targets[i].weight_per_sample = weight.size != n_values
            self.run.targets[i].weights = data_of(weight, self.network.dtype,
                                                  self.run.n_samples if weight.size != n_values else n_values)
        return 0

    cdef int fill_metric(self, int i, object description) except -1:
        cdef Metric *metric = &self.run.metrics[i]
        cdef int target = description["target"]
        if not 0 <= target < self.run.n_losses:
            raise ValueError(f"metric {i} reads the targets of loss {target}, of which there are {self.run.n_losses}")
        metric.traits = &metric_rows[<int> METRICS[description["kind"]]]
        metric.weighted, metric.threshold = description["weighted"], description["threshold"]
        fill_loss(&metric.loss, description["loss"], self.network)
        self.check_metric(metric, &self.run.losses[target])
        metric.loss.has_labels = self.run.losses[target].has_labels
        metric.loss.target_width = self.run.losses[target].target_width
        self.run.metric_targets[i] = target
        return 0

    cdef int check_metric(self, Metric *metric, const Loss *compared) except -1:
        """Whether it can read the targets of that loss, for its own output."""
        cdef const Buffer *output = &self.plan.buffers[metric.loss.output]
        cdef bint reads_labels = metric.traits.compares_with == CLASSES
        cdef bint fits = output.rows == self.plan.buffers[compared.output].rows
        if metric.traits.compares_with == AS_ITS_LOSS:
            reads_labels = metric.loss.has_labels
            metric.loss.target_width = compared.target_width
            check_widths(&metric.loss, output.width)
            fits = fits and metric.loss.traits.row_f32 != NULL
        elif not reads_labels:
            fits = fits and compared.target_width == output.width
        if compared.has_labels:  # each is within the width of the output it was checked for
            fits = fits and output.width >= self.plan.buffers[compared.output].width
        if not fits or reads_labels != compared.has_labels or output.width == 0:
            raise ValueError(f"metric {metric.traits.name.decode()!r} cannot read the targets of loss "
                             f"{name_of(compared)!r}")
        return 0

    cdef Py_ssize_t block_size(self, str mode):
        """Small networks, and ensembles, take blocks of samples through all layers while they are in cache; others a
        whole batch.
        """
        cdef Py_ssize_t parameters = 0, block, members = most_members(&self.plan)
        cdef int i
        for i in range(self.plan.n_tensors):
            parameters += self.network.tensor_sizes[i]
        if (mode == "tracing" or self.plan.needs_whole_batch or self.python_objects
                or (parameters > SMALL_NETWORK and members == 1)
                or any((<TracedLossPlan> traced).needs_whole_batch() for traced in self.traced_losses)):
            return min(self.run.batch_size, max(self.run.n_samples, <Py_ssize_t> 1))
        if members > 1:
            return min(self.run.batch_size, max(<Py_ssize_t> 1, ROWS_OF_MEMBERS // members))
        block = max(<Py_ssize_t> 96, TRAINING_BLOCK_BYTES // self.network.bytes_per_sample() // 12 * 12)
        return min(self.run.batch_size, block)

    def __call__(self, Py_ssize_t first_batch, Py_ssize_t last_batch, object learning_rates=None, int64_t step=0,
                 object order=None, bint updates=True, double seconds=SLICE_SECONDS):
        """Runs batches [first_batch, last_batch) or as many as the time allows.

        Returns (status, next_batch, step): status is "finished", "out of time", "diverged" or "failed".
        """
        cdef int status
        cdef const int64_t *indices = self.checked_indices(order)
        cdef const double *rates = NULL
        if self.optimizer is not None and updates:
            rates = <const double *> data_of(learning_rates, _rates_dtype, last_batch - first_batch)
        _kept = self.ready(first_batch, last_batch, rates, step, indices, updates)
        with nogil:
            if self.network.element_size == 4:
                status = run_slice(&self.run, <float **> self.run.tensors, <float **> self.run.gradients, seconds)
            else:
                status = run_slice(&self.run, <double **> self.run.tensors, <double **> self.run.gradients, seconds)
        self.end()
        self.check_failure(self.optimizer)
        PyErr_CheckSignals()
        return STATUS[status], self.run.next_batch, self.run.step

    def update(self, double learning_rate, bint checks=False):
        """The optimizer's step with the gradients that the last batch has left, where it was run without updates.

        Returns whether it was made: not so if it would leave the finite numbers, or if gradients that somebody else
        has completed, which it `checks`, have done so. Nothing is allocated behind it, so that no step is made of which
        its caller does not hear.
        """
        cdef int status
        if self.optimizer is None or self.run.gradients == NULL:
            raise ValueError("a step needs an optimizer and gradients")
        _kept = self.begin()
        self.has_updated = False
        with nogil:
            if self.network.element_size == 4:
                status = update(&self.run, <float **> self.run.tensors, learning_rate, checks)
            else:
                status = update(&self.run, <double **> self.run.tensors, learning_rate, checks)
        self.has_updated = status != RUN_DIVERGED
        self.end()
        if status == RUN_FAILED:
            self.check_failure(self.optimizer)
        return self.has_updated

    cdef const int64_t *checked_indices(self, object order) except? NULL:
        """The order's address, once each of its entries is known to be a sample's number."""
        cdef const int64_t *indices
        if order is None:
            return NULL
        indices = <const int64_t *> data_of(order, _indices_dtype, -1)
        if order.size < self.run.n_samples:
            raise ValueError(f"`order` must hold {self.run.n_samples} indices. Received: {order.size}")
        if order is not self.checked_order:
            if not all_indices(indices, self.run.n_samples):
                raise ValueError(f"`order` must hold indices from 0 to {self.run.n_samples - 1}")
            self.checked_order = order
        return indices

    cdef tuple ready(self, Py_ssize_t first_batch, Py_ssize_t last_batch, const double *learning_rates, int64_t step,
                     const int64_t *order, bint updates):
        """Takes the pass for a run over these batches; the arrays of the parameters live while the result does."""
        cdef Run *run = &self.run
        cdef Plan *plan = &self.plan
        cdef int i
        self.network.update_frozen(self.plan.operations)
        if not 0 <= first_batch <= last_batch <= self.n_batches:
            raise ValueError(f"batches {first_batch} to {last_batch} of {self.n_batches}")
        if self.network.next_seed is not None and run.gradients == NULL:
            self.workspace.seed, self.workspace.first_draw = self.network.next_seed(), self.network.next_draw()
        kept = self.begin()
        run.order, run.learning_rates = order, learning_rates
        run.first_batch = run.next_batch = first_batch
        run.last_batch, run.step, run.updates = last_batch, step, updates
        for i in range(run.n_losses):
            run.targets[i].order = run.order
        for i in range(plan.n_operations):
            plan.operations[i].left_to_loss = False
        for i in range(run.n_losses):
            run.losses[i].left_to_loss = takes_activation_over(&run.losses[i], plan)
            if run.losses[i].left_to_loss:
                plan.operations[run.losses[i].operation].left_to_loss = True
        return kept

    def share_batches(self, object shares, object exchange=None):
        """From now on run a share of each batch only, as one of several processes that add up their gradients.

        Row b of `shares` says of batch b: the first of the samples here and how many they are, the place of the first
        in the whole batch, how many samples that has, whether the penalties count here, and what each loss is divided
        by. A run without updates then leaves it to the caller whether all gradients are finite. `exchange(sums)` adds
        an array of float64 in place over all processes, where an operation needs statistics of the whole batch.
        """
        cdef const double *numbers
        cdef Py_ssize_t batch, n_columns = SHARE_NUMBERS + self.run.n_losses
        if self.busy:
            raise RuntimeError("another thread is running this pass")
        if shares.ndim != 2 or shares.shape[1] != n_columns:
            raise ValueError(f"`shares` must have {n_columns} columns. "
                             f"Received: shape {shares.shape}")
        shares = np.array(shares, np.float64, order="C")
        for batch in range(shares.shape[0]):
            numbers = <const double *> cnp.PyArray_DATA(shares) + batch * n_columns
            if not (0 <= numbers[SHARE_COUNT] <= self.run.batch_size and 0 <= numbers[SHARE_FIRST]
                    and numbers[SHARE_FIRST] + numbers[SHARE_COUNT] <= self.run.n_samples
                    and 0 <= numbers[SHARE_PLACE] and 0 <= numbers[SHARE_WHOLE]):
                raise ValueError(f"share {batch} does not lie within the {self.run.n_samples} samples")
        self.shares, self.exchange = shares, exchange
        self.run.shares = <const double *> cnp.PyArray_DATA(shares)
        self.n_batches = shares.shape[0]
        self.workspace.exchange = <void *> exchange if exchange is not None else NULL
        if exchange is not None and not any(exchange is known for known in self.python_objects):
            self.python_objects = [*self.python_objects, exchange]

    def denominators(self, Py_ssize_t first, Py_ssize_t n, object order=None):
        """What each loss adds for n samples of the order to what it is divided by; 0 for a loss that is not divided."""
        cdef int i
        cdef list found = [None] * self.run.n_losses
        cdef const int64_t *indices = self.checked_indices(order)
        if not 0 <= first <= first + n <= self.run.n_samples:
            raise ValueError(f"samples {first} to {first + n} of {self.run.n_samples}")
        for i in range(self.run.n_losses):
            self.run.targets[i].first, self.run.targets[i].order = first, indices
            if self.network.element_size == 4:
                found[i] = loss_denominator(&self.run.losses[i], <const float *> self.run.targets[i].weights,
                                            &self.run.targets[i], n, values_per_sample(&self.run.losses[i], &self.plan))
            else:
                found[i] = loss_denominator(&self.run.losses[i], <const double *> self.run.targets[i].weights,
                                            &self.run.targets[i], n, values_per_sample(&self.run.losses[i], &self.plan))
        return found

    @property
    def looks_across(self):
        """The names of what looks across the samples of a batch in training; "loss" for a loss."""
        cdef Operation *operation
        cdef set found = {"loss" for traced in self.traced_losses if (<TracedLossPlan> traced).needs_whole_batch()}
        cdef int i
        for i in range(self.plan.n_operations):
            operation = &self.plan.operations[i]
            if operation.whole_batch and not operation.frozen:
                found.add(operation.traits.name.decode())
        return found

    def set_regularization(self, double share):
        """From the next batch on, rates of dropout and weight decay are `share` times those that were given."""
        cdef int i
        if not 0 <= share <= 1:
            raise ValueError(f"`share` must lie between 0 and 1. Received: {share}")
        if self.busy:
            raise RuntimeError("another thread is running this pass")
        for i in range(self.plan.n_operations):
            if self.plan.operations[i].kind == DROPOUT:
                self.plan.operations[i].reals[STRENGTH] = share * self.network.plan.operations[i].reals[STRENGTH]
        if self.optimizer is not None:
            self.optimizer.optimizer.weight_decay = share * self.optimizer.weight_decay

    def take_totals(self):
        """What has been added up since the last call: (samples, sum over samples of the batches' penalties, the same
        of each loss, (total, count) of each metric)."""
        cdef double *totals = <double *> allocate(totals_length(&self.run), sizeof(double))
        copy_totals(totals, &self.run)
        clear_totals(&self.run)
        try:
            return read_totals(&self.run, totals)
        finally:
            free(totals)

    @property
    def calls_python(self):
        """Whether an operation, loss, penalty or constraint is written in Python."""
        of_optimizer = [] if self.optimizer is None else self.optimizer.python_objects
        return any(custom is not None
                   for custom in self.python_objects + self.network.python_objects + of_optimizer)

    @property
    def last_loss(self):
        """Of the last batch, penalties included."""
        return self.run.last_loss

    @property
    def step(self):
        """The optimizer's step after the last finished batch."""
        return self.run.step


cdef tuple read_totals(const Run *run, const double *totals):
    """What copy_totals left, as Pass.take_totals returns it."""
    cdef const double *of_losses = totals + 2
    cdef const double *of_metrics = of_losses + run.n_losses
    cdef list losses = [None] * run.n_losses
    cdef list metrics = [None] * run.n_metrics
    cdef int i
    for i in range(run.n_losses):
        losses[i] = of_losses[i]
    for i in range(run.n_metrics):
        metrics[i] = (of_metrics[2 * i], of_metrics[2 * i + 1])
    return totals[0], totals[1], losses, metrics
