"""Steps from gradients that a custom loop has computed, and the state as variables, as Keras has them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Protocol, TypeVar

import cnn_core.foundation.validation as validation
from cnn_core.foundation.caller import warn_caller

# Slots that Keras keeps side by side for each variable; all others come slot by slot.
_PAIRS = (
    *(("momentum", "velocity"), ("momentum", "norm"), ("accumulated_grad", "accumulated_delta_var")),
    *(("accumulator", "linear"), ("rows", "columns")),
)
_Variable = TypeVar("_Variable")


def state_order(
    optimizer: Any, variables: Sequence[_Variable], *, slot_by_slot: bool = False
) -> list[tuple[str, _Variable]]:
    """Return which array of an optimizer's state is of which slot and variable, in Keras's order.

    Parameters
    ----------
    optimizer : Optimizer
    variables : sequence of Variable
        In Keras's order.
    slot_by_slot : bool, default False
        Whether it is that of tf.keras up to 2.10, which has no pairs.
    """
    own = [name for name, _ in optimizer.slots()]
    tail = [name for name, _ in optimizer.tail_slots()]
    order = [(name, each) for name in ("average", "gradient_accumulator") if name in tail for each in variables]
    pair = tuple(own[:2]) if tuple(own[:2]) in _PAIRS and not slot_by_slot else ()
    others = own[len(pair) :]
    if pair:
        order += [(name, each) for each in variables for name in optimizer.slots_of(each) if name not in others]
    added = [name for name, _ in optimizer.own_slots()]
    return order + [(name, each) for name in (*others, *added) for each in variables]


class Stepping(Protocol):
    """What knows how variables are laid out in memory: two floors up, in `cnn_core.network.applying`."""

    def build(self, optimizer: Any, variables: Sequence[Any]) -> None:
        """Lay an optimizer's state out for variables."""

    def known(self, optimizer: Any) -> list[Any] | None:
        """Return the variables that the state is laid out for; None if there are none yet."""

    def step(self, optimizer: Any, known: Sequence[Any], gradients: Sequence[Any], variables: Sequence[Any]) -> None:
        """Move some of the known variables."""

    def finalize(self, optimizer: Any, known: Sequence[Any], variables: Sequence[Any]) -> None:
        """Let the averages of some of them become their values."""

    def state(self, optimizer: Any) -> list[Any]:
        """Return the counts and the state as variables, in Keras's order."""

    def rule(self, optimizer: Any, gradient: Any, variable: Any, learning_rate: float) -> None:
        """Move one variable by the native rule alone."""

    def slot(self, optimizer: Any, slot: str, variable: Any) -> Any:
        """Return the part of a state vector that belongs to a variable, as a variable."""


class AppliesGradients:
    """The part of an optimizer that a custom loop calls.

    Attributes
    ----------
    stepping : Stepping
        Enters itself here.
    """

    stepping: ClassVar[Stepping]
    loss_scale_factor: float | None
    use_ema: bool

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy and a pickle carry: all but the memory of variables, which are others there."""
        return {name: value for name, value in vars(self).items() if name not in ("_vector", "_own_slots")}

    @property
    def built(self) -> bool:
        """Whether the state is laid out for variables, by `build`, `apply` or `fit`."""
        return self.stepping.known(self) is not None

    def build(self, variables: Iterable[Any]) -> None:
        """Lay the state out for variables; without effect on an optimizer that knows them.

        Parameters
        ----------
        variables : iterable of Variable
            Such as ``model.trainable_variables``.

        Raises
        ------
        ValueError
            If the optimizer is built for others.
        """
        given = list(variables)
        if given:
            self._built_for(given)

    def apply(self, grads: Sequence[Any], trainable_variables: Iterable[Any] | None = None) -> None:
        """Make one step, with the gradients of a loss; constraints follow, penalties are the loss's affair.

        Parameters
        ----------
        grads : sequence of array-like
            One for each variable, in its shape; None for one that stays where it is. They are divided by
            `loss_scale_factor`.
        trainable_variables : iterable of Variable, default None
            None: those that the optimizer is built for, which the first call with variables does.

        Raises
        ------
        ValueError
            If there are not as many gradients as variables, a shape is another one, a number is not finite, there is no
            gradient at all, or the optimizer is built for other variables. Nothing has moved then.

        Examples
        --------
        >>> from cnn_core import Variable
        >>> from cnn_core.optimizers import SGD
        >>> weight, optimizer = Variable([1.0, 2.0], name="weight"), SGD(0.5)
        >>> optimizer.apply([[2.0, -2.0]], [weight])
        >>> weight.numpy(), int(optimizer.iterations)
        (array([0., 3.], dtype=float32), 1)
        """
        gradients = list(grads)
        if not gradients:
            return
        given = None if trainable_variables is None else list(trainable_variables)
        if given and not self.built:
            self.build(given)
        known = self._built_for(given)
        variables = known if given is None else given
        if len(gradients) != len(variables):
            raise ValueError(
                f"`grads` must have one gradient for each of {len(variables)} variables. Received: {len(gradients)}"
            )
        self.stepping.step(self, known, *_without_missing(gradients, variables))

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Any]]) -> Any:
        """Make one step with pairs of a gradient and its variable: see `apply`.

        Returns
        -------
        int
            The number of steps made, as `iterations`.
        """
        pairs = list(grads_and_vars)
        self.apply([gradient for gradient, _ in pairs], [variable for _, variable in pairs])
        return self.iterations  # type: ignore[attr-defined]

    def scale_loss(self, loss: Any) -> Any:
        """Multiply a loss by `loss_scale_factor`, by which `apply` divides its gradients."""
        return loss if self.loss_scale_factor is None else loss * self.loss_scale_factor

    def finalize_variable_values(self, var_list: Iterable[Any]) -> None:
        """Let the moving averages of variables become their values; `fit` ends with it where `use_ema` is set."""
        if self.use_ema:
            variables = list(var_list)
            self.stepping.finalize(self, self._built_for(variables), variables)

    @property
    def variables(self) -> list[Any]:
        """The count of batches, the learning rate unless a schedule gives it, and the state of every variable.

        They are views: to assign to one changes the optimizer. The state follows when the optimizer is built.
        """
        return self.stepping.state(self)

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Set all of `variables`.

        Raises
        ------
        ValueError
            If there are too many or too few, or one does not fit. Nothing has changed then.
        """
        variables = self.variables
        if len(weights) != len(variables):
            raise ValueError(
                f"`weights` must have {len(variables)} arrays, one for each of `variables`. Received: {len(weights)}"
            )
        checked = [variable.check(weight) for variable, weight in zip(variables, weights, strict=True)]
        for variable, weight in zip(variables, checked, strict=True):
            variable.assign(weight)

    def _built_for(self, variables: list[Any] | None) -> list[Any]:
        """Return the variables that the optimizer is built for: these, if it is not yet; others are refused."""
        known = self.stepping.known(self)
        if known is None and variables is None:
            raise ValueError(
                "`trainable_variables` must be given to the first `apply` of an optimizer, or to `build` before it. "
                "Received: trainable_variables=None"
            )
        if known is None:
            self.stepping.build(self, variables or ())
            return variables or []
        ids = set(map(id, known))
        for variable in variables or ():
            if id(variable) not in ids:
                raise ValueError(
                    "`trainable_variables` must be among those that the optimizer was built for: give other variables "
                    f"an optimizer of their own. Received: {validation.show(variable)}"
                )
        return known


def _without_missing(gradients: list[Any], variables: list[Any]) -> tuple[list[Any], list[Any]]:
    """Leave variables without a gradient out, with a warning."""
    pairs = [pair for pair in zip(gradients, variables, strict=True) if pair[0] is not None]
    if len(pairs) < len(variables):
        lacking = [variable.path for gradient, variable in zip(gradients, variables, strict=True) if gradient is None]
        if not pairs:
            raise ValueError(f"`grads` must have a gradient. Received: None for each of {', '.join(lacking)}")
        warn_caller(f"there is no gradient for {', '.join(lacking)}, which stays where it is")
    return [gradient for gradient, _ in pairs], [variable for _, variable in pairs]
