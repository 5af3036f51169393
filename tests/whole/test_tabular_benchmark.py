"""The comparison of tabular methods: which tables are kept apart, what is ranked, and how runs go on."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
if not BENCHMARKS.is_dir():
    pytest.skip("the benchmarks are not part of this copy", allow_module_level=True)
pytest.importorskip("sklearn")
pytest.importorskip("pandas")
sys.path.insert(0, str(BENCHMARKS))

import charts  # noqa: E402
from tables import methods, ranking, report, runs, scoring, sources, tuning  # noqa: E402


def test_half_of_the_tables_is_kept_apart_by_the_rule():
    assert len(sources.TABLES) >= 30
    assert set(sources.EARLIER_APART) < set(sources.APART) < set(sources.TABLES)
    assert set(sources.APART) | set(sources.DEVELOPMENT) == set(sources.TABLES)
    assert 0.4 < len(sources.APART) / len(sources.TABLES) < 0.6
    assert {"births14", "Chicago", "concrete"} < set(sources.APART)  # the first, third and fifth regressions
    assert not {"check_times", "complete", "gapminder"} & set(sources.APART)


def test_scores_by_hand():
    found = scoring.of_probabilities(np.array([0, 1, 1]), np.array([[0.8, 0.2], [0.1, 0.9], [0.9, 0.1]]))
    assert found["accuracy"] == pytest.approx(2 / 3)
    assert found["roc_auc"] == pytest.approx(0.5)  # of the two pairs one is in order
    assert found["log_loss"] == pytest.approx(-(np.log(0.8) + np.log(0.9) + np.log(0.1)) / 3)
    assert scoring.error(found, "binary") == pytest.approx(0.5)
    numbers = scoring.of_numbers(np.array([1.0, 3.0]), np.array([2.0, 3.0]))
    assert numbers == {"r2": 0.5, "rmse": pytest.approx(0.5**0.5), "mae": 0.5}


def test_normalised_scores_and_ranks_by_hand():
    error = np.array([[0.1, 0.2, 0.3], [5.0, 5.0, 9.0]])
    assert ranking.ranks(error).tolist() == [[1, 2, 3], [1.5, 1.5, 3]]
    assert ranking.normalised(error).tolist() == [[1, 0, 0], [0, 0, 0]]


def test_critical_difference_is_that_of_the_published_table():
    # Demsar (2006): q at 0.05 is 2.569 for four methods; his example has four on 14 tables.
    assert ranking.critical_difference(4, 14) == pytest.approx(2.569 * (4 * 5 / (6 * 14)) ** 0.5, abs=1e-3)


def test_win_rate_counts_equals_half():
    rate, low, high = ranking.win_rate(np.array([1.0, 2.0, 3.0, 4.0]), np.array([2.0, 2.0, 1.0, 5.0]))
    assert rate == 0.625
    assert 0 <= low < rate < high <= 1


def test_methods_that_differ_are_told_apart_and_equal_ones_are_not():
    generator = np.random.default_rng(0)
    base = generator.uniform(1, 2, 30)
    error = np.stack([base, base, 1.3 * base], axis=1)
    p = ranking.wilcoxon_holm(error, 0)
    assert p[1] == 1.0
    assert p[2] < 1e-4


def test_only_splits_that_all_have_done_are_compared():
    results = [{"table": "a", "method": m, "split": s} for m, s in (("x", 0), ("y", 0), ("x", 1))]
    assert ranking.complete_splits(results, "a", ["x", "y"]) == [0]
    assert ranking.complete_splits(results, "a", ["x"]) == [0, 1]
    assert ranking.complete_splits(results, "b", ["x"]) == []


def test_a_run_goes_on_where_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    output = tmp_path / "results.jsonl"
    runs.run(output, ["wine"], ["linear"], [0], 1.0, 3000)
    first = output.read_text()
    assert json.loads(first)["accuracy"] > 0.9
    runs.run(output, ["wine"], ["linear"], [0], 1.0, 3000)
    assert output.read_text() == first
    runs.run(output, ["wine"], ["linear"], [0, 1], 1.0, 3000)
    assert [each["split"] for each in runs.read(output)] == [0, 1]


def test_tuning_chooses_among_the_trials_and_refits():
    X, y = sources.load("wine")
    tuned = tuning.Tuned(tuning.HIST_GRADIENT_BOOSTING, "multiclass", 0, 1.0).fit(X, y)
    assert 1 <= tuned.n_trials_ <= tuning.MOST_TRIALS
    assert scoring.scores(tuned, X, y, "multiclass")["accuracy"] > 0.9


def test_gaps_are_filled_and_marked_as_in_training():
    import pandas as pd

    class Keeps:
        def fit(self, X, y):
            self.seen = X

        def predict(self, X):
            return X

    X = pd.DataFrame({"a": [1.0, np.nan, 3.0], "b": pd.Categorical(["x", None, "y"])})
    filled = methods.Filled(Keeps()).fit(X, None)
    assert filled.estimator.seen["a"].tolist() == [1, 2, 3]
    assert filled.estimator.seen["a_missing"].tolist() == [0, 1, 0]
    assert filled.predict(X.assign(a=[np.nan, 5.0, 6.0]))["a"].tolist() == [2, 5, 6]
    assert filled.predict(X)["b"].tolist() == ["x", "missing", "y"]


def test_the_limit_of_ours_counts_processor_time():
    import time

    kept = time.monotonic
    with runs.processor_clock():
        assert time.monotonic is time.process_time
    assert time.monotonic is kept


def test_bars_join_ranks_that_differ_by_less():
    assert charts.cliques([1.0, 1.5, 2.4, 4.0], 1.0) == [(0, 1), (1, 2)]
    assert charts.cliques([1.0, 3.0], 1.0) == []


def test_the_report_says_what_was_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    lines = []
    for name, table in sources.TABLES.items():
        for place, method in enumerate(("cnn_core", "cnn_core best", "LightGBM tuned")):
            kind = "regression" if table.task == "regression" else "binary"
            error = 0.1 + 0.1 * place
            scores = {"rmse": error, "r2": 1 - error, "roc_auc": 1 - error, "seconds": 1.0}
            which = {"table": name, "method": method, "split": 0, "limit": 30.0}
            lines.append({**which, "kind": kind, "rows": 9, "columns": 2, **scores})
    path = tmp_path / "results.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in lines))
    page, ranks = tmp_path / "page.md", tmp_path / "ranks.json"
    page.write_text("# Title\n\nBy hand\n\n## Results\n\nold\n")
    monkeypatch.setattr(report, "PAGE", page)
    monkeypatch.setattr(report, "RANKS", ranks)
    report.write(path)
    written = page.read_text()
    assert written.startswith("# Title\n\nBy hand\n\n## Results\n")
    assert "old" not in written
    assert "| **cnn_core** | 1.00 | 1.000 | 19 of 19: 100% (100% to 100%) | 1 (1) |" in written
    assert "### Tables kept apart: 19, splits: 1, limit: 30 s" in written
    assert json.loads(ranks.read_text())["kept apart"]["ranks"]["LightGBM tuned"] == 3.0


def test_a_report_mixes_no_limits(tmp_path: Path):
    line = {
        "table": "wine",
        "method": "LightGBM tuned",
        "split": 0,
        "kind": "multiclass",
        "log_loss": 0.1,
        "limit": 8.0,
    }
    other = line | {"method": "cnn_core best", "limit": 30.0}
    group = report.Group([line, other], ["wine"])
    assert group.methods == ["cnn_core best", "LightGBM tuned"]
    assert group.splits == {"wine": [0]}
    with pytest.raises(ValueError, match=r"one limit.*\[8\.0, 30\.0\]"):
        report.limit_of(group)
