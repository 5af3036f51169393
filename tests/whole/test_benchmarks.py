"""Check that the benchmark's cases are consistent, that its reference is right and that it refuses wrong numbers."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
if not BENCHMARKS.is_dir():
    pytest.skip("the benchmarks are not part of this copy", allow_module_level=True)
sys.path.insert(0, str(BENCHMARKS))

import cases  # noqa: E402
import compare  # noqa: E402
import expected  # noqa: E402
import layer_costs  # noqa: E402
import machine  # noqa: E402
import measure  # noqa: E402
import report  # noqa: E402
import rivals  # noqa: E402
from rivals.numpy_by_hand import NumPyByHand  # noqa: E402

LIMIT_OF_DIFFERENCES = 1e-6  # central differences in float64 with a step of 1e-6 leave about 1e-9


@pytest.mark.parametrize("case", cases.TRAININGS, ids=lambda case: case.name)
def test_every_epoch_has_whole_batches(case):
    assert case.rows % case.batch == 0
    assert case.steps >= 1
    assert case.optimizers


def test_names_are_unique():
    assert len({case.name for case in cases.TRAININGS}) == len(cases.TRAININGS)
    assert len({case.name for case in cases.PREDICTIONS}) == len(cases.PREDICTIONS) == 16
    assert len({entry.name for entry in rivals.ENTRIES}) == len(rivals.ENTRIES)


def test_operations_of_a_step_are_those_counted_on_paper():
    # 784-512-512-10 with 128 rows: forward and dw for 668,672 weights, delta.w^T for all but the first 401,408.
    assert cases.training_named("l").flops_per_step == 2 * 128 * (2 * 668_672 + 668_672 - 401_408)


def test_unknown_case_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"XS, S, M.*Received: 'XXL'"):
        cases.training_named("XXL")
    with pytest.raises(ValueError, match=r"cnn_core, .*scikit_learn.*Received: 'nobody'"):
        rivals.entry_named("nobody")


def test_weights_fit_the_network_and_are_the_same_at_every_call():
    network = cases.Network((5, 7, 3))
    first, second = network.weights(), network.weights()
    assert [w.shape for w in first] == [(5, 7), (7,), (7, 3), (3,)]
    assert all(w.dtype == np.float32 for w in first)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_every_class_occurs_and_most_labels_are_the_teachers():
    x = cases.Network((6, 40)).inputs(60)
    labels = cases.labels_of_a_teacher(x, 40)
    assert set(labels) == set(range(40))
    x = cases.Network((6, 4)).inputs(2_000)
    linear = np.linalg.lstsq(x, np.eye(4)[cases.labels_of_a_teacher(x, 4)], rcond=None)[0]
    assert np.mean(np.argmax(x @ linear, axis=1) == cases.labels_of_a_teacher(x, 4)) > 0.7


def test_matrix_exponentials_have_the_determinant_of_an_exponential():
    x, y = cases.matrix_exponentials(50)
    a, exponential = x.reshape(-1, 2, 2).astype(np.float64), y.reshape(-1, 2, 2).astype(np.float64)
    assert np.allclose(np.linalg.det(exponential), np.exp(np.trace(a, axis1=1, axis2=2)), rtol=1e-5)


def test_loss_of_outputs_by_hand():
    outputs = np.array([[0.25, 0.75], [0.5, 0.5]])
    by_hand = -(math.log(0.75) + math.log(0.5)) / 2
    assert cases.loss_of_outputs("sparse_categorical_crossentropy", np.array([1, 0]), outputs) == pytest.approx(by_hand)
    assert cases.loss_of_outputs("mean_squared_error", np.zeros((2, 2)), outputs) == pytest.approx(0.28125)


def tiny_case(output, optimizer=None):
    loss = "mean_squared_error" if output == "linear" else "sparse_categorical_crossentropy"
    rule = optimizer or cases.Optimizer("sgd", 1.0)
    return cases.Training("tiny", cases.Network((3, 4, 2), "tanh", output), 6, 6, (rule,), loss=loss)


def tiny_data(output):
    generator = np.random.default_rng(1)
    x = generator.standard_normal((6, 3)).astype(np.float32)
    return x, generator.standard_normal((6, 2)) if output == "linear" else generator.integers(0, 2, 6)


@pytest.mark.parametrize("output", ["softmax", "linear"])
def test_first_step_of_the_reference_goes_down_the_numerical_gradient(output):
    case, (x, y) = tiny_case(output), tiny_data(output)
    reference = NumPyByHand(1, np.float64)
    reference.build(case.network, case.network.weights(), case, case.optimizers[0])
    reference.set_data(x, y)
    before = [p.copy() for p in reference.parameters]
    numerical = [np.empty_like(p) for p in before]
    for parameter, gradient in zip(reference.parameters, numerical, strict=True):
        for index in np.ndindex(parameter.shape):
            kept = parameter[index]
            parameter[index] = kept + 1e-6
            above = reference.loss()
            parameter[index] = kept - 1e-6
            below = reference.loss()
            parameter[index] = kept
            gradient[index] = (above - below) / 2e-6
    reference.train(1, False)
    for after, start, gradient in zip(reference.parameters, before, numerical, strict=True):
        assert np.max(np.abs(start - after - gradient)) < LIMIT_OF_DIFFERENCES


def test_first_step_of_adam_in_the_reference_by_hand():
    rule = cases.Optimizer("adam", 0.5, epsilon=1e-4)
    case = tiny_case("softmax", rule)
    reference = NumPyByHand(1, np.float64)
    reference.build(case.network, case.network.weights(), case, rule)
    w, gradient = np.array([1.0, -2.0]), np.array([0.3, -0.4])
    reference.step_number = 1
    reference.adam_update(rule, w, gradient.copy(), np.zeros(2), np.zeros(2))
    rate = 0.5 * math.sqrt(0.001) / 0.1
    expected_step = rate * 0.1 * gradient / (np.sqrt(0.001) * np.abs(gradient) + 1e-4)
    assert np.allclose(w, np.array([1.0, -2.0]) - expected_step, rtol=1e-12)


class StandIn:
    """Answer as a worker would whose losses and outputs are given."""

    name = "numpy"
    threads = 1

    def __init__(self, losses, outputs):
        self.losses = iter(losses)
        self.given_outputs = outputs

    def ask(self, do, **request):
        if do != "results":
            return {}
        np.save(request["file"], self.given_outputs)
        return {"loss": next(self.losses)}


@pytest.mark.parametrize(
    ("losses", "shift", "message"),
    [
        ([0.5, 0.4], 0.0, None),
        ([0.501, 0.4], 0.0, "its loss is"),
        ([0.5, 0.4], 2e-4, "outputs differ"),
        ([0.5, 0.9], 0.0, "shuffled epoch"),
        ([math.nan, 0.4], 0.0, "its loss is"),
    ],
)
def test_wrong_numbers_are_refused(tmp_path, losses, shift, message):
    outputs = np.full((4, 2), 0.5)
    right = expected.ExpectedTraining((1.0, 0.5, 0.4), outputs)
    result = measure.Result("training", "tiny", "numpy", 1, 1)
    worker = StandIn(losses, outputs + shift)
    if message is None:
        measure.check_training(worker, tiny_case("softmax"), right, result, tmp_path)
        assert result.loss == 0.5
    else:
        with pytest.raises(measure.RefusalError, match=message):
            measure.check_training(worker, tiny_case("softmax"), right, result, tmp_path)


def result_of(rival, rounds):
    return measure.Result("training", "XS", rival, 1, 1, "sgd", rounds=rounds, flops=10.0, peak_rounds=[20.0] * 3)


def test_ratio_is_the_median_over_rounds():
    ours, other = result_of("cnn_core", [1.0, 2.0, 1.0]), result_of("jax", [3.0, 4.0, 5.0])
    assert report.ratio(other, ours) == 3.0
    assert report.share_of_peak(ours) == 0.5
    assert math.isnan(report.ratio(result_of("jax", []), ours))


def test_report_survives_being_saved_and_read(tmp_path):
    machine = {
        "processor": "a",
        "cores_available": 1,
        "instruction_sets": [],
        "caches": {},
        "system": "s",
        "compiler": "c",
        "load_average": 0.0,
    }
    results = [result_of("cnn_core", [1.0] * 3), result_of("jax", [2.0] * 3)]
    run = report.Run(machine, {"rounds": 3}, {"numpy": "2"}, results)
    (tmp_path / "results.md").write_text(report.markdown(run))
    assert "| XS sgd | 2.00 | 2.00 | 6.00 / 60.0 / 60.0 |" in (tmp_path / "results.md").read_text()
    run.results = []
    run.save(tmp_path)
    assert report.Run.load(tmp_path / "results.json") == run


@pytest.mark.parametrize(
    ("flags", "arguments", "folder"),
    [
        (["avx2", "fma"], [], "avx2"),
        (["avx2", "fma", "avx512f", "avx512_vnni"], [], "avx512"),
        (["avx2", "avx512f", "avx512_bf16", "amx_bf16"], ["--mixed"], "amx_mixed"),
        (["avx2", "avx512f", "amx_bf16"], ["--isa", "avx2"], "avx2"),
        (["asimd"], [], "neon"),
        ([], [], "portable"),
    ],
)
def test_results_are_kept_apart_by_the_kind_of_core(monkeypatch, tmp_path, flags, arguments, folder):
    monkeypatch.setattr(machine, "instruction_sets", lambda: flags)
    options = compare.parser().parse_args(["--output", str(tmp_path), *arguments])
    assert compare.folder_of(options) == tmp_path / folder


def test_a_whole_run_with_numpy_alone(tmp_path, capfd):
    compare.main(
        [
            "--quick",
            "--rounds",
            "1",
            "--seconds",
            "0.001",
            "--threads",
            "1",
            "--parts",
            "training,prediction",
            "--cases",
            "XS",
            "--optimizers",
            "sgd",
            "--networks",
            "64-32-10",
            "--rows",
            "1",
            "--rivals",
            "numpy",
            "--output",
            str(tmp_path),
        ]
    )
    run = report.Run.load(tmp_path / machine.kind() / "results.json")
    by_numpy = [result for result in run.results if result.rival == "numpy"]
    assert [result.kind for result in by_numpy] == ["training", "prediction"]
    assert all(result.status == "ok" and len(result.rounds) == 1 for result in by_numpy)
    assert "Training, one core" in capfd.readouterr().out


class Rival:
    """Stands for a library that reaches a loss of its own with one of the networks."""

    def __init__(self, name: str, variant: str = "", loss: float = 2.0):
        self.name, self.variant, self.loss = name, variant, loss

    def train(self, job: int, variant: str, epochs: int) -> tuple[float, float]:
        return (self.loss if variant == self.variant else 2.0), 1e-6


def test_layer_costs_refuse_another_loss_unless_numbers_are_drawn():
    layer_costs.check([Rival("a"), Rival("b", "Dropout(0.5)", 3.0)], 0)
    with pytest.raises(ValueError, match="different losses with BatchNormalization"):
        layer_costs.check([Rival("a"), Rival("b", "BatchNormalization", 2.003)], 0)


def test_layer_costs_compare_the_same_network():
    cnn_core = pytest.importorskip("cnn_core")
    job = layer_costs.Job(5, 4, 3, 8, 2)
    x, y = job.data()
    losses = []
    for variant in ("plain", "functional"):
        model = layer_costs.make(cnn_core, variant, job)
        losses.append(model.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0).history["loss"])
    assert losses[0] == losses[1]
