from __future__ import annotations

import subprocess
import sys

import pytest

import cnn_core
from cnn_core.foundation.extras import need


def test_a_missing_package_is_answered_with_its_extra():
    with pytest.raises(ImportError, match=r"`from_torch` needs no_torch: pip install 'cnn_core\[torch\]'"):
        need("no_torch.fx", "torch", "from_torch")


def test_doors_are_named_and_others_refused():
    assert set(cnn_core.interop.__all__) <= set(dir(cnn_core.interop))
    for name in cnn_core.interop.__all__:
        assert callable(getattr(cnn_core.interop, name))
    with pytest.raises(AttributeError, match="has no attribute 'from_nothing'"):
        _ = cnn_core.interop.from_nothing


def test_looking_at_the_doors_imports_nothing_heavy():
    names = "{'torch', 'onnx', 'sklearn', 'h5py', 'keras'} & {*sys.modules}"
    look = f"import sys, cnn_core; d = cnn_core.interop; [getattr(d, name) for name in d.__all__]; print({names})"
    assert subprocess.check_output([sys.executable, "-c", look], text=True).strip() == "set()"
