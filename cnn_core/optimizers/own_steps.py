"""Optimizers of a user's own: `update_step` moves one variable, in Python, with state as variables beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from typing import Any, ClassVar

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import Array
from cnn_core.optimizers.applying import AppliesGradients

# What Keras calls besides, and is called here where a class steps itself.
_AROUND = ("build", "apply", "assign", "assign_add", "assign_sub", "_clip_gradients")


class StepsItself(AppliesGradients):
    """The part of an optimizer that a user's `update_step` gives it.

    Attributes
    ----------
    steps_itself : bool
        Whether the class is a user's that defines `update_step`: then it is called for every variable and batch, and
        models train at Python's speed.
    steps_natively : bool
        Whether the native loop makes its steps.
    steps_by_batches : bool
        Whether there is a step for each batch.
    """

    steps_itself: ClassVar[bool] = False
    steps_natively: ClassVar[bool] = True
    steps_by_batches: ClassVar[bool] = True
    honours: ClassVar[tuple[str, ...]] = ()
    kept: ClassVar[Set[str]] = frozenset({"_clip_gradients"})
    clipnorm: float | None
    clipvalue: float | None
    global_clipnorm: float | None

    def __init_subclass__(cls, **keywords: object) -> None:
        cls.steps_itself = cls.steps_by_batches and cls.update_step is not StepsItself.update_step
        cls.steps_natively = cls.steps_by_batches and not cls.steps_itself
        cls.honours = _AROUND if cls.steps_itself else ()
        super().__init_subclass__(**keywords)

    @property
    def built(self) -> bool:
        """Whether the state is laid out for variables, by `build`, `apply` or `fit`."""
        return super().built and (not self.steps_itself or "_own_slots" in vars(self))

    def build(self, variables: Iterable[Any]) -> None:
        """Lay the state out for variables: see `AppliesGradients.build`. An override adds slots of its own."""
        if self.steps_itself and "_own_slots" not in vars(self):
            vars(self)["_own_slots"] = {}
        super().build(variables)

    def update_step(self, gradient: Array, variable: Any, learning_rate: Any) -> None:
        """Move one variable by the rule of the class; a subclass may define another.

        Clipping, weight decay, averages and constraints come before and after it, as for all optimizers.

        Parameters
        ----------
        gradient : numpy.ndarray of the variable's shape
        variable : Variable
        learning_rate : float
            Times the variable's multiplier.

        Examples
        --------
        >>> import numpy as np
        >>> from cnn_core import Variable
        >>> from cnn_core.optimizers import SGD
        >>> class Signs(SGD):
        ...     def update_step(self, gradient, variable, learning_rate):
        ...         self.assign_sub(variable, learning_rate * np.sign(gradient))
        >>> weight = Variable([1.0, 2.0])
        >>> Signs(0.5).apply([[0.1, -7.0]], [weight])
        >>> weight.numpy()
        array([0.5, 2.5], dtype=float32)
        """
        if not hasattr(self, "native"):
            name = type(self).__name__
            raise NotImplementedError(f"{name} must define update_step(self, gradient, variable, learning_rate)")
        self.stepping.rule(self, gradient, variable, float(learning_rate))

    def clip_gradients(self, grads: Sequence[Any]) -> list[Any]:
        """Return gradients as a step sees them: clipped by `clipnorm`, `global_clipnorm` or `clipvalue`.

        A subclass that defines `update_step` may clip otherwise, under Keras's name: `_clip_gradients(self, grads)`.

        Parameters
        ----------
        grads : sequence of array-like
            Those of all variables; None stays None.

        Examples
        --------
        >>> from cnn_core.optimizers import SGD
        >>> SGD(clipnorm=1.0).clip_gradients([[30.0, 40.0], [0.3, 0.4]])
        [array([0.6, 0.8]), array([0.3, 0.4])]
        """
        return self._clip_gradients([None if each is None else np.asarray(each) for each in grads])

    def _clip_gradients(self, grads: list[Any]) -> list[Any]:
        norms = [0.0 if each is None else float(np.linalg.norm(each)) for each in grads]
        if self.clipnorm:
            return [_to_norm(each, norm, self.clipnorm) for each, norm in zip(grads, norms, strict=True)]
        if self.global_clipnorm:
            return [_to_norm(each, float(np.linalg.norm(norms)), self.global_clipnorm) for each in grads]
        if self.clipvalue:
            return [None if each is None else np.clip(each, -self.clipvalue, self.clipvalue) for each in grads]
        return grads

    def add_variable_from_reference(
        self, reference_variable: Any, name: str | None = None, initializer: Any = "zeros"
    ) -> Any:
        """Make state beside one of the variables that the optimizer is built for, in its shape.

        Parameters
        ----------
        reference_variable : Variable
        name : str, default None
            The same for all variables: "momentum". None: "variable".
        initializer : {"zeros", "ones"}, default "zeros"

        Returns
        -------
        Variable
        """
        start = float(validation.choice(initializer, "initializer", ("zeros", "ones")) == "ones")
        slot = validation.text("variable" if name is None else name, "name")
        known = self._built_for([reference_variable])
        slots = vars(self).setdefault("_own_slots", {})
        if slot not in slots:
            slots[slot] = start
            self.stepping.build(self, known)
        return self.stepping.slot(self, slot, reference_variable)

    def add_optimizer_variables(self, trainable_variables: Iterable[Any], name: Any, initializer: Any = "zeros") -> Any:
        """Make state beside each of some variables: see `add_variable_from_reference`.

        `name` and `initializer` may be lists; then a list of lists is returned.
        """
        variables = list(trainable_variables)
        if isinstance(name, str):
            return [self.add_variable_from_reference(each, name, initializer) for each in variables]
        starts = [initializer] * len(name) if isinstance(initializer, str) else list(initializer)
        return [self.add_optimizer_variables(variables, *pair) for pair in zip(name, starts, strict=True)]

    def own_slots(self) -> tuple[tuple[str, float], ...]:
        """Return (name, initial value) of the state that `build` has added."""
        return tuple(vars(self).get("_own_slots", {}).items())

    # Keras writes to variables by these

    def assign(self, variable: Any, value: Any) -> None:
        """Set a variable."""
        variable.assign(value)

    def assign_add(self, variable: Any, value: Any) -> None:
        """Add to a variable."""
        variable.assign_add(value)

    def assign_sub(self, variable: Any, value: Any) -> None:
        """Subtract from a variable."""
        variable.assign_sub(value)

    def _get_variable_index(self, variable: object) -> int:
        """Return the place of a variable among those that the optimizer is built for."""
        places = {id(each): place for place, each in enumerate(self._built_for([variable]))}
        return places[id(variable)]


def _to_norm(gradient: Any, norm: float, longest: float) -> Array | None:
    return None if gradient is None else np.asarray(gradient * (longest / max(norm, longest)), gradient.dtype)
