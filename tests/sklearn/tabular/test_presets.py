"""The presets: what their authors published, and recipes as plain data."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("sklearn")

from cnn_core.sklearn.tabular.presets import PRESETS, Recipe

# Holzmueller, Grinsztajn, Steinwart (2024), and the settings of the code that they published with it.
COMMON = {"hidden": (256, 256, 256), "scale_multiplier": 6, "bias_multiplier": 0.1, "beta_1": 0.9, "beta_2": 0.95}
SIMPLE = {"parametric": False, "dropout": 0, "weight_decay": 0, "fitted_start": False}
FULL = {
    "parametric": True,
    "slow_multiplier": 0.1,
    "dropout": 0.15,
    "weight_decay": 0.02,
    "most_one_hot": 8,
    "embedding_width": 8,
    "n_waves": 16,
    "n_wave_outputs": 3,
    "wave_spread": 0.1,
    "fitted_start": True,
}
PUBLISHED = {
    ("td_s", "classification"): {**SIMPLE, "activation": "selu", "learning_rate": 0.04, "n_waves": 0, "clamps": False},
    ("td_s", "regression"): {**SIMPLE, "activation": "mish", "learning_rate": 0.07, "n_waves": 0, "clamps": False},
    ("td", "classification"): {**FULL, "activation": "selu", "learning_rate": 0.04, "clamps": False},
    ("td", "regression"): {**FULL, "activation": "mish", "learning_rate": 0.2, "clamps": True},
}


# Gorishniy, Kotelnikov, Babenko (2025): the settings of the example that they published, without weight decay.
TABM = {
    "hidden": (512, 512, 512), "activation": "relu", "learning_rate": 0.002, "beta_1": 0.9, "beta_2": 0.999,
    "dropout": 0.1, "weight_decay": 0, "n_sharing": 32, "swings": False, "patience": 16,
}  # fmt: skip


def test_tabm_is_as_published():
    for recipe in PRESETS["tabm"].values():
        assert {name: getattr(recipe, name) for name in TABM} == TABM


@pytest.mark.parametrize(("preset", "task"), list(PUBLISHED))
def test_presets_are_the_published_recipes(preset: str, task: str):
    recipe = PRESETS[preset][task]
    expected = COMMON | PUBLISHED[preset, task]
    assert {name: getattr(recipe, name) for name in expected} == expected


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_recipes_without_published_embeddings_embed_categories_of_many_values(task: str):
    for preset in ("td_s", "periodic", "piecewise_linear", "tabm"):
        recipe = PRESETS[preset][task]
        assert (recipe.most_one_hot, recipe.embedding_width, recipe.embedding_spread) == (32, 8, 0.3)
    assert PRESETS["td"][task].embedding_spread == 1


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("preset", list(PRESETS))
def test_a_recipe_survives_as_plain_data(preset: str, task: str):
    recipe = PRESETS[preset][task]
    assert Recipe.from_state(json.loads(json.dumps(recipe.state()))) == recipe
