"""Masks: which steps of a sample count. They go beside symbols from layer to layer, as symbols of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnn_core.foundation.caller import warn_caller
from cnn_core.foundation.structures import flatten
from cnn_core.network.graph import Symbol


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

    def with_mask_to_read(self, symbols: list[Any]) -> list[Any]:
        """Return what a call on symbols reads: the symbols, and the mask of the first one where the layer reads it."""
        mask = getattr(symbols[0], "mask", None) if self.reads_masks and len(symbols) == 1 else None
        return symbols if mask is None else [*symbols, mask]

    def pass_mask_on(self, inputs: Any, outputs: Any, given: Any = None) -> None:
        """Give symbols that a call has made their mask; warn where one ends that something may wait for."""
        masks = [leaf.mask if isinstance(leaf, Symbol) else None for leaf in flatten(inputs)]
        if self.supports_masking:
            previous = given if given is not None else masks if isinstance(inputs, (list, tuple)) else masks[0]
            found = self.compute_mask(inputs, previous)
            if found is not None and isinstance(outputs, Symbol):
                outputs.mask = found
        elif any(mask is not None for mask in masks):
            warn_caller(
                f"{self.name!r} does not pass on the mask of its input: what comes after it counts every step. "
                "GlobalAveragePooling1D, put before it, leaves out the steps that do not count"
            )


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


def refuse_mask(name: str, mask: object) -> None:
    """Refuse the mask of an input, with which Keras's layer would compute, and this one does not.

    Raises
    ------
    ValueError
        If there is one.
    """
    if mask is not None:
        raise ValueError(
            f"{name!r} computes with every step, whether it counts or not: put GlobalAveragePooling1D, which reads the "
            "mask, before it, or a layer that ends it. Received: an input with a mask"
        )


def either(masks: Sequence[object]) -> Any:
    """Return a mask that is True where one of several is; None if one of them is None."""
    if any(mask is None for mask in masks):
        return None
    found = masks[0]
    for mask in masks[1:]:
        found = Symbol.functions["logical_or"](found, mask)
    return found
