"""Products of matrices: of a sample's, and of samples with a matrix that all share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cnn_core.network.graph import Node
from cnn_core.network.plan import NetworkPlan
from cnn_core.network.variables import Variable
from cnn_core.ops.broadcasting import broadcast, is_batched
from cnn_core.ops.dtypes import as_array, as_value, promoted
from cnn_core.ops.operation import Function, Operation, Spec, is_symbolic, shape_of


class _Matmul(Function):
    """``first @ second`` of matrices, sample by sample; rows of samples times a matrix that all share."""

    def __call__(self, first: object, second: object) -> Any:
        if is_symbolic(first, second):
            return self.on([as_value(first), as_value(second)])
        dtype = promoted([as_value(first), as_value(second)])
        return np.matmul(as_array(first, dtype), as_array(second, dtype))

    def infer(self, operands: Sequence[Any], settings: Mapping[str, Any]) -> list[Spec]:
        first, second = map(shape_of, operands)
        matrices = len(first) > 1 and len(second) > 1 and first[-1] == second[-2] and first[-1] is not None
        across = (is_batched(second) and len(second) < 3) or (is_batched(first) and len(first) < 3 <= len(second))
        if across:
            raise TypeError(
                f"`matmul` of shapes {first} and {second} would multiply samples with each other, and every sample is "
                "computed by itself. A scalar product of rows is ops.sum(a * b, axis=-1)"
            )
        if not matrices:
            raise ValueError(
                "`matmul` multiplies the last axis of the first operand with the last but one of the second, sample "
                f"by sample. Received: shapes {first} and {second}"
            )
        dtype = promoted(operands)
        if len(second) == 2:
            return [Spec((*first[:-1], second[-1]), dtype)]
        around = broadcast([first[:-2], second[:-2]], self.name)
        return [Spec((*around, first[-2], second[-1]), dtype)]

    def add_to(self, plan: NetworkPlan, operation: Operation, inputs: list[int]) -> list[int]:
        kernel = operation.operands[1]
        if operation.operands[0] is not None or kernel is None or len(shape_of(kernel)) != 2:
            return super().add_to(plan, operation, inputs)
        return [plan.add_product(inputs[0], operation.variable(1), layer=operation.name)]

    def enter(self, plan: NetworkPlan, operation: Operation, buffers: list[int]) -> list[int]:
        return [plan.add_matmul(buffers[0], buffers[1], layer=operation.name)]


def matrix_of(node: Node) -> Variable | None:
    """Return the variable with which a call multiplies rows, if it does."""
    operation = node.layer
    if not isinstance(operation, Operation) or operation.function is not matrix_product or len(node.inputs) != 1:
        return None
    kernel = operation.operands[1]
    return kernel if isinstance(kernel, Variable) and len(kernel.shape) == 2 and node.inputs[0].batched else None


matrix_product = _Matmul("matmul", "Matmul")
