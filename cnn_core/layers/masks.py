"""Masks: which steps of a sample count. They go beside symbols and arrays from layer to layer, as such themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cnn_core.foundation.caller import warn_caller
from cnn_core.foundation.eager import EagerArray, mask_of, set_mask
from cnn_core.foundation.structures import flatten, map_structure
from cnn_core.network.graph import Symbol
from cnn_core.network.operators import Operators


class PassesMasks:
    """The part of a layer that masks concern.

    A mask is True where a step counts. `Embedding` and `Masking` make one; `GlobalAveragePooling1D`, and custom layers
    whose `call` has the argument `mask`, read it; others pass it on to their output, or let it end there.

    Attributes
    ----------
    supports_masking : bool
        Whether the output has the mask that `compute_mask` gives; else it has none, of which a masked input warns. A
        custom layer may set it in its constructor.
    reads_masks : bool
        Whether the layer computes with the mask of its input, as a second input.
    """

    name: str
    n_inputs: int | None
    supports_masking: bool = False
    reads_masks: bool = False

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """Return the mask of the output.

        Parameters
        ----------
        inputs : symbol or array, or list of them
        previous_mask : symbol, array or None, or list of them
            The input's mask.

        Returns
        -------
        symbol, array or None
            None: every step counts. The default: the input's mask.
        """
        return previous_mask

    def with_mask_to_read(self, values: list[Any]) -> list[Any]:
        """Return what a call reads: the symbols or arrays, and the mask of the first where the layer reads it."""
        mask = mask_of(values[0]) if self.reads_masks and len(values) == 1 else None
        return values if mask is None else [*values, mask]

    def _apply_masked(self, inputs: object, mask: object, training: bool | None) -> Any:
        """Apply a layer that reads masks, with the mask that a call gives."""
        if isinstance(inputs, Symbol):
            return self._call_on_symbols(inputs, [inputs, mask], training)  # type: ignore[attr-defined]
        return self._call_on_arrays(inputs, [mask], training)  # type: ignore[attr-defined]

    def pass_mask_on(self, inputs: Any, outputs: Any, given: Any = None) -> None:
        """Give what a call has made its mask; warn where one ends that something may wait for."""
        masks = masks_of(inputs)
        if self.supports_masking:
            found = self.compute_mask(inputs, masks if given is None else given)
            if found is not None:
                _set_masks(outputs, found)
        elif any(mask is not None for mask in flatten(masks)):
            warn_caller(
                f"{self.name!r} does not pass on the mask of its input: what comes after it counts every step. "
                "GlobalAveragePooling1D, put before it, leaves out the steps that do not count"
            )


def masks_of(inputs: object) -> Any:
    """Return the mask of one input, or the masks of several in their structure."""
    several = isinstance(inputs, Mapping) or (
        isinstance(inputs, (list, tuple)) and any(hasattr(each, "shape") for each in flatten(inputs))
    )
    return map_structure(mask_of, inputs) if several else mask_of(inputs)


def _set_masks(outputs: object, masks: object) -> None:
    if isinstance(outputs, (list, tuple)) and isinstance(masks, (list, tuple)):
        for output, mask in zip(outputs, masks, strict=False):
            _set_masks(output, mask)
    elif isinstance(outputs, (Symbol, EagerArray)):
        set_mask(outputs, masks)


def beside(mask: Any, value: Any) -> Any:
    """Return a mask of steps with axes of size 1 behind, as many as the features of a value have."""
    call = Operators.functions
    for _ in range(len(value.shape) - len(mask.shape)):
        mask = call["expand_dims"](mask, -1)
    return mask


def only_where(mask: Any, value: object, otherwise: float) -> Any:
    """Return a value where a mask is True, or more than 0.5, and a number elsewhere."""
    counts = mask if str(mask.dtype) == "bool" else Operators.functions["greater"](mask, 0.5)
    return Operators.functions["where"](counts, value, otherwise)


def refuse_masks_across(name: str, inputs: Sequence[Symbol], outputs: Sequence[Symbol]) -> None:
    """Refuse a call of a model that a mask would have to enter or to leave.

    Raises
    ------
    ValueError
        If an input, or what the model's own graph gives, has a mask.
    """
    for symbols, way in ((inputs, "into"), (outputs, "out of")):
        if any(symbol.mask is not None for symbol in symbols):
            raise ValueError(
                f"A mask must be made and read in one model: none goes {way} {name!r}. Received: a symbol with a mask, "
                "which GlobalAveragePooling1D reads"
            )


def either(masks: Sequence[object]) -> Any:
    """Return a mask that is True where one of several is; None if one of them is None."""
    if any(mask is None for mask in masks):
        return None
    found = masks[0]
    for mask in masks[1:]:
        found = Operators.functions["logical_or"](found, mask)
    return found
