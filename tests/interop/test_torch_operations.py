"""Functions of PyTorch as functions of `ops`: every row, as people write it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from cnn_core.interop import from_torch
from cnn_core.interop.torch_operations import OF_DTYPE, OPERATIONS

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.doors
nn, F = torch.nn, torch.nn.functional
W = np.random.default_rng(1).normal(size=(4, 4)).astype("float32")

# Of one argument, within -1 and 1, within 0.1 and 2, or both.
ANYWHERE = ["abs", "absolute", "arcsinh", "arctan", "asinh", "atan", "ceil", "cos", "cosh", "erf", "exp", "exp2"]
ANYWHERE += ["expm1", "floor", "isfinite", "isinf", "isnan", "neg", "negative", "round", "sigmoid", "sign", "sin"]
ANYWHERE += ["sinh", "square", "tanh", "trunc", "nan_to_num", "detach", "zeros_like", "ones_like", "tril", "triu"]
ANYWHERE += ["logical_not", "float", "double", "bool", "long", "int"]
INSIDE = ["arccos", "acos", "arcsin", "asin", "arctanh", "atanh", "tan"]
POSITIVE = ["log", "log10", "log1p", "log2", "reciprocal", "rsqrt", "sqrt"]
PAIRS = ["add", "arctan2", "atan2", "div", "divide", "eq", "floor_divide", "ge", "gt", "hypot", "le", "logaddexp"]
PAIRS += ["logical_and", "logical_or", "logical_xor", "lt", "maximum", "minimum", "mul", "multiply", "ne", "not_equal"]
PAIRS += ["remainder", "sub", "subtract", "max", "min"]
REDUCED = ["sum", "mean", "amax", "amin", "prod", "logsumexp", "argmax", "argmin"]
WRITTEN: dict[str, Callable[[Any], Any]] = {
    **{f"{name} dim": lambda x, name=name: getattr(torch, name)(x, dim=1) for name in REDUCED},
    **{f"{name} keepdim": lambda x, name=name: getattr(x, name)(-1, keepdim=True) for name in REDUCED},
    "operators": lambda x: (1 - x) * 2 / (x**2 + 1) + -x // 2 - x % 3,
    "in place": lambda x: (x + 0.0).mul_(2).add_(1),
    "comparisons": lambda x: ((x > 0) & (x < 1) | ~(x >= -1) ^ (x <= 2)).float() + (x != 0) * x,
    "pow": lambda x: torch.pow(x.abs() + 1, 0.3) + x.pow(2),
    "rsub": lambda x: torch.rsub(x, 1.0),
    "where": lambda x: torch.where(x > 0, x, 0.1 * x),
    "alpha": lambda x: torch.add(x, x, alpha=2) - torch.sub(x, x.abs(), alpha=0.5),
    "rounding": lambda x: torch.div(x, 0.3, rounding_mode="floor") + torch.div(x, 0.3, rounding_mode="trunc"),
    "decimals": lambda x: torch.round(x, decimals=1),
    "clamp": lambda x: x.clamp(-0.5, 0.5) + torch.clip(x, max=0.2),
    "any": lambda x: (x > 1).any(dim=1).float() + (x > -1).all(dim=2).float().sum(1, keepdim=True),
    "spread": lambda x: torch.var(x, dim=1, correction=0) + x.std(dim=1, unbiased=False),
    "extremes": lambda x: torch.max(x, dim=1)[0] + x.min(1)[1],
    "all of a sample": lambda x: x.amax(dim=(1, 2)),
    "norm": lambda x: x.norm(dim=-1) + torch.linalg.vector_norm(x, dim=-1) + torch.norm(x, p=1, dim=-1),
    "normalize": lambda x: F.normalize(x, dim=-1) + F.normalize(x, p=1, dim=1),
    "axes": lambda x: x.permute(0, 2, 1) + torch.permute(x, (0, 2, 1)) + x.transpose(1, 2) + torch.swapaxes(x, -1, 1),
    "reshape": lambda x: x.reshape(-1, 2, 8).view(x.size(0), 16).unsqueeze(1).squeeze(1),
    "flatten": lambda x: x.unsqueeze(3).flatten(2).flatten(1),
    "expand": lambda x: x[:, :1].expand(-1, 4, 4) + x[:, 0].unsqueeze(1).expand(x.shape[0], 4, -1),
    "flip and roll": lambda x: x.flip(1) + torch.roll(x, 1, 2) + torch.flip(x, [1, 2]),
    "repeat": lambda x: x.repeat(1, 2, 1) + torch.tile(x, (1, 2, 1)) + x.repeat_interleave(2, dim=1),
    "joined": lambda x: torch.cat([x, -x], dim=2) + torch.concat((x, x), -1) + torch.stack([x, x], 3).flatten(2),
    "parts": lambda x: x.chunk(2, dim=1)[1] + x.split([1, 2, 1], dim=1)[1] * torch.split(x, 2, 1)[0],
    "unbind": lambda x: x.unbind(dim=1)[0] * x.unbind(2)[3],
    "places": lambda x: torch.index_select(x, 1, torch.tensor([3, 0])) + x[:, [1, 1]],
    "slices": lambda x: x[:, 1:, ::2] * x[..., :3, 1:3] + x[:, -1, None, :2],
    "scans": lambda x: x.cumsum(dim=1) + torch.cumprod(x, 2),
    "order": lambda x: x.sort(dim=1)[0] + torch.sort(x, descending=True)[0] + x.argsort(dim=1),
    "largest": lambda x: torch.topk(x, 2)[0] + x.topk(2, dim=-1)[1],
    "picked": lambda x: x.gather(1, x.argsort(1)) + torch.take_along_dim(x, x.argsort(2), dim=2),
    "products": lambda x: x @ x + torch.matmul(x, torch.tensor(W)) + torch.bmm(x, x.transpose(1, 2)),
    "einsum": lambda x: torch.einsum("bij,bjk->bik", x, x),
    "attention": lambda x: torch.softmax(x @ x.transpose(1, 2) / 2, dim=-1) @ x + F.log_softmax(x, dim=1),
    "dtypes": lambda x: x.to(torch.float32) + (x > 0).to(x.dtype) + (x > 0).type_as(x) + (3 * x).to(torch.int64),
    "full": lambda x: x.new_full((x.size(0), 4, 4), 0.5) + torch.full_like(x, 2.0),
}


class Function(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Any) -> Any:
        return self.function(x)


def check(function: Callable[[Any], Any], low: float = -2.0, high: float = 2.0) -> None:
    x = np.random.default_rng(0).uniform(low, high, size=(5, 4, 4)).astype("float32")
    theirs = function(torch.from_numpy(x.copy())).detach().float().numpy()
    ours = from_torch(Function(function), (4, 4))(x)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("name", ANYWHERE)
def test_of_any_numbers(name: str):
    check(lambda x: getattr(x, name)() if hasattr(torch.Tensor, name) else getattr(torch, name)(x))


@pytest.mark.parametrize("name", INSIDE)
def test_of_small_numbers(name: str):
    check(lambda x: getattr(torch, name)(x), -0.9, 0.9)


@pytest.mark.parametrize("name", [*POSITIVE, "arccosh", "acosh"])
def test_of_positive_numbers(name: str):
    check(lambda x: getattr(torch, name)(x), 1.1 if name.endswith("cosh") else 0.1, 3.0)


@pytest.mark.parametrize("name", PAIRS)
def test_of_two(name: str):
    check(lambda x: getattr(torch, name)(x, torch.cos(3 * x)))


@pytest.mark.parametrize("name", WRITTEN)
def test_as_people_write_it(name: str):
    check(WRITTEN[name])


def test_every_row_is_tried():
    functions = [*WRITTEN.values(), *(lambda x, name=name: getattr(torch, name)(x, x) for name in PAIRS)]
    seen = {*ANYWHERE, *INSIDE, *POSITIVE, "arccosh", "acosh"}
    for function in functions:
        for node in torch.fx.symbolic_trace(Function(function)).graph.nodes:
            if node.op in ("call_function", "call_method"):
                name = node.target if isinstance(node.target, str) else node.target.__name__
                seen.add(name.strip("_"))
    assert {*OPERATIONS, *OF_DTYPE} - seen == set()


def test_what_cannot_come_in_is_named():
    for function, message in (
        (lambda x: x.var(dim=1), r"'var' \(var\) cannot be carried over: it must have correction=0"),
        (lambda x: x.topk(1, dim=1)[0], r"'topk' \(topk\) .*: it must take the largest along the last axis"),
        (lambda x: x.flatten(), r"'flatten' \(flatten\) cannot be carried over: all axes but the first"),
        (lambda x: x[1], r"'getitem' \(getitem\) cannot be carried over"),
    ):
        with pytest.raises(ValueError, match=message):
            from_torch(Function(function), (4, 4))
