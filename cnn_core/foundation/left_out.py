"""What Keras has and this package leaves out, and why: one table for messages and for docs/keras.md."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from types import MappingProxyType
from typing import Any, ClassVar, Self

from cnn_core.foundation.records import NamedTuple
from cnn_core.foundation.suggestions import did_you_mean

PAGE = "docs/keras.md"


class Row(NamedTuple):
    """A line of the table: who lacks which names, as patterns of `fnmatch`, and why; words are apart by spaces.

    `called` says that Keras calls methods of these names, so that a class which defines one counts on it.
    """

    owners: str
    names: str
    why: str
    called: bool = False


# Modules go by their names in Keras, "keras" being the package itself; classes by their place in it.
ROWS = (
    Row(
        "keras",
        "FloatDTypePolicy dtype_policies Quantizer quantizers RematScope remat",
        "one dtype of variables per model; no quantisation",
    ),
    Row(
        "keras",
        "Function KerasTensor InputSpec Operation StatelessScope SymbolicScope name_scope backend device tree",
        "there is no backend; what `Input` returns is a `Symbol`",
    ),
    Row(
        "keras",
        "applications preprocessing visualization wrappers distillation export legacy src",
        "not for dense networks, or with a door of its own: `cnn_core.sklearn`",
    ),
    Row(
        "layers",
        "*Conv* Adaptive* Average*Pooling* AvgPool* MaxPool* Cropping* UpSampling* ZeroPadding* SpatialDropout*",
        "convolution",
    ),
    Row(
        "layers",
        "*LSTM* *GRU* *RNN* Bidirectional *Attention ReversibleEmbedding",
        "sequences",
    ),
    Row(
        "layers",
        "Random* RandAugment AugMix AutoContrast CenterCrop CutMix MixUp Equalization "
        "ContrastLimitedAdaptiveHistogramEqualization Solarization Resizing MaxNumBoundingBoxes "
        "MelSpectrogram STFTSpectrogram Pipeline",
        "images and sound",
    ),
    Row(
        "layers",
        "TextVectorization",
        "sequences of words; whole texts: `StringLookup`, `Hashing`",
    ),
    Row(
        "layers",
        "InputSpec",
        "not among the layers of dense networks yet",
    ),
    Row(
        "layers",
        "FlaxLayer JaxLayer TFSMLayer TorchModuleWrapper",
        "backends",
    ),
    Row(
        "initializers",
        "STFT STFTInitializer stft",
        "sound",
    ),
    Row(
        "losses",
        "CTC ctc",
        "sequences",
    ),
    Row(
        "optimizers",
        "LossScaleOptimizer MultiOptimizer OptimizerMap legacy",
        "no scaled loss is needed: give the inner optimizer; one optimizer a model, with multipliers per layer",
    ),
    Row(
        "callbacks",
        "OrbaxCheckpoint ProgbarLogger RemoteMonitor",
        "need other packages; the bar belongs to `fit`",
    ),
    Row(
        "utils",
        "*_from_directory array_to_img img_to_array load_img save_img bounding_boxes get_file",
        "images, text, downloads",
    ),
    Row(
        "utils",
        "Config Progbar *_interactive_logging is_interactive_logging_enabled is_keras_tensor "
        "get_source_inputs model_to_dot legacy standardize_dtype",
        "inner tools",
    ),
    Row(
        "saving",
        "KerasFileEditor",
        "files are read and written whole",
    ),
    Row(
        "config",
        "backend set_backend *flash_attention* *_interactive_logging *_traceback_filtering is_*_enabled "
        "enable_unsafe_deserialization *image_data_format *max_* set_epsilon",
        "backends and images; loading is never unsafe; epsilon is part of the numbers",
    ),
    Row(
        "datasets",
        "*",
        "downloads; `datasets.load_digits` needs none",
    ),
    Row(
        "Model Sequential layers.Layer",
        "call make_*_function "
        "compute_output_spec stateless_* symbolic_call rematerialized_call jit_compile run_eagerly",
        "there is no Python code inside the loop that could be replaced",
        called=True,
    ),
    Row(
        "Model Sequential layers.Layer",
        "add_metric metrics_variables get_state_tree "
        "set_state_tree load_own_variables save_own_variables *build_config build_from_config "
        "*_compile_config compile_from_config path input_spec input_dtype "
        "quantiz* get_quantization_layer_structure",
        "inner workings of Keras",
    ),
    Row(
        "layers.Layer",
        "metrics",
        "metrics belong to models",
    ),
    Row(
        "optimizers.Optimizer",
        "stateless_apply",
        "steps are made by native code",
        called=True,
    ),
    Row(
        "optimizers.Optimizer",
        "add_variable load_own_variables save_own_variables",
        "the state is `optimizer.state`",
    ),
    Row(
        "metrics.Metric",
        "stateless_*",
        "backends",
    ),
)


def why(owner: str, name: str) -> str | None:
    """Return why a module or class lacks a name that Keras has there; None if Keras has no such name.

    Examples
    --------
    >>> why("layers", "Conv2D"), why("layers", "Dense")
    ('convolution', None)
    """
    from fnmatch import fnmatchcase  # only a mistake needs it

    for row in ROWS:
        if owner in row.owners.split() and any(fnmatchcase(name, pattern) for pattern in row.names.split()):
            return row.why
    return None


def answer_for(
    module: str, homes: Mapping[str, str] = MappingProxyType({}), known: Iterable[str] | None = None
) -> Callable[[str], Any]:
    """Return the `__getattr__` of a module, which finds a name at its home on first use, or raises `missing`.

    Parameters
    ----------
    module : str
    homes : mapping of str to str, default {}
        The modules in which names are found that are imported late; such a module itself may be what is named.
    known : iterable of str, default None
        Names that may have been meant. None: all that the module has by then.

    Examples
    --------
    >>> answer_for("cnn_core.models", {"clone_model": "cnn_core.models.clone"})("clone_model").__name__
    'clone_model'
    """

    def answer(name: str) -> Any:
        own = vars(sys.modules[module])
        if name not in homes:
            raise missing(module, name, own if known is None else known)
        home = importlib.import_module(homes[name])
        found = own[name] = home if homes[name] == f"{module}.{name}" else getattr(home, name)
        return found

    return answer


def missing(module: str, name: str, known: Iterable[str] = ()) -> AttributeError | ImportError:
    """Return the error for a name that a module lacks: with the reason, or with the name that was meant.

    Examples
    --------
    >>> raise missing("cnn_core.losses", "CTC")
    Traceback (most recent call last):
    ...
    AttributeError: module 'cnn_core.losses' has no attribute 'CTC': sequences. docs/keras.md lists what is left out
    """
    if name.startswith("__"):  # such as `__path__`, for which Python looks at every import from a module
        return AttributeError(f"module {module!r} has no attribute {name!r}")
    owner = module.partition(".")[2] or "keras"
    text = f"module {module!r} has no attribute {name!r}"
    reason = None if name.startswith("_") else why(owner, name)
    text += _because(reason) if reason is not None else did_you_mean(name, known)
    if _is_being_imported():
        return ImportError(text, name=module)
    return AttributeError(text)


class RefusesPassedOver:
    """Refuse objects of a subclass with a method that Keras would call and that nothing here does.

    So are private names of this package, which a subclass would take over without meaning to.

    Attributes
    ----------
    owner : str
        The class, as the table names it.
    passed_over : dict of str to str
        Methods that are there, but that training does not call, and why.
    instead : str
        What to define in their place.
    kept : set of str
        Private methods that Keras has, too, and that are called here as there.
    """

    owner: ClassVar[str]
    passed_over: ClassVar[Mapping[str, str]] = {}
    instead: ClassVar[str]
    kept: ClassVar[Set[str]] = frozenset()
    _refusal: ClassVar[str | None] = None
    defines_call: ClassVar[bool] = False  # then `call` is what a layer computes
    honours: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **keywords: object) -> None:
        super().__init_subclass__(**keywords)
        if not cls.__module__.startswith("cnn_core."):
            honoured = (*cls.honours, *(("call", "build") if cls.defines_call else ()))
            never_called = overridden(cls, cls.owner, cls.passed_over, honoured)
            cls._refusal = _taken_over(cls, cls.kept) if never_called is None else f"{never_called}. {cls.instead}"

    def __new__(cls, *arguments: object, **keywords: object) -> Self:
        """Refuse a class with methods that would be passed over in silence."""
        if cls._refusal is not None:
            raise TypeError(cls._refusal)
        return super().__new__(cls)


def overridden(
    cls: type, owner: str, passed_over: Mapping[str, str] | None = None, honoured: Iterable[str] = ()
) -> str | None:
    """Return what to say of a subclass that defines methods which Keras would call and this package does not.

    Examples
    --------
    >>> class Double:
    ...     def call(self, x):
    ...         return 2 * x
    >>> Double.__module__ = "mine"
    >>> print(overridden(Double, "layers.Layer"))
    Double defines `call`, which is never called: there is no Python code inside the loop that could be replaced. ...
    """
    reasons = {row.why for row in ROWS if row.called}
    for name in _own_methods(cls):
        reason = (passed_over or {}).get(name) or why(owner, name)
        if name not in honoured and (reason in reasons or name in (passed_over or {})):
            return f"{cls.__name__} defines `{name}`, which is never called{_because(str(reason))}"
    return None


def _taken_over(cls: type, kept: Set[str]) -> str | None:
    """Return what to say of a subclass that defines a private method of a class of this package again."""
    for name in _own_methods(cls):
        if not name.startswith("_") or name.startswith("__") or name in kept:
            continue
        for parent in cls.__mro__:
            if parent.__module__.startswith("cnn_core.") and callable(getattr(parent, name, None)):
                return (
                    f"{cls.__name__} defines `{name}`, by which {parent.__name__} calls a method of its own: give it "
                    "another name, or override a public method"
                )
    return None


def _own_methods(cls: type) -> Iterator[str]:
    """Yield the methods that a class or its parents define outside of this package."""
    for parent in cls.__mro__:
        if parent is not object and not parent.__module__.startswith("cnn_core."):
            yield from (name for name, value in vars(parent).items() if callable(value))


def _because(reason: str) -> str:
    return f": {reason}. {PAGE} lists what is left out"


def _is_being_imported() -> bool:
    """Tell whether `from module import name` asks, which would replace the text of an AttributeError."""
    import dis

    frame = sys._getframe(3)  # the caller of the module's __getattr__
    return dis.opname[frame.f_code.co_code[frame.f_lasti]] == "IMPORT_FROM"
