"""What happens in training as event files that TensorBoard shows."""

from __future__ import annotations

import os
import time
from typing import Any

import cnn_core.foundation.validation as validation
from cnn_core.callbacks.base import Callback, Logs, Phase
from cnn_core.foundation.extras import need
from cnn_core.foundation.numbering import distinct_names


class TensorBoard(Callback):
    """Write losses, metrics, the learning rate and histograms of the weights as event files for TensorBoard.

    Training goes to the folder "train", validation to "validation", under the names that Keras gives: "epoch_loss",
    "epoch_accuracy", "epoch_learning_rate", "batch_loss", "evaluation_loss_vs_iterations".

    Parameters
    ----------
    log_dir : path, default "logs"
    histogram_freq : int, default 0
        Every how many epochs histograms of all weights are written; 0 for never.
    write_graph : bool, default True
        Whether the model's architecture is written when training begins.
    write_images : bool, default False
        Must be False: weights are not drawn as images.
    write_steps_per_second : bool, default False
        Whether batches per second are written after every epoch.
    update_freq : "epoch", "batch" or int, default "epoch"
        Whether results are written after every epoch, or also after every batch or every so many batches.
    profile_batch, embeddings_freq : int, default 0
        Must be 0: there is no profiler and no projector.
    embeddings_metadata : default None
        Must be None.

    Raises
    ------
    ImportError
        If tensorboard is not installed.

    Notes
    -----
    Needs the extra `tensorboard`. Look at the files by ``tensorboard --logdir logs``.

    Examples
    --------
    >>> TensorBoard("runs/first", histogram_freq=5).update_freq
    'epoch'
    """

    writes_files = True

    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: Any = "epoch",
        profile_batch: Any = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: None = None,
    ) -> None:
        super().__init__()
        self.log_dir = os.fspath(validation.path(log_dir, "log_dir"))
        self.histogram_freq = validation.integer(histogram_freq, "histogram_freq", 0)
        self.write_graph = validation.boolean(write_graph, "write_graph")
        self.write_steps_per_second = validation.boolean(write_steps_per_second, "write_steps_per_second")
        if update_freq not in ("epoch", "batch"):
            update_freq = validation.positive_integer(update_freq, "update_freq")
        self.update_freq = update_freq
        for name, given, only in (
            ("write_images", write_images, False),
            ("profile_batch", profile_batch, 0),
            ("embeddings_freq", embeddings_freq, 0),
            ("embeddings_metadata", embeddings_metadata, None),
        ):
            if given != only:
                raise ValueError(f"`{name}` must be {only!r}: there is nothing of the kind here. Received: {given!r}")
        self._writers: dict[str, Any] = {}
        self._batches = 0
        self._began = 0.0
        self._batches_before = 0
        self._in_training = False

    def follows_batches(self, phase: Phase) -> bool:
        """Return whether batches are counted or written: for `update_freq` and steps per second."""
        return phase == "train" and (self.update_freq != "epoch" or self.write_steps_per_second)

    # Training

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Write the architecture."""
        need("tensorboard", "tensorboard", "callbacks.TensorBoard")
        self._in_training = True
        self._batches = 0
        if self.write_graph and self.model is not None:
            self._write_graph()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Start the clock."""
        self._began, self._batches_before = time.perf_counter(), self._batches

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Write the batch's results, if it is their turn."""
        super().on_train_batch_end(batch, logs)
        before, self._batches = self._batches, self._batches_before + batch + 1
        every = 1 if self.update_freq == "batch" else self.update_freq
        if every != "epoch" and self._batches // every > before // every:
            for name, value in (logs or {}).items():
                self._scalar("train", f"batch_{name}", value, self._batches)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Write the epoch's results, and histograms if it is their turn."""
        for name, value in (logs or {}).items():
            if name.startswith("val_"):
                self._scalar("validation", f"epoch_{name.removeprefix('val_')}", value, epoch)
            else:
                self._scalar("train", f"epoch_{name}", value, epoch)
        optimizer = getattr(self.model, "optimizer", None)
        if optimizer is not None and "learning_rate" not in (logs or {}):
            self._scalar("train", "epoch_learning_rate", float(optimizer.learning_rate), epoch)
        if self.write_steps_per_second:
            rate = (self._batches - self._batches_before) / max(time.perf_counter() - self._began, 1e-9)
            self._scalar("train", "epoch_steps_per_second", rate, epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._write_histograms(epoch)
        for writer in self._writers.values():
            writer.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Close the files."""
        self._in_training = False
        for writer in self._writers.values():
            writer.close()
        self._writers = {}

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Write what `evaluate` has found, over the steps of the optimizer."""
        if self._in_training:
            return
        step = int(getattr(getattr(self.model, "optimizer", None), "iterations", 0))
        for name, value in (logs or {}).items():
            self._scalar("validation", f"evaluation_{name}_vs_iterations", value, step)
        self.on_train_end()

    # Events

    def _writer(self, part: str) -> Any:
        if part not in self._writers:
            files = need("tensorboard.summary.writer.event_file_writer", "tensorboard", "callbacks.TensorBoard")
            self._writers[part] = files.EventFileWriter(os.path.join(self.log_dir, part))  # noqa: PTH118
        return self._writers[part]

    def _event(self, part: str, step: int, summary: object) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        self._writer(part).add_event(Event(wall_time=time.time(), step=step, summary=summary))

    def _scalar(self, part: str, name: str, value: Any, step: int) -> None:
        from tensorboard.plugins.scalar.summary_v2 import scalar_pb

        self._event(part, step, scalar_pb(name, float(value)))

    def _write_histograms(self, epoch: int) -> None:
        from tensorboard.plugins.histogram.summary_v2 import histogram_pb

        variables = self.model.variables
        for name, variable in zip(distinct_names(each.path for each in variables), variables, strict=True):
            self._event("train", epoch, histogram_pb(f"{name}/histogram", variable.numpy()))

    def _write_graph(self) -> None:
        """The model as Keras's JSON, in the form that TensorBoard's plugin for graphs reads."""
        from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
        from tensorboard.compat.proto.tensor_pb2 import TensorProto

        metadata = SummaryMetadata()
        metadata.plugin_data.plugin_name, metadata.plugin_data.content = "graph_keras_model", b"1"
        tensor = TensorProto(dtype="DT_STRING", string_val=[self.model.to_json().encode()])
        value = Summary.Value(tag="keras", metadata=metadata, tensor=tensor)
        self._event("train", 0, Summary(value=[value]))
