"""The record of a training, and its plot."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from callback_cases import FakeModel, epochs_of, train
from cnn_core.callbacks import History


class TestHistory:
    def test_records_epochs_and_values(self):
        model = FakeModel()
        history = train(model, None, [{"loss": 0.5}, {"loss": 0.25, "val_loss": 1.0}]).history
        assert history.epoch == [0, 1]
        assert history.history == {"loss": [0.5, 0.25], "val_loss": [1.0]}
        assert model.history is history

    def test_reuse_continues_the_values(self):
        history = History()
        train(FakeModel(), history, epochs_of([1.0, 2.0]))
        train(FakeModel(), history, epochs_of([3.0]))
        assert history.epoch == [0]
        assert history.history == {"val_loss": [1.0, 2.0, 3.0]}

    def test_plot(self, tmp_path: Path):
        pytest.importorskip("matplotlib")
        values = [{"loss": 0.5, "accuracy": 0.6}, {"loss": 0.25, "accuracy": 0.7, "val_loss": 0.4}]
        history = train(FakeModel(), None, values).history
        figure = history.plot(path=tmp_path / "history.png")
        assert (tmp_path / "history.png").read_bytes().startswith(b"\x89PNG")
        titles = [axes.get_title() for axes in figure.axes]
        assert titles == ["accuracy", "loss"]
        drawn = {line.get_label(): line.get_xydata().tolist() for line in figure.axes[1].lines}
        assert drawn == {"training": [[0, 0.5], [1, 0.25]], "validation": [[1, 0.4]]}
        assert [axes.get_title() for axes in history.plot(["loss"]).axes] == ["loss"]

    def test_plot_marks_the_best_epoch(self):
        pytest.importorskip("matplotlib")
        losses, scores = [0.9, 0.4, float("nan"), 0.6], [0.5, 0.6, 0.7, 0.65]
        values = [{"loss": 1.0, "val_loss": a, "val_auc": b} for a, b in zip(losses, scores, strict=True)]
        history = train(FakeModel(), None, values).history

        def marks(**options):
            found = [line for axes in history.plot(**options).axes for line in axes.collections]
            return [(line.get_label(), line.get_segments()[0][:, 0].tolist()) for line in found]

        assert marks() == [("best epoch: 1", [1, 1])] * 2
        assert marks(monitor="val_auc", mode="max") == [("best epoch: 2", [2, 2])] * 2
        assert marks(monitor=None) == []
        with pytest.raises(ValueError, match=r"History\.plot cannot tell which direction of 'val_auc' is better"):
            history.plot(monitor="val_auc")
        with pytest.raises(ValueError, match="`monitor` must be"):
            history.plot(monitor="val_los")
        with pytest.raises(ValueError, match="`mode` must be"):
            history.plot(mode="up")

    def test_nothing_is_best_without_validation_or_numbers(self):
        pytest.importorskip("matplotlib")
        for values in ({"loss": 0.5}, {"val_loss": float("nan")}):
            (axes,) = train(FakeModel(), None, [values] * 2).history.plot().axes
            assert not axes.collections

    def test_plot_of_the_learning_rate(self):
        pytest.importorskip("matplotlib")
        values = [{"loss": 0.5, "learning_rate": rate} for rate in (0.1, 0.01)]
        rate, loss = train(FakeModel(), None, values).history.plot(["learning_rate", "loss"]).axes
        assert (rate.get_yscale(), loss.get_yscale()) == ("log", "linear")
        assert [(line.get_label(), line.get_ydata().tolist()) for line in rate.lines] == [
            ("learning rate", [0.1, 0.01])
        ]

    def test_many_plots_stand_in_rows_of_four(self):
        pytest.importorskip("matplotlib")
        history = History()
        history.on_train_begin()
        history.on_epoch_end(0, {f"metric_{i}": 0.5 for i in range(6)})
        axes = history.plot().axes
        assert all(tick == round(tick) for each in axes for tick in each.get_xticks())
        assert [each.get_title() for each in axes] == [f"metric_{i}" for i in range(6)]
        assert {each.get_subplotspec().get_gridspec().get_geometry() for each in axes} == {(2, 4)}

    @pytest.mark.parametrize("n_epochs", [1, 2, 3, 7, 40])
    def test_epochs_are_whole(self, n_epochs: int):
        figures = pytest.importorskip("matplotlib.figure")
        history = train(FakeModel(), None, epochs_of([1.0] * n_epochs)).history
        own = figures.Figure().subplots()
        for axes in (history.plot().axes[0], history.plot(ax=own).axes[0]):
            ticks = axes.get_xticks()
            assert len(ticks)
            assert (ticks == ticks.round()).all()

    def test_plot_in_axes_of_ones_own(self):
        figures = pytest.importorskip("matplotlib.figure")
        history = train(FakeModel(), None, [{"loss": 0.5, "accuracy": 0.6}] * 2).history
        figure = figures.Figure()
        panels = figure.subplots(2, 2)
        assert history.plot(ax=panels[0]) is figure
        assert [axes.get_title() for axes in panels.flat] == ["accuracy", "loss", "", ""]
        history.plot(["loss"], ax=panels[1, 1])
        assert panels[1, 1].get_title() == "loss"
        with pytest.raises(
            ValueError, match=r"`ax` must hold as many axes as History\.plot has panels: 2\. Received: 1"
        ):
            history.plot(ax=panels[1, 0])

    def test_a_notebook_shows_the_plot_without_pyplot(self):
        pytest.importorskip("matplotlib")
        history = train(FakeModel(), None, epochs_of([1.0])).history
        assert history.plot()._repr_png_().startswith(b"\x89PNG")

    def test_plot_errors(self, monkeypatch: pytest.MonkeyPatch):
        pytest.importorskip("matplotlib")
        with pytest.raises(ValueError, match="at least one finished epoch"):
            History().plot()
        history = train(FakeModel(), None, epochs_of([1.0])).history
        with pytest.raises(ValueError, match=r"`names` must be .* Did you mean 'loss'"):
            history.plot(["los"])
        monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
        with pytest.raises(ImportError, match=r"pip install 'cnn_core\[plot\]'"):
            history.plot()
