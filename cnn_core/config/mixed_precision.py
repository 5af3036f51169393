"""Training in mixed precision, under the names by which Keras has it."""

from __future__ import annotations

from cnn_core.config.precision import dtype_policy, set_dtype_policy
from cnn_core.foundation.dtype_policy import DTypePolicy

__all__ = ["DTypePolicy", "Policy", "dtype_policy", "global_policy", "set_dtype_policy", "set_global_policy"]

Policy = DTypePolicy
global_policy = dtype_policy
set_global_policy = set_dtype_policy
