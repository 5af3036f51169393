"""Importances of columns, and their picture."""

from __future__ import annotations

import pickle
import sys

import numpy as np
import pytest

from cnn_core.sklearn.tabular.importances import Importances

FOUND = Importances([0.1, 0.3, -0.05], ["age", "city", "noise"])


def test_plot_has_the_most_important_column_above():
    pytest.importorskip("matplotlib")
    axes = FOUND.plot()
    bars = {label.get_text(): bar.get_width() for label, bar in zip(axes.get_yticklabels(), axes.patches, strict=True)}
    assert bars == {"city": 0.3, "age": 0.1, "noise": -0.05}
    heights = [axes.transData.transform((0, bar.get_y()))[1] for bar in axes.patches]
    assert heights == sorted(heights, reverse=True)
    assert [label.get_text() for label in FOUND.plot(top=1).get_yticklabels()] == ["city"]
    assert len(FOUND.plot(top=None).patches) == 3


def test_a_notebook_shows_the_axes_without_pyplot():
    pytest.importorskip("matplotlib")
    axes = FOUND.plot()
    assert axes._repr_png_().startswith(b"\x89PNG")
    assert pickle.loads(pickle.dumps(axes))._repr_png_().startswith(b"\x89PNG")


def test_plot_in_axes_of_ones_own():
    figures = pytest.importorskip("matplotlib.figure")
    axes = figures.Figure().subplots()
    assert FOUND.plot(ax=axes) is axes
    assert len(axes.patches) == 3


def test_errors(monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("matplotlib")
    with pytest.raises(ValueError, match="`top` must be"):
        FOUND.plot(top=0)
    with pytest.raises(TypeError, match="`ax` must be axes of matplotlib"):
        FOUND.plot(ax=3)
    sums = np.add(FOUND, [[1.0], [2.0]])
    with pytest.raises(ValueError, match=r"needs a number for each column\. Received: shape \(2, 3\)"):
        sums.plot()
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install 'cnn_core\[plot\]'"):
        FOUND.plot()
