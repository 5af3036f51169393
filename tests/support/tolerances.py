"""Every tolerance of the test suite, each with its reason. No test writes a number of its own.

A relative tolerance is meant relative to the largest magnitude of the array that is compared (see `close`): elements
that cancel to nearly nothing carry the rounding error of the terms that cancelled.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

# Recorded vectors: one forward or backward pass in float32 loses a few units of 6e-8 for each of some tens of
# operations, and both sides do; over 50 steps of training the losses add up. 1e-5 leaves a factor of ten.
GOLDEN_FLOAT32 = 1e-5
# The same in float64: some hundred operations of 1.1e-16, times 50 steps, stay under 1e-12; Keras itself rounds a few
# constants through float32, which is why the promise is no tighter.
GOLDEN_FLOAT64 = 1e-10
# Metrics are quotients of sums over few samples: no error accumulates beyond the sums' own in float32.
GOLDEN_METRIC = 1e-6

# Where a whole script ends: hundreds of steps in float32 let rounding grow, most where a ReLU's kink is crossed on one
# side only. The project promises 1e-3 of the loss. In float64 what is left is that Keras averages losses and metrics in
# float32, and that it clips a softmax at 1e-7 where our cross-entropy comes from logits: with label smoothing even
# improbable classes count. A share of right answers may differ by one answer in a hundred.
SCRIPT_FLOAT32 = 1e-3
SCRIPT_FLOAT64 = 1e-4
SCRIPT_SHARE = 0.01

# The oracle against Keras in float64: both compute in the same precision, only the order of operations differs.
REFERENCE_FLOAT64 = 1e-12

# A product kernel in float32 against the float64 oracle: inputs of order one, sums over at most some hundred terms.
KERNEL_FLOAT32 = 2e-6
KERNEL_FLOAT64 = 1e-13

# Central differences with step h err by about h^2 (curvature) + 1e-16 / h (cancellation): with h = 1e-6 both stay
# near 1e-10 for functions of order one; 1e-5 is what the project promises, for losses with large third derivatives.
DIFFERENCE_STEP = 1e-6
GRADIENT_CHECK = 1e-5
# A gradient is compared relative to its tensor's largest element, or to this times J if that is more: the cancellation
# above is noise of some 1e-10 J even where the true gradient is 0.
DIFFERENCE_FLOOR = 1e-4
# The oracle's own gradients, whose data is chosen smooth, reach nearly what differences can.
REFERENCE_DIFFERENCE = 3e-8

# A number worked out by hand in exact decimals, compared in float64: a handful of roundings.
BY_HAND = 1e-14
# Hand-worked through exp or log, which are right to 4 units in the last place.
BY_HAND_TRANSCENDENTAL = 4e-15

# Maximum-likelihood fits of two optimizers meet where the gradient is flat; 1e-4 is what the project promises.
MAXIMUM_LIKELIHOOD = 1e-4


def golden(dtype: DTypeLike) -> float:
    """Give the tolerance against recorded vectors in `dtype`."""
    return GOLDEN_FLOAT64 if np.dtype(dtype) == np.float64 else GOLDEN_FLOAT32


def script(dtype: DTypeLike) -> float:
    """Give the tolerance of the results of a whole script in `dtype`."""
    return SCRIPT_FLOAT64 if np.dtype(dtype) == np.float64 else SCRIPT_FLOAT32


def kernel(dtype: DTypeLike) -> float:
    """Give the tolerance of one kernel in `dtype` against the float64 oracle."""
    return KERNEL_FLOAT64 if np.dtype(dtype) == np.float64 else KERNEL_FLOAT32


def close(actual: ArrayLike, desired: ArrayLike, tolerance: float, name: str = "") -> None:
    """Assert `max |actual - desired| <= tolerance * max(|desired|)` with equal shapes and no NaN that is not expected.

    Parameters
    ----------
    actual, desired
        Arrays of the same shape. Infinite and NaN elements must stand in the same places.
    tolerance
        Relative to the largest finite magnitude of `desired`.
    name
        Appears in the message.
    """
    actual = np.asarray(actual, dtype=np.float64)
    desired = np.asarray(desired, dtype=np.float64)
    finite = np.abs(desired[np.isfinite(desired)])
    scale = float(finite.max()) if finite.size else 0.0
    assert actual.shape == desired.shape, f"{name}: shape {actual.shape} instead of {desired.shape}"
    np.testing.assert_allclose(actual, desired, rtol=0, atol=tolerance * scale, err_msg=name)
