"""What every layer is: a name, variables, and a way to enter itself into a plan. No arithmetic on batches."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict, overload
from weakref import ref

import numpy as np

import cnn_core.config as config
import cnn_core.constraints as constraints
import cnn_core.foundation.validation as validation
import cnn_core.initializers as initializers
import cnn_core.network.block as block
import cnn_core.regularizers as regularizers
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.copies import CopiedWhole
from cnn_core.foundation.dtype_policy import policy_of
from cnn_core.foundation.eager import EagerArray
from cnn_core.foundation.keywords import KnowsItsArguments, knows_its_arguments, no_other_arguments
from cnn_core.foundation.left_out import RefusesPassedOver
from cnn_core.foundation.numbering import unique_name
from cnn_core.foundation.serialization import CustomObjects, Registry, snake_case
from cnn_core.foundation.stored_weights import waiting_weight
from cnn_core.foundation.structures import flatten
from cnn_core.layers.configuration import Configured
from cnn_core.layers.masks import PassesMasks
from cnn_core.layers.own_call import OwnCall
from cnn_core.layers.settings import PolicySetting
from cnn_core.network.graph import TEXT, CallGraph, Node, Shape, Symbol, UndefinedError
from cnn_core.network.plan import NetworkPlan
from cnn_core.network.variables import Variable

if TYPE_CHECKING:
    from cnn_core.constraints import ConstraintLike
    from cnn_core.initializers.lookup import InitializerLike
    from cnn_core.regularizers import RegularizerLike

    class CommonWithoutPenalty(TypedDict, total=False):
        """Those of `Common` for a layer that has `activity_regularizer` among its own."""

        name: str | None
        dtype: Any
        trainable: bool
        input_shape: Sequence[int] | None
        input_dim: int | None

    class Common(CommonWithoutPenalty, total=False):
        """The arguments that every layer takes after its own: see `Layer`."""

        activity_regularizer: RegularizerLike


registry: Registry = Registry("layer")


class Layer(OwnCall, PassesMasks, Configured, CopiedWhole, KnowsItsArguments, RefusesPassedOver):
    """Base class of layers.

    A subclass makes its variables in `build(input_shape)` with `add_weight`, inner layers in `__init__` or `build`, and
    says in ``call(self, x, training=None)`` what it computes, by functions of `cnn_core.ops` and layers. `call` runs
    once, with symbols in the place of arrays; what it has computed runs natively from then on, and differentiates
    itself. Python's `if` and `for` may depend on shapes, settings and `training`, which is tried both ways; not on
    data.

    The package's own layers give `compute_output_shape(input_shape)` and enter operations into a plan in
    `emit(plan, inputs)`. Shapes start with the batch dimension, None.

    Parameters
    ----------
    name : str, default None
        None: the class's name in snake case, numbered.
    dtype : {"float32", "float64", "mixed_bfloat16"} or DTypePolicy, default None
        None: `config.dtype_policy()`.
    trainable : bool, default True
        Whether training changes the variables.
    activity_regularizer : regularizer, default None
        A penalty on the output, divided by the batch size.
    input_shape, input_dim : default None
        In the first layer of a Sequential, as older Keras scripts give it: the shape without the batch dimension.
    """

    dtype_policy = PolicySetting()
    n_inputs: int | None = 1  # None: a list of any length
    only_default: ClassVar[Mapping[str, Any]] = {}  # arguments that Keras has: only these values fit
    owner = "layers.Layer"
    instead = "A layer of your own is a subclass of layers.Layer with `call`; a model is put together from layers"
    honours_call: ClassVar[bool] = False  # whether a `call` takes the place of the class's own `emit`
    builds_once: ClassVar[bool] = True  # whether a second `build` would make the variables a second time
    n_draws = 0  # calls on arrays that drew random numbers, each from a step of its own
    _is_building = False
    reads_values: ClassVar[bool] = False  # whether it looks at data while it is read: texts, whole numbers of any size
    takes_vectors_whole = False  # whether an array of one axis is a sample: what depends on all its numbers
    gives_numbers = False  # whether each sample of the output is a number, without an axis
    index_limit: int | None = None  # set by a layer whose input holds indices 0..index_limit - 1

    def __init_subclass__(cls, **keywords: object) -> None:
        cls.defines_call = hasattr(cls, "call") and (cls.honours_call or cls.emit is Layer.emit)
        super().__init_subclass__(**keywords)
        if "build" in vars(cls) and cls.builds_once:
            setattr(cls, "build", _once(cls.build))  # noqa: B010  (mypy takes an assignment for a redefinition)

    def __init__(
        self,
        *,
        name: str | None = None,
        dtype: object = None,
        trainable: bool = True,
        activity_regularizer: RegularizerLike = None,
        input_shape: Sequence[int] | None = None,
        input_dim: int | None = None,
        **others: object,
    ) -> None:
        if others:
            no_other_arguments(type(self), self._without_defaults_of_keras(others))
        self.name = unique_name(snake_case(type(self).__name__)) if name is None else validation.text(name, "name")
        self.dtype_policy = config.dtype_policy() if dtype is None else policy_of(dtype)
        self._trainable = validation.boolean(trainable, "trainable")
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.built = False
        self.calls: list[ref[Node]] = []  # on symbols, as far as these are still in use
        self._variables: list[Variable] = []
        if input_dim is not None:
            input_shape = (validation.positive_integer(input_dim, "input_dim"),)
        self._first_shape = None if input_shape is None else validation.shape(input_shape, "input_shape")

    @classmethod
    def _without_defaults_of_keras(cls, given: Mapping[str, object]) -> dict[str, Any]:
        """Leave out arguments that mean nothing here, if they have Keras's default, as in what Keras writes."""
        only_default = {"autocast": True, **cls.only_default}
        for name, default in only_default.items():
            if name in given and given[name] != default:
                raise ValueError(
                    f"`{name}` must be {default!r}: {cls.__name__} has no other way. Received: {name}={given[name]!r}"
                )
        return {name: value for name, value in given.items() if name not in only_default}

    @property
    def dtype(self) -> str:
        """The type of the variables: `dtype_policy` says it."""
        return self.dtype_policy.variable_dtype

    @property
    def compute_dtype(self) -> str:
        """The type to which factors of products are rounded: "bfloat16" under mixed precision, else `dtype`."""
        return self.dtype_policy.compute_dtype

    @property
    def variable_dtype(self) -> str:
        """The same as `dtype`."""
        return self.dtype

    # Variables

    @property
    def trainable(self) -> bool:
        """Whether training changes the variables, inner layers' too; a change counts from the next fit on."""
        return self._trainable

    @trainable.setter
    def trainable(self, trainable: bool) -> None:
        self._trainable = validation.boolean(trainable, "trainable")
        Variable.note_change()
        for layer in self._inner_layers():
            layer.trainable = self._trainable

    def _inner_layers(self) -> Sequence[Layer]:
        """Return the layers that this one is made of."""
        return self.attribute_layers() if self.defines_call else ()

    @property
    def variables(self) -> list[Variable]:
        """All variables, in the order in which they were added, then those of inner layers."""
        return self.own_variables() if self.defines_call else list(self._variables)

    @property
    def weights(self) -> list[Variable]:
        """The same as `variables`."""
        return self.variables

    @property
    def trainable_variables(self) -> list[Variable]:
        if not self.trainable:
            return []
        return [v for v in self._variables if v.trainable] if not self.defines_call else self.own_trainable_variables()

    @property
    def non_trainable_variables(self) -> list[Variable]:
        trained = set(map(id, self.trainable_variables))
        return [variable for variable in self.variables if id(variable) not in trained]

    @property
    def trainable_weights(self) -> list[Variable]:
        """The same as `trainable_variables`."""
        return self.trainable_variables

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """The same as `non_trainable_variables`."""
        return self.non_trainable_variables

    @knows_its_arguments
    def add_weight(
        self,
        shape: Sequence[int] | None = None,
        initializer: InitializerLike = None,
        dtype: Any = None,
        trainable: bool = True,
        *,
        name: str | None = None,
        regularizer: RegularizerLike = None,
        constraint: ConstraintLike = None,
        autocast: bool = True,
        aggregation: str = "none",
        overwrite_with_gradient: bool = False,
        learning_rate_multiplier: float = 1.0,
        epsilon_multiplier: float = 1.0,
    ) -> Variable:
        """Make a variable and keep it.

        Parameters
        ----------
        shape : tuple of int, default None
            None: (), a single number.
        initializer : str or initializer, default None
            None: "glorot_uniform".
        dtype : default None
            The layer's, which is the only one that fits.
        trainable : bool, default True
        name : str, default None
            None: "variable", numbered within the layer.
        regularizer, constraint : default None
        autocast, aggregation, overwrite_with_gradient
            Accepted with these values because Keras has them.
        learning_rate_multiplier, epsilon_multiplier : float, default 1
            See `Variable`.

        Returns
        -------
        Variable

        Raises
        ------
        ValueError
            If the layer is built: files, models and optimizers count on its variables; or if the dtype is another one.
        """
        if dtype is not None and str(np.dtype(dtype)) != self.dtype:
            raise ValueError(f"`dtype` must be that of the layer, {self.dtype!r}. Received: dtype={dtype!r}")
        if self.built and not self._is_building:
            raise ValueError(
                f"`add_weight` must be called in `build` or before, and {self.name!r} is built. Received: name={name!r}"
            )
        if name is None:
            name = f"variable_{len(self._variables)}" if self._variables else "variable"
        sizes = () if shape is None else tuple(shape)
        value = waiting_weight(sizes, self.dtype)
        if value is None:
            make = initializers.get(initializer) or initializers.GlorotUniform()
            value = initializers.initial_value(make, sizes, self.dtype)
        variable = Variable(
            value,
            trainable=trainable,
            name=name,
            path=f"{self.name}/{name}",
            regularizer=regularizers.get(regularizer),
            constraint=constraints.get(constraint),
            learning_rate_multiplier=learning_rate_multiplier,
            epsilon_multiplier=epsilon_multiplier,
        )
        variable.overwrite_with_gradient = overwrite_with_gradient
        self._variables.append(variable)
        return variable

    @knows_its_arguments
    def add_variable(
        self,
        shape: Sequence[int],
        initializer: InitializerLike,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: RegularizerLike = None,
        constraint: ConstraintLike = None,
        name: str | None = None,
    ) -> Variable:
        """Do as `add_weight` does."""
        settings: Any = {"name": name, "regularizer": regularizer, "constraint": constraint, "autocast": autocast}
        return self.add_weight(shape, initializer, dtype, trainable, **settings)

    def get_weights(self) -> list[Array]:
        """Return copies of all variables."""
        return [variable.numpy() for variable in self.variables]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Set all variables; either all are changed or, if one does not fit, none.

        Raises
        ------
        ValueError
            If there are too many or too few, a shape differs, or a number is not finite.
        """
        variables = self.variables
        if len(weights) != len(variables):
            raise ValueError(
                f"`weights` must have {len(variables)} arrays for {self.name!r}: "
                f"{', '.join(variable.path for variable in variables) or 'none'}. Received: {len(weights)}"
            )
        checked = [variable.check(weight) for variable, weight in zip(variables, weights, strict=True)]
        written = [(held, weight) for each, weight in zip(variables, checked, strict=True) for held in each.held_in()]
        for held, weight in written:  # what could find no memory lies behind
            held[...] = weight

    def count_params(self) -> int:
        """Return how many numbers the variables hold."""
        return sum(variable.size for variable in self.variables)

    @property
    def inner_graph(self) -> CallGraph | None:
        """The calls of a model's layers; None for any other layer."""
        return None

    # Building and calling

    def build(self, input_shape: Any) -> None:
        """Make the variables for inputs of this shape. The default makes none."""
        self.built = True

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output, or of each: of a custom layer what its `call` gives for such an input."""
        return self.shape_of_call(input_shape) if self.defines_call else input_shape

    def emit(self, plan: NetworkPlan, inputs: list[int]) -> list[int]:
        """Enter the layer's operations into a plan; return the buffers of its outputs."""
        if self.defines_call:
            return self.add_call_to(
                plan, inputs, [Symbol((None, *plan.shapes[each]), "", self.dtype) for each in inputs]
            )
        raise NotImplementedError(f"{type(self).__name__} must define call(self, x)")

    def add_to(self, plan: NetworkPlan, inputs: list[int]) -> list[int]:
        """Enter the layer into a plan as `emit` does, with the penalty on its output."""
        with plan.computing_in(self.compute_dtype):
            outputs = self.emit(plan, inputs)
        if self.activity_regularizer is not None:
            for output in outputs:
                plan.add_activity_penalty(output, self.activity_regularizer, self.name)
        return outputs

    def check_inputs(self, shapes: Any) -> None:
        """Say what is wrong with inputs of these shapes, if anything is."""

    def ensure_built(self, shapes: Any) -> None:
        """Build the layer unless it is built, and check that it fits the shapes."""
        self.check_inputs(shapes)
        if self.built:
            return
        try:
            self.build(shapes)
        except BaseException:
            self._variables.clear()  # a second attempt must not find half of the first
            raise
        self.built = True

    @overload
    def __call__(self, inputs: Symbol, training: bool | None = None) -> Symbol: ...

    @overload
    def __call__(self, inputs: Sequence[Symbol] | Mapping[str, Symbol], training: bool | None = None) -> Symbol: ...

    @overload
    def __call__(self, inputs: Any, training: bool | None = None) -> EagerArray: ...

    @overload
    def __call__(self, *arguments: Any, **keywords: Any) -> Any: ...

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """Apply the layer to symbols, which gives symbols, or to arrays, which gives arrays.

        Parameters
        ----------
        inputs : array-like, Symbol, or list of them
            A custom layer takes what its `call` takes.
        training : bool, default None
            Whether layers such as Dropout behave as in training. None: not for arrays; a model of symbols does in
            training. True or False holds for symbols in prediction and training alike, in layers inside, too.

        Returns
        -------
        numpy.ndarray or Symbol
            Of the same shape as `compute_output_shape` tells. Random layers draw new numbers at each call.
        """
        if self.defines_call:
            return self.call_own(arguments, keywords)
        if keywords:
            self._check_keywords(keywords)
        return self._apply(*arguments, **keywords)

    def _check_keywords(self, keywords: Mapping[str, object]) -> None:
        """Say which arguments a call takes, if one of these is not among them."""
        known = list(inspect.signature(self._apply).parameters)
        for name, value in keywords.items():
            if name not in known:
                raise TypeError(
                    f"A call of {self.name!r} takes the arguments {', '.join(f'`{each}`' for each in known)}. "
                    f"Received: {name}={validation.show(value)}"
                )

    def _apply(self, inputs: object, training: bool | None = None) -> Any:
        training = None if training is None else validation.boolean(training, "training")
        leaves = flatten(inputs)
        if any(isinstance(leaf, Symbol) for leaf in leaves):
            return self._call_on_symbols(inputs, leaves, training)
        return self._call_on_arrays(inputs, self.with_mask_to_read(leaves)[len(leaves) :], training)

    def _call_on_arrays(self, inputs: object, masks: list[Any], training: bool | None) -> Any:
        output, losses = block.call_layer(self, inputs, bool(training), masks)
        self.keep_losses(losses)
        self.pass_mask_on(flatten(inputs) if self.n_inputs is None else inputs, output, *masks)
        return output

    def _call_on_symbols(self, inputs: object, leaves: list[Any], training: bool | None) -> Symbol:
        for leaf in leaves:
            if not isinstance(leaf, Symbol):
                raise TypeError(
                    f"{self.name!r} must be called on symbols or on arrays, not on both. Received: {leaf!r}"
                )
            if leaf.dtype == TEXT and not self.reads_values:
                raise TypeError(
                    f"{self.name!r} cannot compute with texts: let StringLookup, Hashing or HashedCrossing read them "
                    f"first. Received: {leaf!r}"
                )
        leaves = self.with_mask_to_read(leaves)
        if self.n_inputs is not None and not self.n_inputs <= len(leaves) <= self.n_inputs + self.reads_masks:
            raise ValueError(f"{self.name!r} takes {self.n_inputs} input. Received: {len(leaves)} inputs")
        shapes: Any = [leaf.shape for leaf in leaves] if self.n_inputs is None else leaves[0].shape
        self.ensure_built(shapes)
        shape: Shape = tuple(self.compute_output_shape(shapes))
        output = Symbol(shape, f"{self.name}_output", self.dtype)
        Node.of(self, leaves, [output], self.mode_of_call(training))
        first, *masks = leaves
        self.pass_mask_on(*((leaves, output) if self.n_inputs is None else (first, output, *masks)))
        return output

    @property
    def input(self) -> Any:
        """The symbol on which the layer was called, or a list of them."""
        node = self._only_call("input")
        return node.inputs[0] if len(node.inputs) == 1 else list(node.inputs)

    @property
    def output(self) -> Any:
        """The symbol that the layer's call gave, or a list of them; for a model up to this layer."""
        node = self._only_call("output")
        return node.outputs[0] if len(node.outputs) == 1 else list(node.outputs)

    def _only_call(self, name: str) -> Node:
        nodes = [node for call in self.calls if (node := call()) is not None]
        if len(nodes) != 1:
            raise UndefinedError(
                f"`{name}` of {self.name!r} is not known: the layer must have been called on symbols once. "
                f"Received: {len(nodes)} calls; use the symbols that they returned"
            )
        return nodes[0]

    @knows_its_arguments
    def forward(self, x: Any, *, training: bool = False) -> tuple[Array, Any]:
        """Compute the layer's output for a batch, and keep what `backward` needs.

        This is one "network block" of the derivation: the forward step keeps z, the backward step takes da and the
        cache.

        Parameters
        ----------
        x : array-like of shape (n, features)
        training : bool, default False
            Whether layers such as Dropout behave as in training.

        Returns
        -------
        a : numpy.ndarray
        cache : cnn_core.network.block.Cache
            With `x`, `z` and `a`.
        """
        return self.forward_own(x, training) if self.defines_call else block.forward(self, x, training=training)

    def backward(self, da: Any, cache: Any) -> tuple[Any, ...]:
        """Compute dJ/dx and the gradient of every variable from da = dJ/da and the cache of `forward`.

        Returns
        -------
        tuple
            dx, then one gradient for each variable that can be trained: `dx, dW, db` for a Dense layer. Gradients are
            sums over the batch; a mean stands in da already if the loss is one.
        """
        return block.backward(self, da, cache)

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy and a pickle carry: all but the calls, which belong to the models that hold them."""
        return {
            name: value
            for name, value in self.__dict__.items()
            if name not in ("calls", "_traces", "_losses_of_call", "_unmeasured")
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.calls = []

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


def _once(build: Callable[..., None]) -> Callable[..., None]:
    """Let a layer's `build` be called once: the variables that a second call made would be trained by nobody."""

    @wraps(build)
    def build_once(self: Any, *shape: object, **named: object) -> None:
        if self.built:
            received = named.get("input_shape", shape[0] if shape else None)
            raise ValueError(
                f"`build` must be called once, and {self.name!r} is built. Received: input_shape={received}"
            )
        before, self._is_building = self._is_building, True  # True where a subclass calls super().build
        try:
            build(self, *shape, **named)
        finally:
            self._is_building = before

    return build_once


def get(identifier: Any) -> Layer:
    """Return a layer from a layer or its configuration."""
    return deserialize(identifier) if isinstance(identifier, Mapping) else identifier


def serialize(layer: Layer) -> dict[str, Any]:
    """Return a layer's class name and configuration as plain data."""
    data: dict[str, Any] = registry.serialize(layer)
    return data


@knows_its_arguments
def deserialize(config: Mapping[str, object], custom_objects: CustomObjects | None = None) -> Layer:
    """Build a layer from what `serialize` returned."""
    layer: Layer = registry.deserialize(config, custom_objects)
    return layer


def features(shape: Any, name: str) -> int:
    """Return the size of the last axis, which a layer's variables depend on."""
    if shape[-1] is None:
        raise ValueError(f"The last axis of {name!r}'s input must be known. Received: shape={shape}")
    return int(shape[-1])
