"""`cnn-core demo`: a network learns real handwritten digits, in the words a user would write."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import cnn_core
from cnn_core import datasets, layers
from cnn_core.commands.destinations import check_destination
from cnn_core.foundation.display import show
from cnn_core.foundation.figures import new_figure, whole_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["run"]

Labels = NDArray[np.int64]
Matrix = NDArray[Any]

BATCH_SIZE = 32
_INK = 16  # the largest value of a pixel
_PICTURE = "cnn_core_demo.png"


def run(
    epochs: int = 40,
    seed: int = 1,
    threads: int | None = None,
    save_path: str | Path = "cnn_core_demo.safetensors",
    plot_path: str | Path | None = None,
) -> float:
    """Train on the handwritten digits, report, save, load again and draw, printing what happens.

    Parameters
    ----------
    epochs : int, default 40
        Passes over the training part.
    seed : int, default 1
        Decides the initial weights, the order of the images and what dropout drops.
    threads : int, default None
        Width of the thread pool; None leaves it as it is.
    save_path : str or Path, default "cnn_core_demo.safetensors"
        The file that the model is saved to.
    plot_path : str or Path, default None
        The file that the picture is written to. None: "cnn_core_demo.png" if matplotlib is installed, else no picture.

    Returns
    -------
    float
        Accuracy on the held-out part, 0 to 1.

    Raises
    ------
    ImportError
        If a picture is asked for by name and matplotlib is missing.
    RuntimeError
        If the loaded model predicts anything else than the saved one.

    Examples
    --------
    >>> from cnn_core.commands import demo
    >>> accuracy = demo.run(epochs=2)  # doctest: +SKIP
    """
    draw = _can_draw(required=plot_path is not None)
    check_destination("--save", save_path, is_model=True)
    if plot_path is not None:
        check_destination("--plot", plot_path)
    if threads is not None:
        cnn_core.set_num_threads(threads)
    cnn_core.utils.set_random_seed(seed)

    (train_images, y_train), (test_images, y_test) = datasets.load_digits()
    x_train, x_test = _rows(train_images), _rows(test_images)
    show(f"Handwritten digits, 8 x 8 pixels: {len(x_train)} to learn from, {len(x_test)} held out\n")

    model = build_model(steps=epochs * -(-len(x_train) // BATCH_SIZE))
    model.summary()
    started = time.perf_counter()
    history = model.fit(
        x_train, y_train, batch_size=BATCH_SIZE, epochs=epochs, validation_data=(x_test, y_test)
    ).history
    seconds = time.perf_counter() - started

    _, accuracy = model.evaluate(x_test, y_test, verbose=0)
    probabilities = model.predict(x_test, verbose=0)
    show(f"\nTrained for {epochs} epochs in {seconds:.2f} s on {_count(cnn_core.get_num_threads(), 'thread')}")
    show(f"Accuracy on the held-out digits: {accuracy:.2%}\n")
    show(report(y_test, probabilities.argmax(axis=1)))

    _check_saved(model, x_test, probabilities, Path(save_path))
    if draw:
        path = Path(plot_path if plot_path is not None else _PICTURE)
        draw_picture(history, x_test, y_test, probabilities).savefig(path, dpi=120)
        show(f"Picture: {path}")
    else:
        show("No picture: install the extra `plot` (matplotlib) for one")
    return float(accuracy)


def build_model(steps: int = 1840) -> cnn_core.Sequential:
    """Build and compile the demo's network: 64 pixels, 256 hidden units with dropout, 10 classes.

    Parameters
    ----------
    steps : int, default 1840
        Batches over which the learning rate falls to 0, by a cosine.

    Returns
    -------
    Sequential
        The compiled model.

    Examples
    --------
    >>> from cnn_core.commands import demo
    >>> demo.build_model().count_params()
    19210
    """
    model = cnn_core.Sequential(
        [
            cnn_core.Input((64,)),
            layers.Dense(256, activation="relu"),
            layers.Dropout(0.4),
            layers.Dense(10, activation="softmax"),
        ]
    )
    optimizer = cnn_core.optimizers.Adam(cnn_core.optimizers.schedules.CosineDecay(0.004, decay_steps=steps))
    model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def report(labels: Labels, predicted: Labels) -> str:
    """Describe by class how well predictions meet the labels.

    Precision of a class: the share of correct ones among what was called by its name. Recall: the share of its members
    that were called by its name. A share of nothing is shown as a dash.

    Parameters
    ----------
    labels, predicted : ndarray of int, shape (n,)
        The true and the predicted classes, 0 or more.

    Returns
    -------
    str
        A table with one line per class, and the commonest mistake if there is one.

    Examples
    --------
    >>> import numpy as np
    >>> from cnn_core.commands.demo import report
    >>> print(report(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])))
     digit  precision  recall  count
         0    100.0 %  50.0 %      2
         1     66.7 % 100.0 %      2
    Commonest mistake: 0 read as 1 (1 time)
    <BLANKLINE>
    """
    n_classes = int(max(labels.max(), predicted.max())) + 1
    confusion = np.zeros((n_classes, n_classes), dtype=np.int64)
    np.add.at(confusion, (labels, predicted), 1)
    correct, called, members = confusion.diagonal(), confusion.sum(axis=0), confusion.sum(axis=1)
    lines = [" digit  precision  recall  count"]
    for digit in range(n_classes):
        precision, recall = _share(correct[digit], called[digit]), _share(correct[digit], members[digit])
        lines.append(f"{digit:6}  {precision:>9} {recall:>7} {members[digit]:6}")
    mistakes = confusion - np.diag(correct)
    if mistakes.any():
        true, read = np.unravel_index(mistakes.argmax(), mistakes.shape)
        lines.append(f"Commonest mistake: {true} read as {read} ({_count(int(mistakes.max()), 'time')})")
    return "\n".join(lines) + "\n"


def draw_picture(history: dict[str, list[float]], x: Matrix, labels: Labels, probabilities: Matrix) -> Figure:
    """Draw the loss curves beside the predictions that went wrong or were least certain.

    Parameters
    ----------
    history : dict
        ``History.history`` of a fit with validation data: "loss" and "val_loss", one value per epoch.
    x : ndarray, shape (n, 64)
        Images.
    labels : ndarray of int, shape (n,)
        What they show.
    probabilities : ndarray, shape (n, 10)
        What the model says.

    Returns
    -------
    matplotlib.figure.Figure
        The picture; no window opens and pyplot's state is untouched.

    Examples
    --------
    >>> from cnn_core.commands.demo import draw_picture
    >>> draw_picture(history, x_test, y_test, probabilities).savefig("digits.png")  # doctest: +SKIP
    """
    figure: Figure = new_figure("draw_picture", figsize=(11, 4.5), layout="constrained")
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=[1, 1.15])[0]
    _draw_losses(left.subplots(), history)
    right.suptitle("The held-out digits the model is least sure of")
    correct = probabilities[np.arange(len(labels)), labels]
    for axes, index in zip(right.subplots(3, 6).flat, np.argsort(correct, kind="stable"), strict=False):
        _draw_digit(axes, x[index], int(labels[index]), probabilities[index])
    return figure


def _draw_losses(axes: Axes, history: dict[str, list[float]]) -> None:
    epochs = np.arange(1, len(history["loss"]) + 1)
    marker = "o" if len(epochs) == 1 else ""
    axes.plot(epochs, history["loss"], marker=marker, label="training part (with dropout)")
    axes.plot(epochs, history["val_loss"], marker=marker, label="held-out part")
    axes.set(title="Loss by epoch", xlabel="epoch", ylabel="cross-entropy", yscale="log")
    whole_ticks(axes)
    axes.grid(alpha=0.3)
    axes.legend()


def _draw_digit(axes: Axes, pixels: Matrix, label: int, probabilities: Matrix) -> None:
    read = int(probabilities.argmax())
    axes.imshow(pixels.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
    title = (
        f"{read} ({probabilities[read]:.0%})" if read == label else f"{read} ({probabilities[read]:.0%}), is {label}"
    )
    axes.set_title(title, fontsize=8, color="black" if read == label else "firebrick")
    axes.set_axis_off()


def _check_saved(model: cnn_core.Sequential, x: Matrix, probabilities: Matrix, path: Path) -> None:
    """Save the model, load it and compare every bit of its predictions."""
    model.save(path)
    again = cnn_core.load_model(path).predict(x, verbose=0)
    if again.tobytes() != probabilities.tobytes():
        raise RuntimeError(f"the model loaded from {path} predicts something else than the one saved to it")
    kilobytes = path.stat().st_size / 1000
    show(f"Model: {path} ({kilobytes:.0f} kB); loaded again, it predicts the same to the last bit")


def _can_draw(required: bool) -> bool:
    """Tell whether matplotlib can be imported; if it is required and cannot, say so before any work is done."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        if required:
            raise ImportError("a picture needs matplotlib. Install it with: pip install matplotlib") from None
        return False
    return True


def _rows(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    rows = images.reshape(len(images), -1).astype(np.float32)
    rows /= _INK
    return rows


def _share(part: np.int64, whole: np.int64) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
