"""What predicts rows of a table as plain C: numbers, dates and texts in, probabilities or numbers out."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import cnn_core.foundation.version as version
from cnn_core.interop.c_network import Network
from cnn_core.interop.c_statements import literal
from cnn_core.interop.c_texts import Constants, c_string, comment_safe, declarations, prologue, unique_identifiers
from cnn_core.sklearn.tabular.encoders import DateEncoder

_TYPES = {"number": "double", "date": "double", "category": "const char *", "code": "const char *"}


def c_files_of(predictor: object, source: Path, constants: Constants) -> dict[Path, str]:
    """Return source and header of a tabular estimator, by their paths.

    Parameters
    ----------
    predictor : ClassPredictor or NumberPredictor
    source : pathlib.Path
    constants : Constants
        Empty; of float32.
    """
    table = _Table(predictor, constants)
    return {source: table.source(source.stem), source.with_suffix(".h"): table.header()}


class _Table:
    """The C of a `ClassPredictor` or a `NumberPredictor`, which this module does not import: they import it."""

    def __init__(self, predictor: Any, constants: Constants) -> None:
        self._predictor, self._constants, self._name = predictor, constants, constants.name
        self._is_classifier = predictor.task == "classification"
        network = predictor.lone_network("C")
        self._network = None if network is None else Network(network.plan, constants)
        columns = predictor.preprocessor.state()["columns"]
        names = unique_identifiers([column["name"] for column in columns])
        self._columns = [
            (field, column, place)
            for field, column, place in zip(names, columns, predictor.preprocessor.places, strict=True)
            if column["kind"] is not None
        ]
        self._levels: list[str] = []

    # Columns

    def _feature_lines(self) -> list[str]:
        """The statements that fill the array `features`."""
        layout = self._predictor.preprocessor.layout
        first_code = layout.n_numbers + layout.n_others
        offsets = np.cumsum([0, *layout.n_codes[:-1]])
        lines = []
        for field, column, places in self._columns:
            if column["kind"] == "code":
                offset = offsets[places[0] - first_code] + 1
                found = self._level(field, column["settings"]["levels"])
                lines.append(f"features[{places[0]}] = (real)({found} + {offset});")
                continue
            kept = [n for n, factor in enumerate(column["factors"]) if factor != 0]
            values = self._values(field, column) if kept else []
            for number, place in zip(kept, places, strict=True):
                center, factor = (literal(np.float64(column[key][number])) for key in ("centers", "factors"))
                lines.append(f"features[{place}] = scaled({values[number]}, {center}, {factor});")
        return lines

    def _values(self, field: str, column: dict[str, Any]) -> list[str]:
        """The numbers that a column is encoded to, as expressions."""
        value, settings = f"row->{field}", column["settings"]
        if column["kind"] == "number":
            gap = [f"(isnan({value}) ? 1 : -1)"] if settings["gaps"] else []
            edges = [*map(np.float64, settings["edges"])]
            pairs = itertools.pairwise(edges)
            return [value, *gap, *(f"share({value}, {literal(low)}, {literal(high - low)})" for low, high in pairs)]
        if column["kind"] == "date":
            periods = map(literal, map(np.float64, DateEncoder(settings).periods().values()))
            return [value, *(f"{wave}(angle({value}, {each}))" for each in periods for wave in ("sin", "cos"))]
        found = self._level(field, settings["levels"])
        if len(settings["levels"]) == 2:
            return [f"({found} < 0 ? 0 : 2 * {found} - 1)"]
        return [f"({found} == {number})" for number in range(len(settings["levels"]))]

    def _level(self, field: str, levels: Sequence[str]) -> str:
        """Add the texts of a column, and return the variable that holds the number of the row's."""
        table = f"levels_of_{field}"
        texts = ", ".join(map(c_string, levels)) or '""'
        if (text := f"static const char *const {table}[] = {{{texts}}};") not in self._constants.texts:
            self._constants.texts.append(text)
            self._levels.append(f"const int level_of_{field} = level(row->{field}, {table}, {len(levels)});")
        return f"level_of_{field}"

    # Answers

    def _answer_lines(self, n_members: int, n_out: int) -> list[str]:
        """The statements that turn the members' outputs into the array `answer`."""
        predictor = self._predictor
        if self._is_classifier:
            return [f"share_out(answer, outputs, {n_members}, {n_out});"]
        levels, clamps = predictor.levels, int(predictor.network.clamps)
        tables = []
        for each in ("lowest", "highest", "spread", "mean"):
            numbers = np.broadcast_to(np.asarray(getattr(predictor.scale, each), np.float64), n_out)
            tables.append(self._constants.table(np.ascontiguousarray(numbers), each))
        restored = "answer" if levels is None else "all"
        lines = [f"restore({restored}, outputs, {n_members}, {n_out}, {clamps}, {', '.join(tables)});"]
        if (logarithm := predictor.scale.logarithm) is not None:
            settings = (getattr(logarithm, each) for each in ("sign", "anchor", "unit", "low", "high"))
            arguments = ", ".join(literal(np.float64(each)) for each in settings)
            lines.append(f"exponentiate({restored}, {n_out}, {arguments});")
        if levels is None:
            return lines
        kept = np.flatnonzero(predictor.are_told).tolist()
        return [*lines, f"sort(all, {n_out});", *(f"answer[{at}] = all[{n}];" for at, n in enumerate(kept))]

    @property
    def _answers(self) -> list[str]:
        """What each number of an answer is."""
        predictor = self._predictor
        if self._is_classifier:
            return [f"probability of {each!r}" for each in predictor.classes.tolist()]
        if predictor.levels is not None:
            return [f"quantile {each:g}" for each in np.sort(predictor.levels)]
        n = predictor.scale.mean.size
        return ["mean"] if n == 1 else [f"mean of target {number}" for number in range(n)]

    # Files

    def source(self, stem: str) -> str:
        """Return the text of the source file."""
        name, network = self._name, self._network
        lines = ["(void)row;", "answer[0] = 1;"] if network is None else self._lines(network)
        body = "".join(f"    {line}\n" for line in [*lines, "return 0;"])
        run = "" if network is None else f"static int run({network.arguments()})\n{{\n{network.body}}}\n\n"
        return f"""\
/* Written by cnn_core {version.__version__}. Buffers on the stack: {self._n_bytes()} bytes. */
#include "{stem}.h"

{prologue(self._constants, run + body)}
{run}{self._class_names()}int {name}_predict(const {name}_row *row, double *answer)
{{
{body}}}
{self._likeliest()}"""

    def _lines(self, network: Network) -> list[str]:
        """The statements from a row to its answer."""
        n_out, n_features = network.output_sizes[0], self._predictor.preprocessor.n_features
        features = self._feature_lines()
        starts = np.cumsum([0, *network.input_sizes])[:-1]
        places = [f"features + {start}" for start in starts]
        places += [f"outputs + {number * n_out}" for number in range(len(network.output_sizes))]
        return [
            f"real features[{n_features}] = {{0}};",
            f"real outputs[{sum(network.output_sizes)}];",
            *([f"double all[{n_out}];"] if self._all_quantiles else []),
            *self._levels,
            *features,
            f"run({', '.join(places)});",
            *self._answer_lines(len(network.output_sizes), n_out),
        ]

    @property
    def _all_quantiles(self) -> bool:
        return getattr(self._predictor, "levels", None) is not None

    def _n_bytes(self) -> int:
        network = self._network
        if network is None:
            return 0
        n_bytes: int = network.n_bytes + 4 * (self._predictor.preprocessor.n_features + sum(network.output_sizes))
        return n_bytes

    def _class_names(self) -> str:
        if not self._is_classifier:
            return ""
        classes = ", ".join(c_string(str(each)) for each in self._predictor.classes.tolist())
        n = len(self._predictor.classes)
        return f"const char *const {self._name}_classes[{n}] = {{{classes}}};\n\n"

    def _likeliest(self) -> str:
        if not self._is_classifier:
            return ""
        n = len(self._predictor.classes)
        return f"""
int {self._name}_class(const {self._name}_row *row)
{{
    double answer[{n}];
    int best = 0, i;
    {self._name}_predict(row, answer);
    for (i = 1; i < {n}; i++)
        best = answer[i] > answer[best] ? i : best;
    return best;
}}
"""

    def header(self) -> str:
        """Return the text of the header."""
        name = self._name
        remarks = {
            "number": "NAN if it is missing",
            "date": "seconds since 1970-01-01, NAN if it is missing",
            "category": "NULL if it is missing",
            "code": "NULL if it is missing",
        }
        fields = []
        for field, column, _ in self._columns:
            kind = column["kind"]
            remark = "True or False, " + remarks[kind] if column["read_as"] == "boolean" else remarks[kind]
            of = "" if field == column["name"] else f"{comment_safe(column['name'])}: "
            fields.append(f"    {_TYPES[kind]}{'' if kind in ('category', 'code') else ' '}{field}; /* {of}{remark} */")
        if not fields:
            fields = ["    double nothing; /* no column holds anything */"]
        listed = "".join(f"\n   answer[{n}]: {comment_safe(each)}" for n, each in enumerate(self._answers))
        text = "\n".join(
            [
                "/* A row of the table. Texts are UTF-8, and compared with those of the training. */",
                "typedef struct {",
                *fields,
                f"}} {name}_row;",
                "",
                f"/* Always returns 0.{listed} */",
                f"int {name}_predict(const {name}_row *row, double *answer);",
                "",
            ]
        )
        if self._is_classifier:
            n = len(self._predictor.classes)
            text += f"""
/* The classes in their order, and the number of the most probable one. */
extern const char *const {name}_classes[{n}];
int {name}_class(const {name}_row *row);
"""
        return declarations(name, text)
