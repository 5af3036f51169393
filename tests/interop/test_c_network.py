"""Where a network's buffers stand while a sample is computed; `test_c_writer.py` compiles and compares."""

from cnn_core import Input, Model, Sequential, layers
from cnn_core.interop.c_network import Network
from cnn_core.interop.c_texts import Constants


def network_of(model):
    return Network(model.plan(), Constants(model.dtype, "net", "const"))


def test_two_slots_do_for_a_chain():
    model = Sequential([Input((8,)), *(layers.Dense(16, "relu") for _ in range(10)), layers.Dense(1)])
    assert network_of(model).n_bytes == 2 * 16 * 4


def test_what_is_read_later_keeps_its_memory():
    x = Input((4,))
    kept = layers.Dense(4)(x)
    h = kept
    for _ in range(4):
        h = layers.Dense(4)(h)
    found = network_of(Model(x, layers.Add()([kept, h])))
    assert found.n_bytes == 3 * 4 * 4
    assert "add_into(y0, slot_0" in found.body or "copy_into(y0, slot_0" in found.body


def test_an_output_that_is_read_again_is_written_in_its_place():
    x = Input((3,))
    first = layers.Dense(2, "tanh")(x)
    found = network_of(Model(x, [first, layers.Dense(2)(first)]))
    assert found.n_bytes == 0
    assert found.arguments() == "const float *x0, float *y0, float *y1"
    assert "dense(y1, y0" in found.body
