"""Train and predict with torch.compile: forward, backward and update as one compiled step (needs a C++ compiler)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from cases import Network, Optimizer, Training, Weights
from rivals.pytorch import PyTorch, loss_of


class PyTorchCompiled(PyTorch):
    """Compile the whole step of training; gather, gradients and update rule are in one graph."""

    def build(self, network: Network, weights: Weights, case: Training | None, optimizer: Optimizer | None) -> None:
        torch.compiler.reset()
        super().build(network, weights, case, optimizer)
        if case is not None and optimizer is not None:
            self.parameters = dict(self.model.named_parameters())
            self.first = {name: torch.zeros_like(p) for name, p in self.parameters.items()}
            self.second = {name: torch.zeros_like(p) for name, p in self.parameters.items()}
            self.step_number = torch.zeros(())
            self.compiled = torch.compile(
                step_of(case, optimizer, self.model, self.precision), fullgraph=True, dynamic=False
            )

    def step(self, chosen: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            loss: torch.Tensor = self.compiled(
                self.parameters, self.first, self.second, self.step_number, self.x_tensor, self.y_tensor, chosen
            )
        return loss

    def inference_model(self) -> Any:
        return torch.compile(super().inference_model(), dynamic=False)


def step_of(case: Training, rule: Optimizer, model: torch.nn.Module, precision: Callable[[], torch.autocast]) -> Any:
    """Return the function of one step; it updates parameters and state in place and returns the loss."""
    loss_function = loss_of(case)

    def loss_at(parameters: Any, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        with precision():
            loss: torch.Tensor = loss_function(torch.func.functional_call(model, parameters, (x,)), y)
        return loss

    def step(parameters: Any, first: Any, second: Any, number: Any, x: Any, y: Any, chosen: Any) -> torch.Tensor:
        gradients, loss = torch.func.grad_and_value(loss_at)(parameters, x[chosen], y[chosen])
        number += 1
        for name, parameter in parameters.items():
            if rule.name == "sgd":
                first[name].mul_(rule.momentum).sub_(gradients[name], alpha=rule.learning_rate)
                parameter.add_(first[name])
            else:
                rate = rule.learning_rate * torch.sqrt(1 - rule.beta_2**number) / (1 - rule.beta_1**number)
                first[name].lerp_(gradients[name], 1 - rule.beta_1)
                second[name].mul_(rule.beta_2).addcmul_(gradients[name], gradients[name], value=1 - rule.beta_2)
                parameter.sub_(rate * first[name] / (second[name].sqrt() + rule.epsilon))
        return loss

    return step
