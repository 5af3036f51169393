from __future__ import annotations

import numpy as np

from cnn_core.interop.onnx_format import array_of, decode
from cnn_core.interop.onnx_graph import ML, Nodes, file_of, value_info


def test_names_are_made_once():
    g = Nodes("float32", ["x", "/Add_0", "w"])
    assert g.add("Add", "x", "x") != "/Add_0"
    assert g.constant(np.ones(2), "w") == "w_1"
    first, second = g.split("Split", "x", names=["a", "b"], axis=-1)
    assert len({"x", "w", first, second, *g.constants}) == 5


def test_numbers_are_of_the_dtype_in_which_is_counted():
    g = Nodes("float32")
    single = g.number(1.0)
    with g.counting_in("float64"):
        double = g.number(1.0)
        assert g.number(1.0) == double
    assert g.number(1.0) == single
    assert [constant["data_type"] for constant in g.constants.values()] == [1, 11]


def test_a_file_has_the_domains_that_its_nodes_need():
    g = Nodes("float32", ["x", "y"])
    keys = {"keys_strings": [b"a", b"b"], "values_floats": [1.0, 2.0], "default_int64": -1}
    g.add("LabelEncoder", "x", output="y", domain=ML, **keys)
    g.add("ConstantOfShape", g.sizes(3), value=np.zeros(1, np.float32))
    data = file_of("g", g, [value_info("x", 8, (None, 1), "texts")], [value_info("y", 1, (None, 1))], {"k": "v"})
    found = decode(memoryview(data))
    assert [each["domain"] for each in found["opset_import"]] == ["", ML]
    given = found["graph"]["input"][0]
    assert (given["name"], given["doc_string"], given["type"]["tensor_type"]["elem_type"]) == ("x", "texts", 8)
    attributes = {each["name"]: each for each in found["graph"]["node"][0]["attribute"]}
    assert attributes["keys_strings"]["strings"] == [b"a", b"b"]
    assert attributes["values_floats"]["floats"] == [1.0, 2.0]
    assert attributes["default_int64"]["i"] == -1
    assert array_of(found["graph"]["node"][1]["attribute"][0]["t"]).tolist() == [0.0]
