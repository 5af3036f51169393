"""Against PyTorch itself: what it computes is what we compute."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import cnn_core
from cnn_core import Input, Model, Sequential, activations, layers
from cnn_core.interop import from_torch, load_torch_state_dict, to_torch
from random_models import random_model, random_rows, randomize
from random_modules import random_chain

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional
pytestmark = pytest.mark.doors

# In float32 random networks that normalize a few features amplify rounding; float64 shows that the formulas are equal.
TOLERANCES = {"float32": {"rtol": 1e-4, "atol": 1e-5}, "float64": {"rtol": 1e-10, "atol": 1e-12}}


def close(ours: Any, theirs: Any) -> None:
    np.testing.assert_allclose(ours, theirs.detach().numpy(), **TOLERANCES[str(np.asarray(ours).dtype)])


def check_in(module: Any, *shape: int, dtype: str = "float64", **more: Any) -> Any:
    """Read a module and compare what both compute."""
    torch.manual_seed(1)
    module = module.to(getattr(torch, dtype)).eval()
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if tensor.is_floating_point():
                tensor.copy_(torch.rand_like(tensor) + 0.5 if name.endswith("var") else torch.randn_like(tensor))
    model = from_torch(module, **more)
    x = torch.randn(6, *shape, dtype=getattr(torch, dtype))
    close(model(x.numpy().astype(model.dtype)), module(x.to(getattr(torch, model.dtype))))
    assert model.dtype == (dtype if module.state_dict() else "float32")
    return model


def check_out(model: Any, *arrays: Any) -> Any:
    module = to_torch(model)
    ours = model(list(arrays) if len(arrays) > 1 else arrays[0])
    theirs = module(*map(torch.from_numpy, arrays))
    for one, other in zip(ours, theirs, strict=True) if isinstance(ours, list) else [(ours, theirs)]:
        close(one, other)
        assert str(other.dtype) == f"torch.{model.dtype}"
    return module


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_random_models_go_out_and_come_back(dtype: str, n_architectures: int):
    for seed in range(n_architectures):
        model = random_model(seed, dtype)
        module = check_out(model, random_rows(model))
        assert sum(tensor.numel() for tensor in module.parameters()) <= model.count_params() + 50
        pickle.loads(pickle.dumps(module))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_random_modules_come_in(dtype: str, n_architectures: int):
    for seed in range(n_architectures):
        module, width = random_chain(torch, seed)
        assert isinstance(check_in(module, width, dtype=dtype), Sequential)


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
        self.norm, self.out = nn.BatchNorm1d(4), nn.Linear(8, 2)
        self.shift = nn.Parameter(torch.ones(4))

    def forward(self, x: Any) -> Any:
        hidden = F.gelu(self.first(x), approximate="tanh")
        x = x + self.norm(self.second(F.dropout(hidden, 0.2, self.training)))
        x = torch.cat([x * 0.5 - 1, -x.tanh() + self.shift], dim=1).exp()
        x = F.softmax(self.out(x).view(x.size(0), -1), dim=1)
        return 1 - x / 2


def test_residuals_are_traced():
    model = check_in(Residual(), 4)
    assert any(isinstance(layer, layers.Add) for layer in model.layers)


class TwoInputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.dense = nn.Embedding(5, 3), nn.Linear(8, 2)

    def forward(self, codes: Any, numbers: Any) -> Any:
        joined = torch.cat([self.embed(codes).flatten(1), numbers], 1)
        return self.dense(joined), joined @ self.dense.weight.T


def test_several_inputs_and_outputs():
    module = TwoInputs().double()
    model = from_torch(module, [(2,), (2,)])
    codes, numbers = np.array([[0, 4], [3, 1]]), np.random.default_rng(0).normal(size=(2, 2))
    for ours, theirs in zip(
        model([codes, numbers]), module(torch.from_numpy(codes), torch.from_numpy(numbers)), strict=True
    ):
        close(ours, theirs)


@pytest.mark.parametrize(
    ("module", "shape"),
    [
        (nn.Sequential(nn.Flatten(), nn.Linear(6, 2)), (2, 3)),
        (nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(2), nn.PReLU()), (2, 3)),
        (nn.Sequential(nn.LayerNorm((2, 3)), nn.Softmax(dim=1)), (2, 3)),
        (nn.Sequential(nn.Unflatten(1, (3, 2)), nn.GLU(-1)), (6,)),
        (nn.Linear(3, 2), (3,)),
    ],
)
def test_more_axes_come_in(module: Any, shape: tuple[int, ...]):
    check_in(module, *shape, input_shape=shape)


def test_training_settings_are_taken_over():
    module = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3, momentum=0.3), nn.Dropout(0.25), nn.AlphaDropout(0.1))
    module[0].requires_grad_(False)
    model = from_torch(module)
    dense, norm, dropout, alpha = model.layers
    assert (norm.momentum, norm.epsilon, dropout.rate, alpha.rate) == (0.7, 1e-5, 0.25, 0.1)
    assert not dense.trainable
    assert norm.trainable
    back = to_torch(model)
    assert back[1].momentum == pytest.approx(0.3)
    assert not back[0].weight.requires_grad
    assert back[1].weight.requires_grad
    assert isinstance(back, nn.Sequential)


def test_a_module_called_twice_is_one_layer():
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.dense = nn.Linear(3, 3)

        def forward(self, x: Any) -> Any:
            return self.dense(torch.relu(self.dense(x)))

    model = check_in(Twice(), 3)
    assert len(model.variables) == 2
    module = check_out(model, random_rows(model))
    assert sum(p.numel() for p in module.parameters()) == 12


def test_models_of_many_inputs_go_out():
    a, b = Input((3,), dtype="float64"), Input((2, 3), dtype="float64")
    wide = layers.Add(dtype="float64")([a, b])
    cut = layers.Flatten(dtype="float64")(layers.Softmax(axis=1, dtype="float64")(wide))
    cosine = layers.Dot(1, normalize=True, dtype="float64")([a, a])
    shaped = layers.Reshape((3, 2), dtype="float64")(wide)
    model = Model(
        [a, b],
        [layers.Dense(2, dtype="float64")(cut), cosine, layers.LayerNormalization([1, 2], dtype="float64")(shaped)],
    )
    randomize(model, np.random.default_rng(3))
    draw = np.random.default_rng(2)
    check_out(model, draw.normal(size=(4, 3)), draw.normal(size=(4, 2, 3)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_layers_of_grids_go_out(dtype: str):
    x = Input((4, 6), dtype=dtype)
    cnn_core.config.set_floatx(dtype)
    try:
        shaped = [
            layers.Permute((2, 1))(x),
            layers.RepeatVector(3)(layers.GlobalMaxPooling1D()(x)),
            layers.GlobalAveragePooling1D("channels_first", keepdims=True)(x),
            layers.GlobalMaxPooling2D(keepdims=True)(layers.Reshape((2, 2, 6))(x)),
            layers.GlobalAveragePooling3D()(layers.Reshape((2, 2, 3, 2))(x)),
            layers.EinsumDense("abc,cde->aebd", (2, None, 3), "relu", "ed")(x),
            layers.EinsumDense("abc,db->ad", 5, "softmax", "d")(x),
            layers.EinsumDense("...c,dc->...d", 5)(x),
            layers.EnsembleDense(3, 4, "tanh")(x),
            layers.EnsembleDense(3, 4, shared_kernel=False)(x),
            layers.EnsembleDense(3, 2, output_factors=False)(layers.GlobalMaxPooling1D()(x)),
            layers.EnsembleDense(3, 2, use_bias=False, input_factors=False, output_factors=False)(
                layers.GlobalMaxPooling1D()(x)
            ),
            layers.GroupNormalization(3, beta_initializer="normal")(x),
            layers.GroupNormalization(2, axis=1, center=False, gamma_initializer="normal")(x),
            layers.SpectralNormalization(layers.Dense(3, "tanh"))(x),
            layers.TimeDistributed(layers.Reshape((2, 3)))(x),
            layers.GlobalAveragePooling1D()(layers.Dense(2)(x), mask=x[:, :, 0] > 0),
            layers.GlobalAveragePooling1D("channels_first", keepdims=True)(x, mask=x[:, 0] > 0),
        ]
    finally:
        cnn_core.config.set_floatx("float32")
    model = Model(x, shaped)
    randomize(model, np.random.default_rng(3))
    check_out(model, np.random.default_rng(2).normal(size=(5, 4, 6)).astype(dtype))


def test_a_mask_goes_out():
    model = Sequential([Input((4,)), layers.Embedding(5, 3, mask_zero=True), layers.GlobalAveragePooling1D()])
    codes = np.array([[1, 2, 0, 0], [4, 0, 0, 0], [0, 0, 0, 0]])
    close(model(codes), to_torch(model)(torch.from_numpy(codes)))


def test_embeddings_and_bins_go_out():
    model = Sequential([Input((2,)), layers.Embedding(4, 3), layers.Flatten(), layers.Dense(2)])
    module = to_torch(model)
    codes = np.array([[0, 3], [2, 1]])
    close(model(codes), module(torch.from_numpy(codes)))
    bins = Sequential([Input((2,)), layers.Discretization([-0.5, 0.0, 1.0])])
    check_out(bins, np.array([[-0.5, 0.2], [9.0, -3.0]], "float32"))


def test_what_acts_in_training_only_is_left_out_by_name():
    model = Sequential([Input((2,)), layers.GaussianNoise(0.1, name="noise"), layers.Dense(1)])
    with pytest.warns(UserWarning, match=r"^layer 'noise' \(GaussianNoise\) is left out because PyTorch has no such"):
        assert [type(module).__name__ for module in to_torch(model)] == ["Linear"]


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (layers.Lambda(np.sin, name="own"), "its function computes with NumPy"),
        (layers.BatchNormalization(axis=-1, name="own"), "normalizes axis 1"),
        (layers.LayerNormalization(axis=1, name="own"), "normalizes the last axes"),
        (layers.Discretization([0.0], output_mode="one_hot", name="own"), "its settings have no counterpart"),
    ],
)
def test_what_cannot_go_out_is_named(layer: Any, reason: str):
    with pytest.raises(ValueError, match=rf"layer 'own' \(\w+\) cannot be carried to PyTorch: .*{reason}"):
        to_torch(Sequential([Input((2, 3)), layer]))


class Branching(nn.Module):
    def forward(self, x: Any) -> Any:
        return x if x.sum() > 0 else -x


class Transformed(nn.Module):
    def forward(self, x: Any) -> Any:
        return torch.fft.fft(x)


class Mixed(nn.Module):
    def forward(self, x: Any) -> Any:
        return x.sort(dim=0)[0]


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.Conv1d(1, 1, 1), r"module '0' \(Conv1d\) has no counterpart here"),
        (nn.Sequential(nn.Linear(2, 2), nn.Softmax()), "module '1': Softmax must have its `dim`"),
        (nn.Embedding(3, 2, padding_idx=0), "module '0': Embedding must have `padding_idx`=None"),
        (nn.BatchNorm1d(3, track_running_stats=False), "must track running statistics"),
        (nn.BatchNorm1d(3, momentum=None), "must have a momentum"),
        (nn.Linear(2, 2).half(), "must have one dtype, float32 or float64.*Received: float16"),
        (Branching(), "`module` must be one that torch.fx can trace"),
        (Transformed(), r"'fft_fft' \(fft_fft\) has no counterpart here"),
        (Mixed(), r"'sort' \(sort\) cannot be carried over: `sort` goes along an axis of the features"),
    ],
)
def test_what_cannot_come_in_is_named(module: Any, message: str):
    with pytest.raises(ValueError, match=message):
        from_torch(module, (3,) if not isinstance(module, nn.Sequential) else None)


def test_the_shape_of_the_input_is_asked_for():
    with pytest.raises(ValueError, match="`input_shape` must be given"):
        from_torch(nn.Sequential(nn.Flatten(), nn.Linear(6, 2)))
    with pytest.raises(TypeError, match=r"`module` must be a torch\.nn\.Module"):
        from_torch(3)


def test_weights_alone():
    module, width = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.PReLU(4), nn.Linear(4, 2)).eval(), 3
    chain = [layers.Dense(4), layers.BatchNormalization(epsilon=1e-5), layers.PReLU(), layers.Dense(2)]
    model = Sequential([Input((width,)), *chain])
    load_torch_state_dict(model, module.state_dict())
    x = torch.randn(5, 3)
    close(model(x.numpy()), module(x))


def test_training_goes_on_alike():
    model = Sequential([Input((3,)), layers.Dense(4, "tanh"), layers.Dense(1)])
    module = to_torch(model).train()
    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(8, 3)).astype("float32"), draw.normal(size=(8, 1)).astype("float32")
    model.compile("sgd", "mse")
    optimizer = torch.optim.SGD(module.parameters(), 0.01)
    for _ in range(10):
        model.train_on_batch(x, y)
        optimizer.zero_grad()
        F.mse_loss(module(torch.from_numpy(x)), torch.from_numpy(y)).backward()
        optimizer.step()
    close(model(x), module(torch.from_numpy(x)))


def test_every_activation_goes_out():
    x = np.linspace(-30, 60, 46).reshape(2, 23)
    for activation in vars(activations).values():
        if isinstance(activation, activations.Activation) and activation.name != "glu":
            model = Sequential([Input((23,), dtype="float64"), layers.Activation(activation, dtype="float64")])
            check_out(model, x)
