"""Generators and data sets by number."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import cnn_core.data as data
import cnn_core.foundation.validation as validation
from cnn_core.data.adapt import adapt
from cnn_core.data.batches import Batches, PyDataset, is_batches, unpack
from data_cases import LABELS, ONE, X, Y


def batch(i: int) -> tuple:
    return np.full((4, 2), i, np.float32), np.full(4, i % 3)


def numbers(triples) -> list[int]:
    """Say which batches came, by their content."""
    return [int(x[0, 0]) for x, _, _ in triples]


class Numbered(PyDataset):
    """Ten batches that know their number; `log` notes the hooks."""

    def __init__(self, n=10, **options):
        super().__init__(**options)
        self.n = n
        self.log = []

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        return batch(index)

    def on_epoch_begin(self):
        self.log.append("begin")

    def on_epoch_end(self):
        self.log.append("end")


class Loader:
    """An iterable that can be walked again, with or without a length."""

    def __init__(self, n):
        self.n = n

    def __iter__(self):
        return (batch(i) for i in range(self.n))


class SizedLoader(Loader):
    def __len__(self):
        return self.n


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        ((batch(i) for i in range(3)), True),
        (iter([batch(0)]), True),
        (Numbered(), True),
        (Loader(3), True),
        (X, False),
        ([X, X], False),
        ((X, X), False),
        ({"a": X}, False),
        (range(3), False),
        (memoryview(X), False),
        (None, False),
        ("abc", False),
    ],
)
def test_is_batches(x, expected):
    assert is_batches(x) is expected


def test_frames_sparse_and_tensors_are_no_batches():
    assert not is_batches(pytest.importorskip("pandas").DataFrame(X))
    assert not is_batches(pytest.importorskip("polars").DataFrame(X))
    assert not is_batches(pytest.importorskip("scipy.sparse").csr_matrix(X))


def test_unpack_every_form_of_batch():
    assert unpack(X) == (X, None, None)
    assert unpack((X,)) == (X, None, None)
    assert unpack([X, Y]) == (X, Y, None)
    assert unpack((X, Y, None)) == (X, Y, None)
    with pytest.raises(ValueError, match=r"A batch must be \(x,\), .* Received: a tuple of 4"):
        unpack((X, Y, None, None))


def test_a_batch_is_adapted_and_its_number_reported():
    adapter = functools.partial(adapt, input_specs=ONE, target_specs=LABELS)
    batches = Batches(iter([batch(0), batch(1), (X[:, :1], Y)]))
    epoch = batches.epoch(adapter)
    assert [next(epoch).n, next(epoch).n] == [4, 4]
    with pytest.raises(ValueError, match=r"^Batch 2: x has 1 feature; the model expects 2"):
        next(epoch)


def test_a_pass_over_each_kind_of_source():
    for source, length in (
        (iter([batch(i) for i in range(10)]), None),
        (Loader(10), None),
        (SizedLoader(10), 10),
        (Numbered(), 10),
        (Numbered(workers=3, max_queue_size=2), 10),
    ):
        batches = Batches(source)
        assert batches.num_batches == length
        assert numbers(batches.triples()) == list(range(10))
        if not batches.exhausted:
            assert numbers(batches.triples()) == list(range(10))


def test_a_generator_goes_on_where_the_epoch_ended():
    batches = Batches(batch(i) for i in range(6))
    assert numbers(batches.triples(steps=3)) == [0, 1, 2]
    assert numbers(batches.triples(steps=3)) == [3, 4, 5]
    assert not batches.exhausted
    with pytest.warns(UserWarning, match="x ran out of batches after 0 of this epoch"):
        assert numbers(batches.triples(steps=3)) == []
    assert batches.exhausted


def test_running_out_within_an_epoch_warns():
    batches = Batches(batch(i) for i in range(4))
    with pytest.warns(UserWarning, match="x ran out of batches after 4 of this epoch"):
        assert numbers(batches.triples(steps=5)) == [0, 1, 2, 3]
    assert batches.exhausted


@pytest.mark.parametrize("source", [SizedLoader(4), Numbered(4)])
def test_what_can_be_walked_again_starts_again_after_a_whole_pass(source):
    batches = Batches(source)
    assert [numbers(batches.triples(steps=2)) for _ in range(3)] == [[0, 1], [2, 3], [0, 1]]
    assert numbers(batches.triples()) == [0, 1, 2, 3]  # an epoch without steps is a whole pass
    with pytest.warns(UserWarning, match="ran out of batches after 4"):
        assert numbers(batches.triples(steps=5)) == [0, 1, 2, 3]
    assert not batches.exhausted
    assert numbers(batches.triples(steps=2)) == [0, 1]


def test_an_endless_source_needs_steps():
    class Endless(Numbered):
        num_batches = None

    batches = Batches(Endless(workers=2))
    with pytest.raises(ValueError, match="`steps_per_epoch` must be given for an endless PyDataset"):
        next(batches.triples())
    assert [numbers(batches.triples(steps=7)), numbers(batches.triples(steps=2))] == [list(range(7)), [7, 8]]
    batches.close()


def test_a_source_without_batches_is_an_error():
    for source in (iter([]), Loader(0)):
        with pytest.raises(ValueError, match="x must yield at least one batch"):
            list(Batches(source).triples())
        with pytest.raises(ValueError, match="x must yield at least one batch"):
            Batches(source).peek()
    with pytest.raises(ValueError, match="`num_batches` must be a positive integer"):
        Batches(Numbered(0))


@pytest.mark.parametrize("source", [lambda: iter([batch(0), batch(1)]), lambda: Loader(2), lambda: Numbered(2)])
def test_peeking_loses_no_batch(source):
    batches = Batches(source())
    assert numbers([batches.peek(), batches.peek()]) == [0, 0]
    assert numbers(batches.triples()) == [0, 1]


def test_shuffling_is_of_whole_batches_and_repeatable():
    orders = [
        [numbers(batches.triples(shuffle=chance)) for _ in range(2)]
        for batches, chance in (
            (Batches(Numbered()), np.random.default_rng(3)),
            (Batches(Numbered(workers=4)), np.random.default_rng(3)),
        )
    ]
    assert orders[0] == orders[1]
    assert sorted(orders[0][0]) == list(range(10))
    assert orders[0][0] != orders[0][1]


def test_hooks_are_called_around_epochs():
    source = Numbered(2)
    batches = Batches(source)
    for _ in range(2):
        list(batches.triples())
    assert source.log == ["begin", "end"] * 2


def test_workers_keep_order_and_the_queue_its_bound():
    started, others = [], threading.Event()

    class Slow(Numbered):
        def __getitem__(self, index):
            started.append(index)
            if index == 3:
                others.set()
            if index == 0:
                assert others.wait(60)  # the first batch is ready last
            return batch(index)

    walk = Batches(Slow(workers=4, max_queue_size=5)).triples()
    assert numbers([next(walk)]) == [0]
    assert max(started) <= 5
    assert numbers(walk) == list(range(1, 10))


def test_processes_may_prepare_batches(tmp_path):
    # A program of its own: worker processes may have to import the class from it.
    program = tmp_path / "program.py"
    program.write_text("""
import numpy as np
from cnn_core.data.batches import Batches, PyDataset

class Squares(PyDataset):
    def __len__(self):
        return 4
    def __getitem__(self, index):
        return np.full(2, index), np.full(2, index**2)

if __name__ == "__main__":
    batches = Batches(Squares(workers=2, use_multiprocessing=True, max_queue_size=2))
    print([int(y[0]) for x, y, weight in batches.triples()])
""")
    root = str(Path(data.__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root}
    result = subprocess.run([sys.executable, program], check=True, capture_output=True, text=True, env=environment)
    assert result.stdout == "[0, 1, 4, 9]\n"


class TroubleError(Exception):
    """Of a kind that only the source knows."""


@pytest.mark.parametrize("workers", [1, 3])
def test_what_the_source_raises_passes_unchanged(workers):
    trouble = TroubleError("of the user's own")

    class Failing(Numbered):
        def __getitem__(self, index):
            if index == 2:
                raise trouble
            return batch(index)

    seen = []
    with pytest.raises(TroubleError) as caught:
        seen.extend(Batches(Failing(workers=workers)).triples())
    assert caught.value is trouble


def test_what_a_generator_raises_passes_unchanged():
    def failing():
        yield batch(0)
        raise TroubleError("of the user's own")

    walk = Batches(failing()).triples()
    next(walk)
    with pytest.raises(TroubleError, match=r"^of the user's own$"):
        next(walk)


def test_workers_stop_when_the_batches_are_closed():
    def workers() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread.name.startswith("cnn_core-batches")]

    # Threads of other tests may end meanwhile: only those of this name count.
    before = set(workers())
    batches = Batches(Numbered(workers=3))
    next(batches.triples())
    started = set(workers()) - before
    assert started
    batches.close()
    for thread in started:
        thread.join(10)
    assert not any(thread.is_alive() for thread in started)


def test_a_data_set_is_walked_once_and_is_no_array():
    source = Numbered(3)
    assert [int(x[0, 0]) for x, *_ in source] == [0, 1, 2]
    for read in (np.asarray, np.shape, lambda x: validation.as_array(x, "x")):
        with pytest.raises(TypeError, match="`fit`, `evaluate` and `predict`"):
            read(source)


def test_what_has_only_items_is_read_by_its_length():
    class Items:
        def __len__(self):
            return 3

        def __getitem__(self, index):
            return [float(index), 1.0]

    np.testing.assert_array_equal(validation.as_array(Items(), "x"), [[0, 1], [1, 1], [2, 1]])


def test_a_subclass_may_forget_its_base():
    class Forgetful(PyDataset):
        def __init__(self):
            pass

        def __len__(self):
            return 2

        def __getitem__(self, index):
            return batch(index)

    assert numbers(Batches(Forgetful()).triples()) == [0, 1]


def test_a_subclass_without_its_methods_is_told():
    class Empty(PyDataset):
        pass

    with pytest.raises(NotImplementedError, match=r"^Empty must define __len__\(\) or the property num_batches"):
        Batches(Empty())
    with pytest.raises(NotImplementedError, match=r"^Empty must define __getitem__"):
        Empty()[0]
    with pytest.raises(ValueError, match="`max_queue_size` must be a positive integer"):
        Empty(max_queue_size=0)


def test_a_data_set_of_another_library_is_recognised():
    class Foreign:
        workers, use_multiprocessing, max_queue_size, num_batches = 2, False, 3, 4

        def __getitem__(self, index):
            return batch(index)

    assert is_batches(Foreign())
    assert numbers(Batches(Foreign()).triples()) == [0, 1, 2, 3]
