"""Models: layers put together, and compiled into one native network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast, overload

import numpy as np

import cnn_core.foundation.validation as validation
import cnn_core.network.block as block
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.display import show
from cnn_core.foundation.dtype_policy import DTypePolicy
from cnn_core.foundation.eager import EagerArray, eager
from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.foundation.structures import filled, flatten
from cnn_core.layers.base import Layer, registry
from cnn_core.layers.input import Input, InputLayer
from cnn_core.layers.masks import refuse_masks_across
from cnn_core.models.calls_again import called_again, layer_of
from cnn_core.models.own_model import OwnModel
from cnn_core.network.applying import recognise
from cnn_core.network.graph import TEXT, CallGraph, Node, Symbol, UndefinedError, enter_graph
from cnn_core.network.interface import Interface, tell_apart
from cnn_core.network.plan import NetworkPlan
from cnn_core.network.shapes import fits, listed_shapes, shapes_for
from cnn_core.network.tensors import Tensor
from cnn_core.network.tracing import innermost_scope, is_recording
from cnn_core.network.variables import Variable
from cnn_core.training.trainer import Trainer

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from cnn_core.foundation.model_file import FileLike
    from cnn_core.foundation.replacement import PathLike
    from cnn_core.inspection import Trace
    from cnn_core.models.predictor import Predictor


@registry.register("Functional")
class Model(Trainer, OwnModel):
    """A network from inputs to outputs, put together by calling layers on symbols; or a custom one, by `call`.

    A subclass that makes layers in its `__init__` and says in ``call(self, x, training=None)`` what it computes of them
    is made without inputs and outputs, and built by the first data that it sees, or by `build(input_shape)`. `call` may
    be written as that of a layer: see `layers.Layer`.

    Parameters
    ----------
    inputs : Symbol, or list or dict of Symbol
        As `Input` returns them.
    outputs : Symbol, or list or dict of Symbol
    name : str, default None
    trainable : bool, default True

    Raises
    ------
    ValueError
        If an output depends on an input that is not listed, two layers have the same name, or dtypes differ.

    Examples
    --------
    >>> from cnn_core import Input, layers
    >>> x = Input((4,))
    >>> hidden = layers.Dense(8, activation="relu")(x)
    >>> model = Model(x, layers.Dense(3, activation="softmax")(hidden))
    >>> model.output_shape
    (None, 3)
    """

    builds_once = False
    passed_over: ClassVar[Mapping[str, str]] = {
        "build": "models build themselves from the shape of their input",
        "reset_metrics": "every epoch and every evaluation begins with new metrics",
        "compute_mask": "masks are made and read within a model",
    }

    def __init__(
        self,
        inputs: object = None,
        outputs: object = None,
        name: str | None = None,
        trainable: bool = True,
        dtype: object = None,
    ) -> None:
        Layer.__init__(self, name=name, trainable=trainable, dtype=dtype)
        Trainer.__init__(self)
        self._graph: CallGraph | None = None
        self._layers: list[Layer] = []
        given = inputs is not None or outputs is not None
        if not given and self.trains_by_steps and not self.defines_call:
            self.lets_steps_compute()
        if given == self.defines_call:
            raise TypeError(
                f"{type(self).__name__} must have inputs and outputs, or define `call`, and not both. "
                f"Received: inputs={validation.show(inputs)}, outputs={validation.show(outputs)}"
            )
        if given:
            self._use(CallGraph(inputs, outputs))

    def _use(self, graph: CallGraph) -> None:
        """Take a graph over: from now on it is what the model computes."""
        parts = cast("list[Symbol | Layer]", graph.in_order())
        layers = [InputLayer.of(part) if isinstance(part, Symbol) else part for part in parts]
        tell_apart(layers)
        interface = Interface.of(graph)
        self.hold(layers)
        self._interface = interface
        self._graph = graph
        self._layers = self.attribute_layers() if self.defines_call else layers
        self.n_inputs = 1 if isinstance(graph.input_structure, Symbol) else None
        if self.dtype != interface.dtype.name:
            self.dtype_policy = DTypePolicy(interface.dtype.name)
        self._forget_network()
        self.built = True

    # Structure

    @property
    def graph(self) -> CallGraph:
        """The calls of layers that lead from the inputs to the outputs."""
        if self._graph is None:
            raise UndefinedError(f"{self.name!r} has no input yet: begin it with Input(shape), or call build or fit")
        return self._graph

    @property
    def inner_graph(self) -> CallGraph:
        """What a graph around this model sees of its inside."""
        return self.graph

    @property
    def inputs(self) -> list[Symbol]:
        """The inputs' symbols."""
        return list(self.graph.inputs)

    @property
    def outputs(self) -> list[Symbol]:
        """The outputs' symbols."""
        return list(self.graph.outputs)

    @property
    def input(self) -> Any:
        """The inputs as they were given: a symbol, or a list or dict of symbols."""
        return self.graph.input_structure

    @property
    def output(self) -> Any:
        """The outputs as they were given."""
        return self.graph.output_structure

    @property
    def input_shape(self) -> Any:
        """The input's shape, or a list of shapes."""
        shapes = [symbol.shape for symbol in self.graph.inputs]
        return shapes[0] if len(shapes) == 1 else shapes

    @property
    def output_shape(self) -> Any:
        """The output's shape, or a list of shapes."""
        shapes = self.output_shapes
        return shapes[0] if len(shapes) == 1 else shapes

    @property
    def output_shapes(self) -> list[tuple[Any, ...]]:
        """The shape of every output."""
        return list(self.interface.output_shapes)

    @property
    def output_names(self) -> list[str]:
        """The names by which losses, metrics and targets can be given: dict keys, or the layers' names."""
        return list(self.interface.output_names)

    @property
    def input_names(self) -> list[str]:
        """The names by which inputs can be given: dict keys, or those of the symbols."""
        return [spec.name for spec in self.interface.inputs]

    @property
    def interface(self) -> Interface:
        """What the model takes and gives."""
        if self._graph is None:
            self.graph  # noqa: B018 - says what is missing
        return self._interface

    @property
    def array_dtype(self) -> np.dtype[Any]:
        """The dtype of what the model takes and gives, and of the variables of all its layers."""
        return self.interface.dtype

    @property
    def layers(self) -> list[Layer]:
        """The layers in the order in which they compute, inputs first; of a custom model as they were set."""
        return [layer for layer in self.operations if not layer.is_operation]

    @property
    def operations(self) -> list[Any]:
        """The layers and the functions of `ops` between them."""
        return list(self._inner_layers())

    def _inner_layers(self) -> Sequence[Layer]:
        return self.attribute_layers() if self.defines_call else self._layers

    @knows_its_arguments
    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """Return a layer by its name or its index.

        Raises
        ------
        ValueError
            If there is no such layer, or not exactly one of the two is given.
        """
        if (name is None) == (index is None):
            raise ValueError(f"`get_layer` takes either a name or an index. Received: name={name!r}, index={index!r}")
        layers = self.layers
        if index is not None:
            index = validation.integer(index, "index")
            if not -len(layers) <= index < len(layers):
                raise ValueError(f"`index` must be smaller than {len(layers)}. Received: index={index}")
            return layers[index]
        names = [layer.name for layer in layers]
        return layers[names.index(validation.choice(name, "name", names))]

    @property
    def metadata(self) -> dict[str, str]:
        """Texts of the user's, which files of the model carry: what the data was, or the names of the classes."""
        texts: dict[str, str] = self.__dict__.setdefault("_metadata", {})
        return texts

    # Variables

    @property
    def variables(self) -> list[Variable]:
        """All variables, in the order of the layers; one that several layers share counts once."""
        if self.defines_call:
            return self.own_variables()
        return _unique(variable for layer in self._layers for variable in layer.variables)

    @property
    def trainable_variables(self) -> list[Variable]:
        """Those that training changes."""
        if self._trained[0] != Variable.changes:
            self._trained = Variable.changes, self._list_trainable() if self.trainable else []
        return list(self._trained[1])

    def _list_trainable(self) -> list[Variable]:
        if self.defines_call:
            return self.own_trainable_variables()
        return _unique(variable for layer in self._layers for variable in layer.trainable_variables)

    # Plan

    def emit(self, plan: NetworkPlan, inputs: list[int]) -> list[int]:
        """Enter the operations of all layers into a plan."""
        return enter_graph(plan, self.interface.graph, inputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output, or of each in their structure.

        Raises
        ------
        ValueError
            If it is not a shape of the model's inputs.
        """
        if self._graph is None:
            return self._shape_unbuilt(input_shape)
        expected, given = [symbol.shape for symbol in self.inputs], listed_shapes(input_shape)
        if len(given) != len(expected) or not all(map(fits, given, expected)):
            raise ValueError(
                f"`input_shape` must be that of {self.name!r}, {self.input_shape}. Received: input_shape={input_shape}"
            )
        return shapes_for(input_shape, self._graph.output_structure)

    def _shape_unbuilt(self, input_shape: object) -> Any:
        return self.shape_of_call(input_shape)

    def plan(self) -> NetworkPlan:
        """Compile the layers into a list of operations.

        Raises
        ------
        ValueError
            If the shape of an input is not known.
        """
        plan = NetworkPlan()
        inputs = []
        for symbol in self.interface.graph.inputs:
            sizes = [size for size in symbol.shape[1:] if size is not None]
            if len(sizes) < len(symbol.shape) - 1:
                raise ValueError(
                    f"The shape of {symbol.name!r} must be known but for the batch. Received: {symbol.shape}"
                )
            inputs.append(plan.add_input(sizes))
        plan.set_outputs(self.add_to(plan, inputs), self.name)
        return plan

    def _build_for(self, x: object) -> None:
        """Take the shape of the input from data, where it is not known yet."""
        if self.defines_call:
            self.build_own_for(x)

    def build(self, input_shape: Any = None) -> None:
        """Trace the `call` of a custom model for inputs of this shape, or a list or dict of shapes."""
        if not self.defines_call:
            raise ValueError(f"{self.name!r} is built of its inputs and outputs. Received: input_shape={input_shape}")
        self.build_own(input_shape)

    def _build_for_symbols(self, symbols: list[Any]) -> None:
        """Take the shape of the input from a symbol, where it is not known yet."""

    def _pack_outputs(self, arrays: list[Array]) -> Any:
        structure = self._graph.output_structure  # type: ignore[union-attr]  # what has outputs has a graph
        return arrays[0] if isinstance(structure, Symbol) else filled(structure, arrays)

    # Calling

    @overload
    def __call__(
        self, inputs: Symbol | Sequence[Symbol] | Mapping[str, Symbol], training: bool | None = None
    ) -> Symbol | Any: ...

    @overload
    def __call__(self, inputs: Any, training: bool | None = None) -> EagerArray | Any: ...

    @overload
    def __call__(self, *arguments: Any, **keywords: Any) -> Any: ...

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """Apply the model to symbols, as a layer, or to arrays: one batch through `predict`'s path.

        With `training`, layers such as Dropout behave as in training: see `Layer.__call__`. A custom model takes
        what its `call` takes.
        """
        if self.defines_call:
            return self.call_own(arguments, keywords)
        if len(arguments) == 1 and not keywords:  # as nearly all calls are
            return self._apply(arguments[0])
        return self._apply(*arguments, **keywords)

    def _apply(self, inputs: object, training: bool | None = None) -> Any:
        training = None if training is None else validation.boolean(training, "training")
        if not isinstance(inputs, np.ndarray) and not validation.is_sparse(inputs):  # one of SciPy's is a dict
            leaves = self._in_order(inputs)
            if any(isinstance(leaf, Symbol) for leaf in leaves):
                return self._call_model_on_symbols(leaves, training)
        if not self.built:
            self._build_for(inputs)
        if training or (innermost_scope() is not None and is_recording()):
            outputs, losses = self._results_on(inputs, bool(training))
            self.keep_losses(losses)
            return self._pack_outputs(list(map(eager, outputs)))
        outputs = self._predict_arrays(inputs, EagerArray)
        if self._adds_losses:
            self._unmeasured = inputs
        return self._pack_outputs(outputs)

    def _results_on(self, inputs: object, training: bool) -> tuple[list[Any], list[Any]]:
        arrays = self._batch_of(inputs)
        return block.Cache(self, arrays, len(arrays) > 1, training, losses_apart=True).results()

    def losses_on(self, inputs: object) -> list[Any]:
        """Return what a call on arrays adds to the loss."""
        return self._results_on(inputs, False)[1]

    def _in_order(self, inputs: object) -> list[Any]:
        if self.built:
            inputs = self.interface.input_form.by_name(inputs, "x")
        if isinstance(inputs, Mapping) and self.built and set(inputs) == set(self.input_names):
            return [inputs[name] for name in self.input_names]
        return flatten(inputs)

    def _batch_of(self, inputs: object) -> list[Any]:
        """Return what native code reads as arrays of the model's dtype in their full shapes; tensors as they are."""
        if is_recording() and not validation.is_sparse(inputs):
            leaves = self._in_order(inputs)
            if any(isinstance(leaf, Tensor) for leaf in leaves):
                return leaves
        data = self._reader().read(inputs).dense()
        return [
            np.asarray(rows).reshape(data.n, *(symbol.shape[1:] or (1,)))
            for rows, symbol in zip(data.inputs, self.interface.graph.inputs, strict=True)
        ]

    def _call_model_on_symbols(self, leaves: list[Any], training: bool | None) -> Any:
        for leaf in leaves:
            if not isinstance(leaf, Symbol):
                raise TypeError(
                    f"{self.name!r} must be called on symbols or on arrays, not on both. Received: {leaf!r}"
                )
        self._build_for_symbols(leaves)
        if len(leaves) != len(self.graph.inputs):
            raise ValueError(f"{self.name!r} takes {len(self.graph.inputs)} inputs. Received: {len(leaves)}")
        for symbol, leaf in zip(self.graph.inputs, leaves, strict=True):
            if symbol.shape[1:] != leaf.shape[1:]:
                raise ValueError(
                    f"{self.name!r} expects an input of shape {symbol.shape}. Received: shape={leaf.shape}"
                )
            if (symbol.dtype == TEXT) != (leaf.dtype == TEXT):
                raise TypeError(f"{self.name!r} expects an input of dtype {symbol.dtype}. Received: {leaf!r}")
        refuse_masks_across(self.name, leaves, self.graph.outputs)
        outputs = [Symbol(symbol.shape, f"{self.name}_output", symbol.dtype) for symbol in self.graph.outputs]
        Node.of(self, leaves, outputs, self.mode_of_call(training))
        return filled(self.graph.output_structure, outputs)

    # Looking inside

    @knows_its_arguments
    def trace(self, x: object, y: object = None, sample_weight: object = None) -> Trace:
        """Show z, a, delta, dW and db of every layer for a batch: see `inspection.trace`."""
        import cnn_core.inspection as inspection

        return inspection.trace(self, x, y, sample_weight)

    @knows_its_arguments
    def gradients(self, x: object, y: object, sample_weight: object = None, *, with_inputs: bool = False) -> Any:
        """Return dJ/dw for every trainable weight, in their order: see `inspection.gradients`."""
        import cnn_core.inspection as inspection

        return inspection.gradients(self, x, y, sample_weight, with_inputs=with_inputs)

    @knows_its_arguments
    def predictor(self, dtype: DTypeLike | None = None, calibration: object = None) -> Predictor:
        """Return a function that predicts few rows with the least delay.

        It works on copies of the weights, one as they are and one of large kernels in the order in which products of
        several rows read them: training goes on without changing it, and any number of threads may call it. NaN in x
        gives NaN; whatever else `predict` would refuse is refused here too.

        Parameters
        ----------
        dtype : {"bfloat16", "int8", "float32", "float64"}, default None
            In which type factors of products are computed. None: as in `predict`. "bfloat16" rounds kernels once, to
            half their size, and the rows that enter a dense layer; sums stay float32. Outputs of a network differ by
            some 0.5 % of their spread. Networks beyond the processor's caches answer one or two rows in half the
            time or less, and any number where it multiplies bfloat16 itself (see `show_config`). "int8" makes kernels
            a quarter as large, and rounds the rows that enter a dense layer to 8 bits, each row by a unit of its own;
            a row with an infinity gives NaN. Read the `error` of the predictor before you use it.
        calibration : array-like, default None
            With "int8": rows like those that will come, some hundreds. They tell how large the inputs of each layer
            are, and how far the answers are from those in float32.

        Returns
        -------
        callable ``(x, out=None) -> numpy.ndarray``
            `x` of shape (n, features) or (features,); `out`, if given, is filled and returned. An array of the model's
            dtype in C order is read in place, anything else that resembles an array of numbers is converted first. Its
            `error` is the root mean square difference that int8 makes to the outputs for `calibration`, as a share of
            their standard deviation, else None.

        Raises
        ------
        ValueError
            If the model has several inputs or outputs, the dtype does not fit, or "int8" and `calibration` are not
            given together; by a call, if `x` or `out` has
            another shape, or `x` holds a masked or missing value or one that the model's dtype cannot hold.
        TypeError
            By a call, if `x` holds texts, dates, complex numbers or other objects, or is sparse.

        Examples
        --------
        >>> import numpy as np
        >>> from cnn_core import Input, Sequential, layers
        >>> model = Sequential([Input((2,)), layers.Dense(1, kernel_initializer="ones")])
        >>> model.predictor()(np.array([1.0, 2.0], "float32"))
        array([3.], dtype=float32)
        """
        from cnn_core.models.predictor import compile_predictor

        return compile_predictor(self.interface, self.plan(), dtype, calibration)

    @knows_its_arguments
    def summary(
        self,
        line_length: int | None = None,
        positions: Sequence[float] | None = None,
        print_fn: Callable[[str], Any] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Sequence[str] | None = None,
    ) -> None:
        """Print the layers, their output shapes and numbers of parameters, in ASCII where the output has no more."""
        from cnn_core.models.summary import format_summary

        text = format_summary(self, line_length, positions, expand_nested, show_trainable, layer_range)
        (print_fn or show)(text)

    def _repr_html_(self) -> str | None:
        import cnn_core.models.summary as summary

        return summary.summary_html(self)

    # Configuration and files

    def _settings(self) -> dict[str, Any]:
        """Return the layers and the calls that connect them."""
        if self.has_own_constructor() or self.defines_call:
            return self.constructor_settings()
        graph = self.graph
        return {
            "name": self.name,
            "trainable": self.trainable,
            "inputs": [{"name": s.name, "shape": list(s.shape[1:]), "dtype": s.dtype} for s in graph.inputs],
            "layers": graph.layers,
            "calls": graph.calls(),
            "input_structure": graph.numbered(graph.input_structure),
            "output_structure": graph.numbered(graph.output_structure),
            **self.arguments_beside_symbols(),
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Any = None) -> Self:
        """Build the model whose `get_config` returned `config`, with new weights."""
        if cls.has_own_constructor() or cls.defines_call:
            return cls(**config)
        if "input_layers" in config:
            import cnn_core.models.keras_format as keras_format  # only for what Keras wrote

            config = keras_format.from_keras(config)
        layers = [layer_of(each, custom_objects) for each in config["layers"]]
        symbols = [Input(tuple(each["shape"]), name=each["name"], dtype=each["dtype"]) for each in config["inputs"]]
        return cls.connected(config, *called_again(config, layers, symbols))

    @classmethod
    def connected(cls, config: Mapping[str, Any], inputs: object, outputs: object) -> Self:
        """Make a model of symbols, with the name, and a custom constructor's arguments, that a configuration has."""
        own = {name: config[name] for name in cls.names_beside_symbols() if name in config}
        return cls(
            inputs=inputs, outputs=outputs, name=config.get("name"), trainable=config.get("trainable", True), **own
        )

    def to_json(self, **arguments: object) -> str:
        """Return the architecture as JSON, for `model_from_json`."""
        import cnn_core.saving as saving

        return saving.to_json(self, **arguments)

    @knows_its_arguments
    def save(self, filepath: FileLike, overwrite: bool = True, *, metadata: Mapping[str, str] | None = None) -> None:
        """Write architecture, weights, compile arguments and optimizer state to one file: see `saving.save_model`."""
        import cnn_core.saving as saving

        saving.save_model(self, filepath, overwrite=overwrite, metadata=metadata)

    @knows_its_arguments
    def export(self, filepath: PathLike, format: str = "onnx", verbose: object = None) -> None:
        """Write the model as an ONNX file for other runtimes: see `interop.to_onnx`.

        Parameters
        ----------
        filepath : str or path-like
        format : {"onnx"}
            Keras's other formats belong to its backends.
        verbose : default None
            Accepted because Keras has it.
        """
        import cnn_core.interop.onnx_writer as onnx_writer

        validation.choice(format, "format", ("onnx",))
        onnx_writer.to_onnx(self, filepath)

    @knows_its_arguments
    def save_weights(self, filepath: FileLike, overwrite: bool = True) -> None:
        """Write the weights alone."""
        import cnn_core.saving as saving

        saving.save_weights(self, filepath, overwrite=overwrite)

    @knows_its_arguments
    def load_weights(self, filepath: FileLike, skip_mismatch: bool = False) -> None:
        """Read weights that `save_weights` or `save` wrote."""
        import cnn_core.saving as saving

        saving.load_weights(self, filepath, skip_mismatch=skip_mismatch)

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy and a pickle carry: all but native memory, locks and what follows from the rest."""
        return {name: value for name, value in self.__dict__.items() if name not in self._transient}

    def __setstate__(self, state: dict[str, Any]) -> None:
        Trainer.__init__(self)
        Layer.__setstate__(self, state)
        if self._graph is None:
            self.hold(self._layers)
            return
        self._use(self._graph)
        if self.optimizer is not None:
            recognise(self.optimizer, self.trainable_variables)


def _unique(variables: Iterable[Variable]) -> list[Variable]:
    return list({id(variable): variable for variable in variables}.values())
