"""Random modules of PyTorch, of what people put between linear layers, for the tests of the doors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def random_module(torch: Any, seed: int, width: int = 6) -> Any:
    """Return a module in eval mode that reads rows of `width` numbers: two to five blocks, with residuals."""
    draw = np.random.default_rng(seed)
    torch.manual_seed(seed)
    chosen = [_choice(torch, draw, width) for _ in range(draw.integers(2, 6))]
    module = _network(torch, width, int(draw.integers(1, 5)), chosen)
    for buffer_name, buffer in module.named_buffers():
        if buffer.dtype.is_floating_point:
            buffer.copy_(torch.rand_like(buffer) + (0.5 if "var" in buffer_name else 0.0))
    for parameter in module.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    return module.eval()


def _network(torch: Any, width: int, n_out: int, blocks: list[Any]) -> Any:
    nn = torch.nn

    class Network(nn.Module):  # type: ignore[misc, name-defined]  # made where PyTorch is
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(width, width)
            self.blocks = nn.ModuleList(
                [each if isinstance(each, nn.Module) else _function(nn, each) for each in blocks]
            )
            self.linear = nn.ModuleList([nn.Linear(width, width, bias=n % 2 == 0) for n in range(len(blocks))])
            self.last = nn.Linear(width, n_out)

        def forward(self, x: Any) -> Any:
            x = self.first(x)
            for block, linear in zip(self.blocks, self.linear, strict=True):
                x = linear(block(x))
            return self.last(x)

    return Network()


def _function(nn: Any, function: Callable[[Any], Any]) -> Any:
    class Function(nn.Module):  # type: ignore[misc, name-defined]
        def forward(self, x: Any) -> Any:
            return function(x)

    return Function()


def _choice(torch: Any, draw: np.random.Generator, n: int) -> Any:
    nn, functional = torch.nn, torch.nn.functional
    inner = nn.Linear(n, n).requires_grad_(False)  # a constant of the functions that read it

    class Residual(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Sequential(nn.LayerNorm(n), nn.Linear(n, 2 * n), nn.GELU(), nn.Linear(2 * n, n))

        def forward(self, x: Any) -> Any:
            return x + self.inner(x)

    class Gated(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.both = nn.Linear(n, 2 * n)

        def forward(self, x: Any) -> Any:
            first, second = self.both(x).chunk(2, dim=-1)
            return first * functional.silu(second)

    known: list[Any] = [
        *(nn.ReLU(), nn.ReLU6(), nn.Sigmoid(), nn.Tanh(), nn.SELU(), nn.CELU(0.7), nn.ELU(1.2), nn.LeakyReLU(0.05)),
        *(nn.GELU(), nn.GELU(approximate="tanh"), nn.SiLU(), nn.Mish(), nn.Hardswish(), nn.Hardsigmoid()),
        *(nn.Hardtanh(), nn.Softplus(), nn.Softsign(), nn.LogSigmoid(), nn.Tanhshrink(), nn.Softshrink(0.3)),
        *(nn.Hardshrink(0.4), nn.Threshold(0.1, -0.2), nn.PReLU(), nn.PReLU(n), nn.Softmax(-1), nn.LogSoftmax(-1)),
        *(nn.BatchNorm1d(n), nn.LayerNorm(n), nn.LayerNorm(n, elementwise_affine=False), nn.RMSNorm(n, eps=1e-5)),
        *(nn.Dropout(0.3), nn.Identity(), nn.GLU(), Residual(), Gated()),
        lambda x: functional.normalize(x, dim=-1),
        lambda x: x.clamp(-0.5, 0.8),
        lambda x: x.clamp(min=-0.3),
        lambda x: x * torch.sigmoid(inner(x)),
        lambda x: torch.cat([x[:, 1:4], x[:, :3]], dim=-1),
        lambda x: x - x.mean(dim=-1, keepdim=True),
        lambda x: x**2 / 4 + x.abs(),
        lambda x: torch.maximum(x, inner(x)) - torch.minimum(x, inner(x)),
        lambda x: x.view(x.size(0), 2, n // 2).flatten(1),
        lambda x: x.reshape(-1, n // 2, 2).transpose(1, 2).reshape(-1, n),
        lambda x: torch.where(x > 0, x, 0.1 * x) + 1.0,
        lambda x: torch.exp(-functional.relu(x)),
    ]
    chosen = known[draw.integers(len(known))]
    return nn.Sequential(chosen, nn.Linear(n // 2, n)) if isinstance(chosen, nn.GLU) else chosen


def random_chain(torch: Any, seed: int) -> tuple[Any, int]:
    """Return a random `Sequential` and how many numbers its rows have."""
    nn = torch.nn
    draw = np.random.default_rng(seed)
    width = first = int(draw.integers(2, 7))
    modules: list[Any] = []
    for _ in range(draw.integers(2, 6)):
        units = 2 * int(draw.integers(1, 5))
        modules.append(nn.Linear(width, units, bias=bool(draw.integers(4))))
        width = units
        kinds = [
            lambda n: nn.BatchNorm1d(n, eps=1e-4, momentum=0.2, affine=bool(draw.integers(2))),
            lambda n: nn.LayerNorm(n, bias=bool(draw.integers(2))),
            lambda n: nn.RMSNorm(n, eps=1e-5),
            lambda n: nn.Sequential(nn.Dropout(0.2), nn.PReLU(n if draw.integers(2) else 1)),
            *(lambda n, kind=kind: kind() for kind in (nn.ReLU, nn.ReLU6, nn.Sigmoid, nn.Tanh, nn.ELU, nn.SELU)),
            *(lambda n, kind=kind: kind() for kind in (nn.CELU, nn.Softplus, nn.Softsign, nn.SiLU, nn.GELU, nn.Mish)),
            *(lambda n, kind=kind: kind() for kind in (nn.LogSigmoid, nn.Hardsigmoid, nn.Hardswish, nn.Hardtanh)),
            *(lambda n, kind=kind: kind() for kind in (nn.Softshrink, nn.Hardshrink, nn.Tanhshrink, nn.LeakyReLU)),
            lambda n: nn.GELU("tanh"),
            lambda n: nn.Softplus(2.0),
            lambda n: nn.Hardtanh(-0.5, 2.0),
            lambda n: nn.Hardtanh(0.0, 2.0),
            lambda n: nn.Threshold(0.1, -0.5),
            lambda n: nn.LeakyReLU(0.3),
            lambda n: nn.ELU(0.3),
            lambda n: nn.Softmax(dim=1),
            lambda n: nn.LogSoftmax(dim=-1),
            lambda n: nn.Identity(),
        ]
        modules.append(kinds[draw.integers(len(kinds))](width))
    return nn.Sequential(*modules), first
