"""Names that are told apart by numbers."""

from __future__ import annotations

import pytest

from cnn_core.foundation.numbering import distinct_names


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], []),
        (["a", "b"], ["a", "b"]),
        (["a", "a", "a"], ["a", "a#1", "a#2"]),
        (["a", "a#1", "a"], ["a", "a#1", "a#2"]),
        (["a", "a", "a#1"], ["a", "a#1", "a#1#1"]),
    ],
)
def test_distinct_names(names, expected):
    assert distinct_names(names) == expected
    assert distinct_names(iter(names)) == expected
