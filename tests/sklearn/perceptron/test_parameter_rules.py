"""Rules of parameters, and that nothing private of scikit-learn's is imported."""

from __future__ import annotations

import ast
import math
import pickle
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn import config_context

import cnn_core.sklearn
import cnn_core.sklearn.perceptron.parameter_rules as rules
from cnn_core.sklearn import MLPClassifier, MLPRegressor


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        (rules.whole(1), [1, np.int64(7), True, 10**30], [0, 1.0, "1", None, math.nan]),
        (rules.whole(0, 2), [0, 2], [3, -1]),
        (rules.real("[)", 0), [0, 1.5, np.float32(2), math.inf], [-1e-9, math.nan, "0", None, 1j]),
        (rules.real("()", 0, 1), [0.5, 1e-300], [0, 1, math.inf]),
        (rules.real("[]", 0, 1), [0, 1, True], [1.1]),
        (rules.one_of(["a", "b"]), ["a"], ["c", b"a", ["a"], None]),
        (rules.ARRAY_LIKE, [[1], (1, 2), np.ones(3), range(2), []], ["text", 3, None, np.array(1)]),
        (rules.having("derivative"), [cnn_core.activations.relu], [3, None]),
        (rules.INFINITE, [math.inf], [-math.inf, 3, "inf"]),
    ],
)
def test_what_a_rule_accepts(rule, good, bad):
    assert all(rule.accepts(value) for value in good)
    assert not any(rule.accepts(value) for value in bad)


WRONG = {
    "hidden_layer_sizes": "4",
    "activation": "swosh",
    "solver": "newton",
    "alpha": -1,
    "batch_size": 0,
    "learning_rate": "fast",
    "learning_rate_init": 0,
    "power_t": "1",
    "max_iter": 1.5,
    "shuffle": "yes",
    "random_state": -1,
    "tol": math.nan,
    "verbose": None,
    "warm_start": 1,
    "momentum": 1.5,
    "nesterovs_momentum": None,
    "early_stopping": "no",
    "validation_fraction": 1.0,
    "beta_1": 1.0,
    "beta_2": -0.1,
    "epsilon": 0.0,
    "n_iter_no_change": 0,
    "max_fun": 0,
    "loss": 3,
    "dropout": 1.0,
    "batch_normalization": "yes",
    "metric": "accuracies",
    "clipnorm": 0,
    "n_threads": 0,
    "keep_optimizer": None,
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_every_parameter_has_its_rule(name, method):
    for kind in (MLPRegressor, MLPClassifier):
        more = {"classes": [0, 1]} if (kind, method) == (MLPClassifier, "partial_fit") else {}
        estimator = kind(**{name: WRONG[name]})
        if (name, method) == ("solver", "partial_fit"):
            continue  # which has no such method
        with pytest.raises(
            (ValueError, TypeError), match=f"The '{name}' parameter of {kind.__name__} must be "
        ) as error:
            getattr(estimator, method)(np.eye(2), [0, 1], **more)
        assert f"Got {WRONG[name]!r} instead." in str(error.value)  # and the nearest name, where there is one
        assert type(pickle.loads(pickle.dumps(error.value))) is rules.InvalidParameterError
        assert set(kind().get_params()) == {*kind._parameter_rules, "callbacks"}


def test_scikit_learn_can_be_told_to_skip_the_check():
    with config_context(skip_parameter_validation=True), pytest.raises(TypeError, match="not supported"):
        MLPRegressor(max_iter="3").fit(np.eye(2), [0.0, 1.0])


def test_nothing_private_of_scikit_learn_is_imported():
    found = []
    for path in Path(cnn_core.sklearn.__file__).parent.glob("**/*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "sklearn":
                words = [*(node.module or "").split("."), *(each.name for each in node.names)]
                found += [(path.name, word) for word in words if word.startswith("_")]
    assert not found
