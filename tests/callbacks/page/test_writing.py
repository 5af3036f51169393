"""The page of a history as a file: its values are exactly the history's, row by row."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from browsing import data_of
from callback_cases import FakeModel, train
from cnn_core.callbacks import History


def test_rows_values_pictures_and_the_best_epoch(tmp_path: Path) -> None:
    values = [
        {"loss": 0.5, "learning_rate": 0.1},
        {"loss": 0.25, "learning_rate": 0.01, "val_loss": 1.5},
        {"loss": float("inf"), "learning_rate": 0.001},
        {"loss": 0.125, "learning_rate": 0.001, "val_loss": 1.25},
    ]
    path = tmp_path / "history.html"
    page = train(FakeModel(), None, values).history.to_html(path, title="<b>")
    assert path.read_text(encoding="utf-8") == page
    assert "<title>&lt;b&gt;</title>" in page
    assert data_of(page) == {
        "epochs": [0, 1, 2, 3],
        "values": {
            "learning_rate": [0.1, 0.01, 0.001, 0.001],
            "loss": [0.5, 0.25, "Infinity", 0.125],
            "val_loss": [None, 1.5, None, 1.25],
        },
        "texts": {},
        "panels": [
            {"name": "learning_rate", "curves": [{"key": "learning_rate", "kind": "learningRate"}]},
            {
                "name": "loss",
                "curves": [{"key": "loss", "kind": "training"}, {"key": "val_loss", "kind": "validation"}],
            },
        ],
        "logarithmic": ["learning_rate"],
        "best": {"row": 3, "monitor": "val_loss"},
    }


def test_the_monitor_chooses_the_best_epoch() -> None:
    values = [{"val_loss": 1.0, "val_auc": 0.5}, {"val_loss": 2.0, "val_auc": 0.75}]
    history = train(FakeModel(), None, values).history
    assert data_of(history.to_html())["best"] == {"row": 0, "monitor": "val_loss"}
    assert data_of(history.to_html(monitor="val_auc", mode="max"))["best"] == {"row": 1, "monitor": "val_auc"}
    assert data_of(history.to_html(monitor=None))["best"] is None
    with pytest.raises(ValueError, match=r"History\.to_html cannot tell which direction of 'val_auc' is better"):
        history.to_html(monitor="val_auc")


def test_a_second_training_stands_below_the_first() -> None:
    history = History()
    train(FakeModel(), history, [{"loss": 3.0}, {"loss": 2.0}])
    train(FakeModel(), history, [{"loss": 1.0, "val_loss": 4.0}])
    data = data_of(history.to_html())
    assert data["epochs"] == [0, 1, 0]
    assert data["values"] == {"loss": [3.0, 2.0, 1.0], "val_loss": [None, None, 4.0]}
    assert data["best"] == {"row": 2, "monitor": "val_loss"}


def test_epochs_recorded_at_once_stand_as_if_one_by_one() -> None:
    history = History()
    train(FakeModel(), history, [{"loss": 3.0}])
    history.on_train_begin()
    for _ in range(2):  # twice is as once
        history.record(0, [0, 1], [{"loss": 2.0}, {"loss": 1.0}])
    history.record(2, [2], [{"loss": 0.5}])
    data = data_of(history.to_html())
    assert (data["epochs"], data["values"]) == ([0, 0, 1, 2], {"loss": [3.0, 2.0, 1.0, 0.5]})


def test_values_that_a_user_put_into_the_history() -> None:
    history = train(FakeModel(), None, [{"loss": 3.0}, {"loss": 2.0}]).history
    history.history["gap"] = [1.0, 0.5, 0.25]
    data = data_of(history.to_html())
    assert (data["epochs"], data["values"]) == ([0, 1, 2], {"loss": [3.0, 2.0, None], "gap": [1.0, 0.5, 0.25]})
    loaded = History()
    loaded.history = {"loss": [3.0, 2.0], "val_loss": [2.0, 4.0]}
    assert data_of(loaded.to_html())["best"] == {"row": 0, "monitor": "val_loss"}
    assert loaded._repr_html_()
    history.history["loss"].append(1.0)
    assert data_of(history.to_html())["values"]["loss"] == [3.0, 2.0, 1.0]


def test_what_is_no_number_stands_in_the_table_only() -> None:
    values = [{"loss": np.float32(0.5), "stage": "warm-up", "confusion": np.eye(2)}]
    data = data_of(train(FakeModel(), None, values).history.to_html())
    assert data["values"] == {"loss": [0.5]}
    assert data["texts"] == {"stage": ["warm-up"], "confusion": [str(np.eye(2))]}
    assert [panel["name"] for panel in data["panels"]] == ["loss"]


def test_an_empty_history_has_no_page() -> None:
    with pytest.raises(ValueError, match=r"History\.to_html needs at least one finished epoch"):
        History().to_html()


def test_the_file_is_self_contained_and_small() -> None:
    page = train(FakeModel(), None, [{"loss": 0.5}]).history.to_html()
    assert not re.search(r"""(src|href)\s*=|@import|url\(|https?://(?!www\.w3\.org/2000/svg)|fetch\(""", page)
    assert len(page.encode()) - len(json.dumps(data_of(page))) < 50_000
