"""The optimizer's step where ranks share memory: each steps one part of the vector, and all take over the others.

So what would be done on every rank is done once, and what is sent is the weights instead of the gradients.
"""

from __future__ import annotations

from cnn_core.network.parameters import adopt_state, optimizer_of_part
from cnn_core.training.sharing import Sharing

# Rules that step every number by itself, whatever the others are.
RULES = {"sgd", "rmsprop", "adagrad", "adadelta", "lion", "ftrl", "adam", "adamax"}
LARGEST_RATE = 1.0  # up to which no step from finite gradients can leave the finite numbers


class StepInParts:
    """The steps of one epoch; `of` makes it.

    Parameters
    ----------
    sharing : Sharing
    part : slice
        Of the vector of parameters, for this rank.
    """

    def __init__(self, sharing: Sharing, part: slice) -> None:
        self._sum = sharing.gradient_sum
        self._meet = sharing.communicator.meet
        self._optimizer = sharing.model.optimizer
        self._parameters = sharing.model._bind()
        adopt_state(self._optimizer, self._parameters)
        self._native = optimizer_of_part(self._parameters, self._optimizer, part)

    @classmethod
    def of(cls, sharing: Sharing) -> StepInParts | None:
        """Return the steps of an epoch, None where something asks for the whole vector."""
        optimizer, part = sharing.model.optimizer, sharing.gradient_sum.part
        whole = (
            *(optimizer.clipnorm, optimizer.clipvalue, optimizer.global_clipnorm),
            *(optimizer.use_ema, optimizer.gradient_accumulation_steps, optimizer.asks_every_batch),
            any(variable.constraint is not None for variable in sharing.model._bind().variables),
        )
        if part is None or any(whole) or optimizer.native not in RULES or sharing.single_batches:
            return None
        return cls(sharing, part)

    def is_possible(self, rate: float) -> bool:
        """Whether a step of this learning rate can be made in parts."""
        return rate <= LARGEST_RATE

    def step(self, rate: float) -> bool:
        """Make the step on all ranks, or on none if a gradient is not finite."""
        if not self._sum.add_part():
            return False
        self._native.step(rate, self._optimizer.batches_seen)
        self._sum.share_parts(self._parameters.values)
        return True

    def complete(self) -> None:
        """Let every rank have the whole state of the optimizer again."""
        for vector in self._optimizer.state.values():
            self._sum.share_parts(vector)
            self._meet()  # before the next vector overwrites what is being read
