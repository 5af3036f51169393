"""The dense layer whose axes Einstein's notation names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import prod
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Unpack

import cnn_core.constraints as constraints
import cnn_core.foundation.validation as validation
import cnn_core.initializers as initializers
import cnn_core.regularizers as regularizers
from cnn_core.activations import Activation
from cnn_core.foundation.records import NamedTuple
from cnn_core.initializers import VarianceScaling
from cnn_core.layers.axes import activated, axes_of_rows, on_rows
from cnn_core.layers.base import Layer, registry
from cnn_core.layers.dense import ADAPTERS
from cnn_core.layers.settings import ActivationSetting
from cnn_core.network.expression import Expression, Instruction, Operand
from cnn_core.network.plan import NetworkPlan
from cnn_core.network.variables import Variable

if TYPE_CHECKING:
    from cnn_core.activations.lookup import ActivationLike
    from cnn_core.constraints import ConstraintLike
    from cnn_core.initializers.lookup import InitializerLike
    from cnn_core.layers.base import Common
    from cnn_core.network.graph import Shape
    from cnn_core.regularizers import RegularizerLike

_FORM = r"(\.\.\.)?([a-zA-Z]+)(\.\.\.)?,([a-zA-Z]+)->(\.\.\.)?([a-zA-Z]+)(\.\.\.)?"


class Equation(NamedTuple):
    """An equation as it is written: the letters of the axes, and on which side dots stand for others.

    Attributes
    ----------
    source, kernel, output : str
    dots : {"", "left", "right"}
    """

    source: str
    kernel: str
    output: str
    dots: str

    @classmethod
    def of(cls, equation: object, bias_axes: str | None) -> Equation:
        """Read an equation, and say what is wrong with it, or with the axes of the bias."""
        text = validation.text(equation, "equation")
        match = re.fullmatch(_FORM, text)
        dots = {} if match is None else {"left": match[1], "right": match[3]}
        if match is None or list(dots.values()) != [match[5], match[7]] or all(dots.values()):
            raise ValueError(
                "`equation` must have one of the forms 'ab,bc->ac', '...b,bc->...c' and 'ab...,bc->ac...'. "
                f"Received: equation={text!r}"
            )
        side = next((side for side, found in dots.items() if found), "")
        read = cls(match[2], match[4], match[6], side)
        read._check(text)
        wanted = "" if bias_axes is None else bias_axes
        if not set(wanted) <= set(read.output) or read.batch in tuple(wanted):
            raise ValueError(
                f"`bias_axes` must name axes of the output in the equation {text!r}, but not that of the samples. "
                f"Received: bias_axes={bias_axes!r}"
            )
        return read

    @property
    def batch(self) -> str | None:
        """The letter of the axis of the samples; None where it is among those that dots stand for."""
        return None if self.dots == "left" else self.source[0]

    def _check(self, text: str) -> None:
        letters = (self.source, self.kernel, self.output)
        if any(len(set(each)) < len(each) for each in letters):
            rule = "name each axis of an operand once"
        elif not set(self.kernel) <= {*self.source, *self.output}:
            rule = "have every axis of the kernel in the input or in the output"
        elif not set(self.output) <= {*self.source, *self.kernel}:
            rule = "have every axis of the output in the input or in the kernel"
        elif self.batch is not None and (self.output[0] != self.batch or self.batch in self.kernel):
            rule = "begin input and output with the axis of the samples, which the kernel has not"
        else:
            return
        raise ValueError(f"`equation` must {rule}. Received: equation={text!r}")

    def sized(self, shape: Sequence[Any], output_shape: Sequence[int | None], name: str) -> Sizes:
        """Return the equation for inputs of a shape, without dots and without the axis of the samples."""
        n_others = len(shape) - len(self.source)
        fits = n_others > 0 if self.dots == "left" else n_others >= 0 if self.dots else n_others == 0
        if not fits:
            raise ValueError(
                f"{name!r} takes inputs of {len(self.source)} axes{' and more' if self.dots else ''}, as its equation "
                f"says. Received: shape={tuple(shape)}"
            )
        from string import ascii_letters  # its module compiles patterns when it is loaded

        free = [letter for letter in ascii_letters if letter not in self.source + self.kernel + self.output]
        others = "".join(free[:n_others])
        source, output = (
            others + each if self.dots == "left" else each + others for each in (self.source, self.output)
        )
        sizes = dict(zip(source, shape, strict=True))
        told = self.output if self.dots == "left" else self.output[1:]
        if len(told) != len(output_shape):
            raise ValueError(
                f"`output_shape` of {name!r} must have a size for each of the axes {told!r}. "
                f"Received: output_shape={tuple(output_shape)}"
            )
        for letter, size in zip(told, output_shape, strict=True):
            if letter in source and size not in (None, sizes[letter]):
                raise ValueError(
                    f"`output_shape` of {name!r} must give the axis {letter!r} the input's size, {sizes[letter]}. "
                    f"Received: output_shape={tuple(output_shape)} for an input of shape {tuple(shape)}"
                )
            if letter not in source:
                sizes[letter] = size
        return Sizes(source[1:], self.kernel, output[1:], sizes)


class Sizes(NamedTuple):
    """An equation for inputs of one shape: the letters of a sample's axes, and the size of each."""

    source: str
    kernel: str
    output: str
    sizes: dict[str, int]

    @property
    def batch_shape(self) -> tuple[Any, ...]:
        """The shape of the output, the axis of the samples included."""
        return (None, *self.shape(self.output))

    def shape(self, letters: str) -> tuple[Any, ...]:
        """Return the sizes of axes."""
        return tuple(self.sizes[letter] for letter in letters)

    @property
    def along(self) -> str:
        """The axes along which every element has a kernel of its own."""
        return "".join(letter for letter in self.source if letter in self.kernel and letter in self.output)

    @property
    def rows(self) -> str:
        """The axes that the kernel has not."""
        return "".join(letter for letter in self.source if letter not in self.kernel and letter in self.output)

    @property
    def summed(self) -> str:
        """The axes over which products are summed, in the kernel's order."""
        return "".join(letter for letter in self.kernel if letter in self.source and letter not in self.output)

    @property
    def columns(self) -> str:
        """The axes that the kernel adds, in its order."""
        return "".join(letter for letter in self.kernel if letter not in self.source)

    @property
    def alone(self) -> list[int]:
        """The places of the axes that the input alone has, which are summed over beforehand."""
        used = self.along + self.rows + self.summed
        return [place for place, letter in enumerate(self.source) if letter not in used]

    @property
    def source_order(self) -> list[int]:
        """The places, among those that are left of the input, of the axes along, rows, summed."""
        used = self.along + self.rows + self.summed
        left = [letter for letter in self.source if letter in used]
        return [left.index(letter) for letter in used]

    @property
    def kernel_order(self) -> list[int]:
        """The places in the kernel of the axes along, summed, columns."""
        return [self.kernel.index(letter) for letter in self.along + self.summed + self.columns]

    @property
    def product(self) -> str:
        """The axes of the product of matrices: along, rows, columns."""
        return self.along + self.rows + self.columns

    @property
    def output_order(self) -> list[int]:
        """The places in the product of the output's axes."""
        return [self.product.index(letter) for letter in self.output]

    @property
    def is_matrix(self) -> bool:
        """Whether the kernel lies in memory as the matrix of a dense layer does."""
        return self.kernel == self.summed + self.columns


@registry.register()
class EinsumDense(Layer):
    """Multiply with a kernel along axes that Einstein's notation names: ``a = g(einsum(equation, x, kernel) + bias)``.

    Parameters
    ----------
    equation : str
        Such as ``"abc,cd->abd"``: a letter for every axis of the input, of the kernel and of the output. Axes that are
        not in the output are summed over. Dots stand for any number of axes: ``"...x,xy->...y"``, where the samples are
        among them, or ``"ab...,bc->ac..."``.
    output_shape : int or tuple of int or None
        The sizes of the output's axes that have letters, without that of the samples. None: that of the input.
    activation : str or activation, default None
        None is linear.
    bias_axes : str, default None
        The letters of the output along which the bias has elements of its own. None: no bias.
    kernel_initializer : default "glorot_uniform"
        The axes that the kernel shares with the output count as outputs, those that are summed as inputs.
    bias_initializer : default "zeros"
    kernel_regularizer, bias_regularizer, kernel_constraint, bias_constraint : default None

    Attributes
    ----------
    kernel : Variable
    bias : Variable, or None

    Notes
    -----
    With delta = da * g'(z), dJ/dkernel is the einsum of x and delta to the kernel's axes, dJ/dx that of delta and the
    kernel to the input's. Where the kernel has the summed axes first and those that it adds last, as in
    ``"abc,cde->abde"``, the layer is as fast as `Dense`; otherwise every sample has a copy of the kernel.

    Examples
    --------
    >>> import numpy as np
    >>> layer = EinsumDense("ab,bcd->acd", output_shape=(2, 1), bias_axes="c", kernel_initializer="ones")
    >>> layer(np.array([[1.0, 2.0, 3.0]]))
    array([[[6.],
            [6.]]], dtype=float32)
    >>> layer.bias.shape
    (2, 1)
    """

    only_default = MappingProxyType({**ADAPTERS, "gptq_unpacked_column_size": None})
    activation = ActivationSetting()

    def __init__(
        self,
        equation: str,
        output_shape: int | Sequence[int | None],
        activation: ActivationLike = None,
        bias_axes: str | None = None,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        **common: Unpack[Common],
    ) -> None:
        super().__init__(**common)
        self.bias_axes = None if bias_axes is None else validation.text(bias_axes, "bias_axes")
        self._equation = Equation.of(equation, self.bias_axes)
        self.equation = equation
        self.partial_output_shape = validation.shape(output_shape, "output_shape", unknown=True)
        self.activation = activation
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)

    def _settings(self) -> dict[str, Any]:
        return {**super()._settings(), "output_shape": self.partial_output_shape}

    def sized(self, shape: Shape) -> Sizes:
        """Return the equation with the sizes that it has for inputs of a shape, which begins with the samples."""
        return self._equation.sized(shape, self.partial_output_shape, self.name)

    def check_inputs(self, shapes: Shape) -> None:
        sized = self.sized(shapes)
        if None in sized.shape(sized.kernel):
            raise ValueError(
                f"The axes {sized.kernel!r} of {self.name!r} must be known, by the input or by `output_shape`. "
                f"Received: output_shape={self.partial_output_shape} for an input of shape {tuple(shapes)}"
            )
        if self.built and sized.shape(sized.kernel) != self.kernel.shape:
            raise ValueError(
                f"{self.name!r} has a kernel of shape {self.kernel.shape}, with axes {sized.kernel!r}. "
                f"Received: shape={tuple(shapes)}"
            )

    def build(self, input_shape: Shape) -> None:
        sized = self.sized(input_shape)
        self.kernel = self.add_weight(
            sized.shape(sized.kernel),
            self._initializer_for(sized),
            name="kernel",
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.bias = None
        if self.bias_axes:
            self.bias = self.add_weight(
                self._bias_shape(sized),
                self.bias_initializer,
                name="bias",
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        self.built = True

    def _initializer_for(self, sized: Sizes) -> Any:
        """Return the kernel's initializer, told which axes are inputs and which are outputs unless it knows."""
        given: Any = self.kernel_initializer
        if not isinstance(given, VarianceScaling) or None not in (given.input_axes, given.output_axes):
            return given
        outputs = [place for place, letter in enumerate(sized.kernel) if letter in sized.output]
        inputs = [place for place, letter in enumerate(sized.kernel) if letter not in sized.output]
        return type(given).from_config({**given.get_config(), "input_axes": inputs, "output_axes": outputs})

    def _bias_shape(self, sized: Sizes) -> tuple[int, ...]:
        """Return the sizes of the output's axes from the first of the bias on, 1 where all share an element."""
        axes = self.bias_axes or ""
        first = min(sized.output.index(letter) for letter in axes)
        return tuple(sized.sizes[letter] if letter in axes else 1 for letter in sized.output[first:])

    @property
    def gives_numbers(self) -> bool:  # type: ignore[override]
        """Whether the output has no axis but that of the samples."""
        return self._equation.output == self._equation.batch

    def compute_output_shape(self, input_shape: Shape) -> Any:
        sized = self.sized(input_shape)
        return self.activation.output_shape((input_shape[0], *sized.shape(sized.output)))

    def emit(self, plan: NetworkPlan, inputs: list[int]) -> list[int]:
        has_axes = self._equation.source != self._equation.batch  # or its samples are numbers, which a plan gives one
        sized = self.sized((None, *plan.shapes[inputs[0]]) if has_axes else (None,))
        source = self._ordered(plan, inputs[0], sized)
        if sized.is_matrix and sized.output == sized.rows + sized.columns and self._can_be_fused(sized):
            dense = self._product(plan, source, sized, self.bias, on_rows(self.activation, sized.batch_shape))
            return [plan.add_reshaping(dense, sized.batch_shape[1:] or (1,), self.name)]
        product = self._product if sized.is_matrix else self._products
        sums = plan.add_reshaping(product(plan, source, sized), sized.shape(sized.product) or (1,), self.name)
        sums = self._transposed(plan, sums, sized.output_order)
        if self.bias is not None:
            sums = self._with_bias(plan, sums, self.bias)
        return [sums if self.activation.native == "linear" else activated(plan, sums, self.activation, self.name)]

    def _can_be_fused(self, sized: Sizes) -> bool:
        """Whether bias and activation are those of a dense layer whose units are the axes that the kernel adds."""
        if self.bias is not None and self.bias.shape != sized.shape(sized.columns):
            return False
        activation = on_rows(self.activation, sized.batch_shape)
        if not activation.row_wise:
            return True
        return len(sized.columns) == 1 and axes_of_rows(activation, sized.batch_shape, self.name) is None

    def _ordered(self, plan: NetworkPlan, source: int, sized: Sizes) -> int:
        """Put the input's axes in the order along, rows, summed, after summing over those that it alone has."""
        if sized.alone:
            source = plan.add_reduction("sum", source, sized.alone, layer=self.name)
        return self._transposed(plan, source, sized.source_order)

    def _transposed(self, plan: NetworkPlan, source: int, order: list[int]) -> int:
        return plan.add_transposition(source, order, layer=self.name) if order else source  # without axes: a number

    def _product(
        self,
        plan: NetworkPlan,
        source: int,
        sized: Sizes,
        bias: Variable | None = None,
        activation: Activation | None = None,
    ) -> int:
        """Enter a dense layer, whose kernel is a matrix."""
        outer = sized.shape(sized.rows)
        rows = plan.add_reshaping(source, (*outer, prod(sized.shape(sized.summed))), self.name)
        shape = (*outer, prod(sized.shape(sized.columns)))
        return plan.add_dense(rows, shape, [self.kernel, bias], activation, layer=self.name)

    def _products(self, plan: NetworkPlan, source: int, sized: Sizes) -> int:
        """Enter products of matrices, one for each element along the axes that all have."""
        along = sized.shape(sized.along)
        rows, inner, columns = (prod(sized.shape(each)) for each in (sized.rows, sized.summed, sized.columns))
        x = plan.add_reshaping(source, (*along, rows, inner), self.name)
        kernel = plan.add_parameter(self.kernel, layer=self.name)
        kernel = self._transposed(plan, kernel, sized.kernel_order)
        kernel = plan.add_reshaping(kernel, (*along, inner, columns), self.name)
        return plan.add_matmul(x, kernel, layer=self.name)

    def _with_bias(self, plan: NetworkPlan, sums: int, bias: Variable) -> int:
        shape = plan.shapes[sums]
        operands = (Operand(sums, shape), Operand(bias, bias.shape))
        return plan.add_expression(Expression(operands, (), (Instruction("add", (0, 1)),)), shape, layer=self.name)
