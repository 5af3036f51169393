"""Steps from given gradients, the same for Keras, which records what they do, and for the test that repeats them."""

from __future__ import annotations

import itertools
import warnings
from typing import Any, NamedTuple

import numpy as np

SHAPES = ((3, 2), (2,), (5,), ())
STEPS = 7
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "SGD": {"momentum": 0.9, "nesterov": True},
    "Adam": {"amsgrad": True},
    "AdamW": {},
    "Nadam": {},
    "Adamax": {},
    "RMSprop": {"momentum": 0.5, "centered": True},
    "Adagrad": {},
    "Adadelta": {},
    "Lion": {},
}
TAILS: dict[str, dict[str, Any]] = {
    "plain": {},
    "averaged": {"use_ema": True, "ema_overwrite_frequency": 3},
    "gathered": {"gradient_accumulation_steps": 3, "use_ema": True, "global_clipnorm": 0.2, "weight_decay": 0.02},
    "clipped": {"clipnorm": 0.5, "loss_scale_factor": 4.0},
}
# Which variables have a gradient in every second step, by their places; None: all are named, but have none.
GIVEN: dict[str, tuple[int, ...] | None] = {"all": (0, 1, 2, 3), "some": (3, 1), "missing": None}


class Case(NamedTuple):
    """An optimizer, the common arguments, and what it is given."""

    optimizer: str
    tail: str
    given: str

    @property
    def name(self) -> str:
        """What the case is called."""
        return f"{self.optimizer}-{self.tail}-{self.given}"

    def run(self, package: Any, dtype: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the variables after the last step as one vector, and the optimizer's state as another."""
        generator = np.random.default_rng(3)
        variables = [
            package.Variable(_exact(generator, shape).astype(dtype), name=f"v_{place}")
            for place, shape in enumerate(SHAPES)
        ]
        variables[2].constraint = package.constraints.NonNeg()
        arguments = {**OPTIMIZERS[self.optimizer], **TAILS[self.tail]}
        optimizer = getattr(package.optimizers, self.optimizer)(0.05, **arguments)
        optimizer.build(variables)
        for step in range(STEPS):
            gradients = [package.ops.convert_to_tensor(_exact(generator, shape), dtype) for shape in SHAPES]
            self._step(optimizer, variables, gradients, "all" if step % 2 else self.given)
        # Nadam's product of momenta is a variable in Keras alone, the last one.
        state = [each for each in optimizer.variables if each.name != "learning_rate" and "variable" not in each.name]
        return _flat(variables), _flat(state)

    @staticmethod
    def _step(optimizer: Any, variables: list[Any], gradients: list[Any], given: str) -> None:
        places = GIVEN[given]
        if places is not None:
            optimizer.apply([gradients[place] for place in places], [variables[place] for place in places])
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            optimizer.apply([None, *gradients[1:3], None], variables)


def _exact(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw numbers that float32 holds exactly."""
    return np.asarray(np.round(generator.normal(size=shape) * 256) / 256)


def _flat(variables: list[Any]) -> np.ndarray:
    return np.concatenate([np.asarray(each.numpy(), np.float64).ravel() for each in variables])


CASES = [Case(*parts) for parts in itertools.product(OPTIMIZERS, TAILS, GIVEN)]
