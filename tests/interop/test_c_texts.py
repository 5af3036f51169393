"""Names, texts and constants in C."""

import numpy as np
import pytest

from cnn_core.interop.c_texts import Constants, c_string, checked_name, identifier, initialized, unique_identifiers


def test_identifiers():
    assert [identifier(text) for text in ("", "int", "été", "1-x")] == ["_", "int_", "_t_", "_1_x"]
    assert unique_identifiers(["x", "x", "x!"], ["x"]) == ["x_2", "x_3", "x_"]
    assert checked_name("_a1") == "_a1"
    for name in ("", "1a", "a-b", "été", "int"):
        with pytest.raises(ValueError, match="`name` must"):
            checked_name(name)


def test_strings_hold_every_byte_of_utf8():
    text = 'a"\\\n?é漢\0'
    written = c_string(text)
    assert written.isascii()
    read = eval("b" + written)  # Python reads octal escapes as C does
    assert read.decode() == text


def test_equal_arrays_are_one_constant():
    constants = Constants("float32", "net", "const")
    first = constants.weight(np.ones(3), "a/kernel")
    assert constants.weight(np.ones((3, 1)), "b/kernel") == first
    assert constants.weight(np.zeros(3), "a/kernel") == f"{first}_2"
    assert len(constants.texts) == 2


def test_weights_outside_stand_one_behind_another():
    constants = Constants("float64", "net", "extern")
    assert constants.weight(np.ones(3), "a") == "net_weights + 0"
    assert constants.weight(np.zeros(2), "b") == "net_weights + 3"
    assert constants.flat.tolist() == [1, 1, 1, 0, 0]
    assert "net_weights[5]" in constants.outside("net")
    assert constants.texts == []


def test_numbers_read_back_as_they_were():
    values = np.random.default_rng(0).normal(size=500).astype(np.float32) * 10.0 ** np.arange(-40, 35, 0.15)
    text = initialized(values.astype(np.float32)).partition("{")[2].rstrip("};\n")
    read = np.array([number.strip().rstrip("f") for number in text.split(",")]).astype(np.float32)
    np.testing.assert_array_equal(read, values.astype(np.float32))
