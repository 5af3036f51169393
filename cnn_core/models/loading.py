"""Models from files and from JSON."""

from __future__ import annotations

from typing import cast

import cnn_core.saving as saving
from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.foundation.model_file import FileLike
from cnn_core.foundation.serialization import CustomObjects
from cnn_core.models.model import Model


@knows_its_arguments
def load_model(
    filepath: FileLike,
    custom_objects: CustomObjects | None = None,
    compile: bool = True,
    safe_mode: bool = True,
) -> Model:
    """Read a model that `save` wrote, or that Keras did.

    Files of Keras, ".keras" and ".h5", are told apart by their first bytes: see `interop.from_keras`.

    Parameters
    ----------
    filepath : str, path-like or binary file
    custom_objects : dict of str to object, default None
        The user's own classes and functions that the model uses, by name.
    compile : bool, default True
        Whether to compile the model as it was, with the optimizer's state.
    safe_mode : bool, default True
        Accepted because Keras has it: a file holds nothing that could be executed.

    Returns
    -------
    Model

    Raises
    ------
    ValueError
        If the file is no model, is damaged, or names something that neither the package nor `custom_objects` has.
    """
    return cast(Model, saving.read_model(filepath, custom_objects, compile))


@knows_its_arguments
def model_from_json(json_string: str, custom_objects: CustomObjects | None = None) -> Model:
    """Build a model from what `to_json` returned here or in Keras, with new weights.

    What Keras has written of a compiled model is compiled, too.

    Parameters
    ----------
    json_string : str
    custom_objects : dict of str to object, default None
        The user's own classes and functions that the model uses, by name.

    Returns
    -------
    Model

    Raises
    ------
    ValueError
        If the text describes no model, or names something that neither the package nor `custom_objects` has.
    """
    return cast(Model, saving.read_json(json_string, custom_objects))
