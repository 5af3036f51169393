"""Train and predict with PyTorch as it comes: eager, fused optimizer, batches indexed by a shuffled permutation."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from cases import Network, Optimizer, Training, Weights
from rivals.base import ROWS_OF_A_BLOCK, Rival, Route, Values

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}


class PyTorch(Rival):
    """Run an nn.Sequential of nn.Linear; the outputs are logits while training."""

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        torch.set_num_threads(threads)

    def versions(self) -> dict[str, str]:
        return {"torch": torch.__version__}

    def build(self, network: Network, weights: Weights, case: Training | None, optimizer: Optimizer | None) -> None:
        self.case = case
        self.output = network.output
        self.model = model_of(network, weights)
        if case is not None and optimizer is not None:
            self.loss_function = loss_of(case)
            self.optimizer = optimizer_of(optimizer, self.model)
            self.rule, self.step_count = optimizer, 0

    def set_data(self, x: NDArray[np.float32], y: Values) -> None:
        super().set_data(x, y)
        self.x_tensor = torch.from_numpy(x)
        labels = np.issubdtype(y.dtype, np.integer)
        self.y_tensor = torch.from_numpy(y.astype(np.int64) if labels else y)

    def train(self, epochs: int, shuffle: bool) -> None:
        assert self.case is not None
        n, batch = len(self.x_tensor), self.case.batch
        for _ in range(epochs):
            order = torch.randperm(n) if shuffle else torch.arange(n)
            total = torch.zeros(())
            for chosen in order.split(batch):
                total += self.step(chosen)
            self.mean_loss = total.item() / self.case.steps

    def step(self, chosen: torch.Tensor) -> torch.Tensor:
        """Do one step of training on the chosen rows; return the batch's loss."""
        x, y = self.x_tensor.index_select(0, chosen), self.y_tensor.index_select(0, chosen)
        with self.precision():
            loss = self.loss_function(self.model(x), y)
        self.optimizer.zero_grad()
        loss.backward()
        if self.rule.name == "adam":
            self.move_epsilon()
        self.optimizer.step()
        return loss.detach()

    def precision(self) -> torch.autocast:
        """Return the context of everything forward."""
        return torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.mixed)

    def move_epsilon(self) -> None:
        """Set the epsilon that means the same at this step: PyTorch adds it after correcting the second moment."""
        self.step_count += 1
        self.optimizer.param_groups[0]["eps"] = self.rule.epsilon / (1.0 - self.rule.beta_2**self.step_count) ** 0.5

    def inference_model(self) -> Any:
        """Return the module that predicts, its output activation included."""
        return with_output(self.model, self.output)

    def predict(self, x: NDArray[np.float32]) -> Values:
        with torch.inference_mode(), self.precision():
            outputs: Values = self.inference_model()(torch.from_numpy(np.ascontiguousarray(x))).float().numpy()
        return outputs

    def set_inputs(self, x: NDArray[np.float32]) -> None:
        super().set_inputs(x)
        self.x_tensor = torch.from_numpy(x)
        self.inference = self.inference_model()

    def routes(self) -> dict[str, Route]:
        routes: dict[str, Route] = {"whole": self.predict_whole}
        if len(self.x_tensor) > 10_000:
            routes["blocks"] = self.predict_blocks
        return routes

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def predict_whole(self) -> torch.Tensor:
        with self.precision():
            outputs: torch.Tensor = self.inference(self.x_tensor)
        return outputs.float()

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def predict_blocks(self) -> torch.Tensor:
        with self.precision():
            return torch.cat([self.inference(block) for block in self.x_tensor.split(ROWS_OF_A_BLOCK)]).float()


def model_of(network: Network, weights: Weights) -> nn.Sequential:
    """Make the layers; the last gives logits."""
    modules: list[nn.Module] = []
    for layer, (n_in, n_out, activation) in enumerate(network.layers):
        linear = nn.Linear(n_in, n_out)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(weights[2 * layer].T))
            linear.bias.copy_(torch.from_numpy(weights[2 * layer + 1]))
        modules.append(linear)
        if layer < len(network.layers) - 1:
            modules.append(ACTIVATIONS[activation]())
    return nn.Sequential(*modules)


def with_output(model: nn.Sequential, output: str) -> nn.Sequential:
    """Append the output activation, sharing the layers."""
    if output == "linear":
        return model
    return nn.Sequential(*model, nn.Softmax(dim=1) if output == "softmax" else nn.Sigmoid())


def loss_of(case: Training) -> Any:
    """Return PyTorch's loss on logits or values."""
    if case.loss == "mean_squared_error":
        return nn.functional.mse_loss
    return nn.functional.cross_entropy


def optimizer_of(rule: Optimizer, model: nn.Module) -> torch.optim.Optimizer:
    """Return PyTorch's fused optimizer for a description."""
    if rule.name == "sgd":
        return torch.optim.SGD(model.parameters(), lr=rule.learning_rate, momentum=rule.momentum, fused=True)
    return torch.optim.Adam(
        model.parameters(), lr=rule.learning_rate, betas=(rule.beta_1, rule.beta_2), eps=rule.epsilon, fused=True
    )
