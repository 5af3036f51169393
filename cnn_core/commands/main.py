"""The command line: reads arguments, calls the library, turns its errors into one line and an exit code.

Whatever a command needs is imported when the command runs, so that `cnn-core --help` answers at once.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from cnn_core.foundation.display import printable

__all__ = ["main"]

USAGE_ERROR = 2
SOFTWARE_ERROR = 70  # EX_SOFTWARE of sysexits.h
INTERRUPTED = 130  # 128 + SIGINT, as shells report it
READER_GONE = 141  # 128 + SIGPIPE


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code of the process.

    Parameters
    ----------
    arguments : sequence of str, default None
        The words after the program's name; None takes them from ``sys.argv``.

    Returns
    -------
    int
        0 for success, 2 for an error in the arguments or in a file that they name, 70 for a fault of this library, 130
        after Ctrl-C, 141 when the reader of the output has gone.

    Examples
    --------
    >>> from cnn_core.commands.main import main
    >>> main(["info", "missing.safetensors"])  # and one line about it on stderr
    2
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a name is no reason to fail where ASCII is spoken
    try:
        options = _parser().parse_args(arguments)
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            options.run(options)
        _flush()
    except BrokenPipeError:
        return READER_GONE
    except (ValueError, TypeError, OSError, ImportError) as error:
        _complain(str(error))
        return USAGE_ERROR
    except MemoryError:
        _complain("there is not enough memory")
        return USAGE_ERROR
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        if sys.flags.dev_mode:
            raise
        kind = type(error).__name__
        _complain(f"{kind}: {error}. Please report this fault; `python -X dev` shows its place")
        return SOFTWARE_ERROR
    finally:
        _let_go_of_output()
    return 0


def _flush() -> None:
    """Write the rest of what is printed. A command whose work is a file has done it even if nobody can read of it."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as error:
        _complain(f"warning: not everything could be printed: {error}")


def _flush_work() -> None:
    """Write the rest of what is printed, where that is all that the command is for."""
    if sys.stdout is None:
        raise OSError("standard output is closed, so that nothing can be printed")
    sys.stdout.flush()


def _let_go_of_output() -> None:
    """Put what cannot be printed somewhere, or Python complains about it when it ends."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(text: str) -> None:
    """Print one line to standard error, if there is one: print() without a file would take standard output."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            print(f"cnn-core: {text}", file=sys.stderr, flush=True)


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """Print a warning in one line, without the place in the code where it arose."""
    _complain(f"warning: {message}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cnn-core", description="Dense neural networks on the CPU.")
    parser.add_argument("--version", action=_PrintVersion, help="print the version and stop")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_demo(commands)
    _add_fit(commands)
    _add_predict(commands)
    _add_export(commands)
    _add_import(commands)
    _add_info(commands)
    return parser


Commands = argparse._SubParsersAction  # argparse has no public name for what add_subparsers returns


def _add_demo(commands: Commands[argparse.ArgumentParser]) -> None:
    demo = commands.add_parser(
        "demo",
        help="train on real handwritten digits and report",
        description="Train a network on the UCI handwritten digits, report on the held-out part, save the model, load "
        "it again, and draw a picture if matplotlib is installed.",
    )
    demo.add_argument(
        "--epochs", type=_integer("epochs", 1), default=40, metavar="N", help="passes over the training part (40)"
    )
    demo.add_argument(
        "--seed", type=_integer("seed", 0), default=1, metavar="N", help="decides weights, order and dropout (1)"
    )
    demo.add_argument(
        "--threads", type=_integer("threads", 1), metavar="N", help="width of the thread pool (what the machine has)"
    )
    demo.add_argument(
        "--save", default="cnn_core_demo.safetensors", metavar="PATH", help="the model's file (%(default)s)"
    )
    demo.add_argument("--plot", metavar="PATH", help="the picture's file (cnn_core_demo.png)")
    demo.set_defaults(run=_run_demo)


def _add_fit(commands: Commands[argparse.ArgumentParser]) -> None:
    fit = commands.add_parser(
        "fit",
        help="train on a table and report",
        description="Train on a CSV or Parquet file, report scores on a fifth of the rows that is held out, and save "
        "the model with its preprocessing in one file.",
    )
    fit.add_argument("table", metavar="TABLE", help="a CSV or Parquet file")
    fit.add_argument("--target", required=True, metavar="COLUMN", help="what to predict")
    fit.add_argument("--task", choices=["classification", "regression"], help="(found by looking at the target)")
    fit.add_argument("--model", metavar="PATH", help="the model's file (the table's name with .safetensors)")
    fit.add_argument("--drop", nargs="+", default=[], metavar="COLUMN", help="columns to leave out, such as names")
    fit.add_argument(
        "--categorical", nargs="+", default=[], metavar="COLUMN", help="columns of classes, such as numeric codes"
    )
    presets = "fast, balanced or best to train several; td_s, td, periodic, piecewise_linear or tabm for one (auto)"
    fit.add_argument("--preset", default="auto", metavar="NAME", help=presets)
    fit.add_argument("--epochs", type=_integer("epochs", 1), metavar="N", help="passes over rows (80)")
    fit.add_argument("--members", type=_integer("members", 1), metavar="N", help="networks to average (1)")
    fit.add_argument("--seed", type=_integer("seed", 0), default=0, metavar="N", help="decides split and weights (0)")
    fit.add_argument("--time-limit", type=_seconds, metavar="SECONDS", help="stop after so many seconds")
    fit.add_argument("--quiet", action="store_true", help="show no progress")
    _add_form(fit)
    fit.set_defaults(run=_run_fit)


def _add_predict(commands: Commands[argparse.ArgumentParser]) -> None:
    predict = commands.add_parser(
        "predict",
        help="predict the rows of a table",
        description="Predict every row of a CSV or Parquet file with a model that `fit` wrote, as CSV.",
    )
    predict.add_argument("model", metavar="MODEL", help="a file written by `cnn-core fit`")
    predict.add_argument("table", metavar="TABLE", help="a CSV or Parquet file with the same columns, in any order")
    predict.add_argument("--output", metavar="PATH", help="the predictions' file (standard output)")
    predict.add_argument("--probabilities", action="store_true", help="add the probability of each class")
    _add_form(predict)
    predict.set_defaults(run=_run_predict)


def _add_form(command: argparse.ArgumentParser) -> None:
    """How a CSV file is written."""
    command.add_argument("--separator", default=",", metavar="MARK", help="between the fields of a CSV file (,)")
    command.add_argument("--encoding", default="utf-8", metavar="NAME", help="of a CSV file (utf-8)")
    command.add_argument("--decimal", metavar="MARK", help="before the fraction of a number in a CSV file (.)")
    command.add_argument("--thousands", metavar="MARK", help="between groups of three digits in a CSV file (none)")
    command.add_argument("--na", nargs="+", metavar="TEXT", help="what else stands for a missing value in a CSV file")


def _notation(options: argparse.Namespace) -> dict[str, Any]:
    """How numbers and gaps are written, as far as it is given."""
    given = {name: getattr(options, name) for name in ("decimal", "thousands", "na")}
    return {name: value for name, value in given.items() if value is not None}


def _add_export(commands: Commands[argparse.ArgumentParser]) -> None:
    export = commands.add_parser(
        "export",
        help="write a model for Keras, ONNX or C",
        description="Write a model, or what `fit` wrote, in the format that the output's ending names: .onnx, .keras "
        "or .c.",
    )
    export.add_argument("model", metavar="MODEL", help="a file of cnn_core, Keras (.keras, .h5) or ONNX")
    export.add_argument("output", metavar="OUTPUT", help="the file to write")
    export.add_argument("--name", metavar="NAME", help="of C: what functions begin with (the file's name)")
    export.add_argument(
        "--weights", choices=["const", "extern", "float16"], help="of C: where the weights stand, and how (const)"
    )
    export.set_defaults(run=_run_export)


def _add_import(commands: Commands[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "import",
        help="read a model of Keras or ONNX",
        description="Write a model of Keras or ONNX as a model file of cnn_core.",
    )
    parser.add_argument("source", metavar="FILE", help="a file of Keras (.keras, .h5) or ONNX")
    parser.add_argument("output", metavar="OUTPUT", help="the file to write, which ends in .safetensors")
    parser.set_defaults(run=_run_import)


def _add_info(commands: Commands[argparse.ArgumentParser]) -> None:
    info = commands.add_parser(
        "info",
        help="describe a saved model, or this machine",
        description="Print the summary of a saved model; without a model, what the library found on this machine.",
    )
    info.add_argument("model", nargs="?", metavar="MODEL", help="a file of cnn_core, Keras (.keras, .h5) or ONNX")
    info.set_defaults(run=_run_info)


def _run_demo(options: argparse.Namespace) -> None:
    import cnn_core.commands.demo as demo

    demo.run(
        epochs=options.epochs,
        seed=options.seed,
        threads=options.threads,
        save_path=options.save,
        plot_path=options.plot,
    )


def _run_fit(options: argparse.Namespace) -> None:
    import cnn_core.commands.table_files as table_files
    import cnn_core.commands.tables as table_commands

    table_commands.fit(
        table_files.TableFile(options.table, options.separator, options.encoding),
        options.target,
        task=options.task,
        model=options.model,
        drop=options.drop,
        categorical=options.categorical,
        notation=_notation(options),
        preset=options.preset,
        epochs=options.epochs,
        members=options.members,
        seed=options.seed,
        time_limit=options.time_limit,
        quiet=options.quiet,
    )


def _run_predict(options: argparse.Namespace) -> None:
    import cnn_core.commands.table_files as table_files
    import cnn_core.commands.tables as table_commands

    file = table_files.TableFile(options.table, options.separator, options.encoding)
    table_commands.predict(
        options.model,
        file,
        output=options.output,
        probabilities=options.probabilities,
        notation=_notation(options),
    )
    if options.output is None:
        _flush_work()


def _run_export(options: argparse.Namespace) -> None:
    import cnn_core.commands.doors as doors

    given = {name: getattr(options, name) for name in ("name", "weights")}
    doors.export(options.model, options.output, **{name: value for name, value in given.items() if value is not None})


def _run_import(options: argparse.Namespace) -> None:
    import cnn_core.commands.doors as doors

    doors.import_model(options.source, options.output)


def _run_info(options: argparse.Namespace) -> None:
    import cnn_core
    import cnn_core.commands.doors as doors
    import cnn_core.commands.tables as table_commands

    if options.model is None:
        cnn_core.show_config()
    elif doors.holds_table(options.model):
        table_commands.describe(options.model)
    else:
        doors.read(options.model).summary(print_fn=_print)
    _flush_work()


def _print(text: str) -> None:
    """Print in characters that standard output has."""
    print(text if sys.stdout is None else printable(text, sys.stdout))


def _integer(name: str, least: int) -> Callable[[str], int]:
    """Return a converter for an integer argument that must be at least `least`."""

    def convert(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least:
            raise argparse.ArgumentTypeError(
                f"`{name}` must be an integer of at least {least}. Received: {name}={text}"
            )
        return value

    return convert


def _seconds(text: str) -> float:
    """Convert an argument that must be a number of seconds above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"`time_limit` must be a number above 0. Received: time_limit={text}")
    return value


class _PrintVersion(argparse.Action):
    """Look the version up only when asked: reading the metadata of a distribution takes a while."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:
        super().__init__(option_strings, dest=argparse.SUPPRESS, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        import cnn_core

        print(f"cnn-core {cnn_core.__version__}")
        parser.exit()
