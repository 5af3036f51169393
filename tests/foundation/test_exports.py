"""cnn_core/foundation/exports.py: what a module offers without listing it."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

import pytest

from cnn_core.foundation.exports import own_names

# The faces of packages whose modules offer what they define.
FACES = ["activations", "losses", "metrics", "optimizers", "layers"]


def test_only_what_a_module_defines_is_its_own(monkeypatch: pytest.MonkeyPatch):
    module = ModuleType("kinds")
    text = (
        "import math\nfrom fractions import Fraction\n_hidden = 1\nLIMIT = 3\n"
        "class Kind: pass\nkind = Kind()\nalias = Kind\ndef function(): pass\nhalf = Fraction(1, 2)\n"
    )
    exec(text, vars(module))
    monkeypatch.setitem(sys.modules, "kinds", module)
    assert own_names("kinds") == ["Kind", "kind", "alias", "function"]


@pytest.mark.parametrize("face", FACES)
def test_faces_offer_every_name_once(face: str):
    package = importlib.import_module(f"cnn_core.{face}")
    assert len(package.__all__) == len(set(package.__all__))
    assert all(hasattr(package, name) for name in package.__all__)
    assert not {"own_names", "validation", "np"} & set(package.__all__)
