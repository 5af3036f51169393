"""What predicts rows of a table as plain C: numbers, dates and texts in, probabilities or numbers out."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import cnn_core.foundation.version as version
from cnn_core.foundation.records import NamedTuple
from cnn_core.interop.c_network import Network
from cnn_core.interop.c_statements import literal
from cnn_core.interop.c_texts import Constants, c_string, comment_safe, declarations, prologue, unique_identifiers
from cnn_core.sklearn.tabular.blend import Blend, JoinedPreprocessor
from cnn_core.sklearn.tabular.calibration import SMALLEST
from cnn_core.sklearn.tabular.encoders import DateEncoder, TablePreprocessor

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


class _Part(NamedTuple):
    """A network, and what its outputs count for."""

    network: Network
    start: int  # of its features among all
    weight: float
    clamps: bool


class _Features:
    """What one preprocessor makes of the columns, beginning at `start` among all features."""

    def __init__(self, preprocessor: TablePreprocessor, start: int) -> None:
        self.layout, self.start = preprocessor.layout, start
        columns = preprocessor.state()["columns"]
        names = unique_identifiers([column["name"] for column in columns])
        self.columns = [
            (field, column, place)
            for field, column, place in zip(names, columns, preprocessor.places, strict=True)
            if column["kind"] is not None
        ]


class _Table:
    """The C of a `ClassPredictor` or a `NumberPredictor`, which this module does not import: they import it."""

    def __init__(self, predictor: Any, constants: Constants) -> None:
        self._predictor, self._constants, self._name = predictor, constants, constants.name
        self._is_classifier = predictor.task == "classification"
        network, preprocessor = predictor.network, predictor.preprocessor
        if network is None:
            parts = []
        elif isinstance(network, Blend):
            parts = [(part.network, part.features, part.weight) for part in network.parts]
        else:
            parts = [(network, 0, 1.0)]
        preprocessors = preprocessor.parts if isinstance(preprocessor, JoinedPreprocessor) else [preprocessor]
        starts = np.cumsum([0, *(each.n_features for each in preprocessors[:-1])]).tolist()
        self._networks = [
            _Part(Network(each.plan, constants), starts[features], weight, each.recipe.clamps)
            for each, features, weight in parts
        ]
        self._features = [_Features(*each) for each in zip(preprocessors, starts, strict=True)]
        self._columns = self._features[0].columns
        self._tables: dict[tuple[str, ...], str] = {}
        self._levels: list[str] = []

    # Columns

    def _feature_lines(self, features: _Features) -> list[str]:
        """The statements that fill the array `features`, as far as they are those of one preprocessor."""
        layout, start = features.layout, features.start
        first_code = layout.n_numbers + layout.n_others
        offsets = np.cumsum([0, *layout.n_codes[:-1]])
        lines = []
        for field, column, places in features.columns:
            if column["kind"] == "code":
                offset = offsets[places[0] - first_code] + 1
                found = self._level(field, column["settings"]["levels"])
                lines.append(f"features[{start + places[0]}] = (real)({found} + {offset});")
                continue
            kept = [n for n, factor in enumerate(column["factors"]) if factor != 0]
            values = self._values(field, column) if kept else []
            for number, place in zip(kept, places, strict=True):
                center, factor = (literal(np.float64(column[key][number])) for key in ("centers", "factors"))
                lines.append(f"features[{start + place}] = scaled({values[number]}, {center}, {factor});")
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
        key = (field, *levels)
        if key not in self._tables:
            others = sum(each[0] == field for each in self._tables)
            name = f"{field}_{others}" if others else field
            self._tables[key] = f"level_of_{name}"
            texts = ", ".join(map(c_string, levels)) or '""'
            self._constants.texts.append(f"static const char *const levels_of_{name}[] = {{{texts}}};")
            self._levels.append(f"const int level_of_{name} = level(row->{field}, levels_of_{name}, {len(levels)});")
        return self._tables[key]

    # Answers

    def _answer_lines(self, n_out: int) -> list[str]:
        """The statements that turn the mean of the networks' outputs into the array `answer`."""
        predictor = self._predictor
        if self._is_classifier:
            lines = [f"normalize(answer, {n_out});"]
            if isinstance(predictor.network, Blend):
                numbers = literal(np.float64(predictor.network.temperature)), literal(np.float64(SMALLEST))
                lines.insert(0, f"temper(answer, {n_out}, {', '.join(numbers)});")
            return lines
        lines = [f"restore({self._mean}, {n_out}, {self._table('spread', n_out)}, {self._table('mean', n_out)});"]
        if (logarithm := predictor.scale.logarithm) is not None:
            settings = (getattr(logarithm, each) for each in ("sign", "anchor", "unit", "low", "high"))
            arguments = ", ".join(literal(np.float64(each)) for each in settings)
            lines.append(f"exponentiate({self._mean}, {n_out}, {arguments});")
        if predictor.levels is None:
            return lines
        kept = np.flatnonzero(predictor.are_told).tolist()
        return [*lines, f"sort(all, {n_out});", *(f"answer[{at}] = all[{n}];" for at, n in enumerate(kept))]

    def _table(self, name: str, n_out: int) -> str:
        """The address of numbers of the targets' scale, one for each output."""
        numbers = np.broadcast_to(np.asarray(getattr(self._predictor.scale, name), np.float64), n_out)
        return self._constants.table(np.ascontiguousarray(numbers), name)

    @property
    def _mean(self) -> str:
        """The array of the mean of the networks' outputs."""
        return "all" if self._all_quantiles else "answer"

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
        name = self._name
        lines = self._lines() if self._networks else ["(void)row;", "answer[0] = 1;"]
        body = "".join(f"    {line}\n" for line in [*lines, "return 0;"])
        run = "".join(
            f"static int run_{number}({part.network.arguments()})\n{{\n{part.network.body}}}\n\n"
            for number, part in enumerate(self._networks)
        )
        return f"""\
/* Written by cnn_core {version.__version__}. Buffers on the stack: {self._n_bytes()} bytes. */
#include "{stem}.h"

{prologue(self._constants, run + body)}
{run}{self._class_names()}int {name}_predict(const {name}_row *row, double *answer)
{{
{body}}}
{self._likeliest()}"""

    def _lines(self) -> list[str]:
        """The statements from a row to its answer."""
        n_out = self._networks[0].network.output_sizes[0]
        features = [line for each in self._features for line in self._feature_lines(each)]
        runs = [line for number, part in enumerate(self._networks) for line in self._run(number, part, n_out)]
        return [
            f"real features[{self._predictor.preprocessor.n_features}] = {{0}};",
            f"real outputs[{self._n_outputs}];",
            *([f"double all[{n_out}] = {{0}};"] if self._all_quantiles else []),
            *self._levels,
            *([] if self._all_quantiles else [f"memset(answer, 0, {n_out} * sizeof *answer);"]),
            *features,
            *runs,
            *self._answer_lines(n_out),
        ]

    def _run(self, number: int, part: _Part, n_out: int) -> list[str]:
        """The statements that run a network and add what it predicts."""
        starts = part.start + np.cumsum([0, *part.network.input_sizes])[:-1]
        n_members = len(part.network.output_sizes)
        places = [f"features + {start}" for start in starts]
        places += [f"outputs + {member * n_out}" for member in range(n_members)]
        bounds = "NULL, NULL"
        if part.clamps and not self._is_classifier:
            bounds = f"{self._table('lowest', n_out)}, {self._table('highest', n_out)}"
        weight = literal(np.float64(part.weight))
        return [
            f"run_{number}({', '.join(places)});",
            f"add_mean({self._mean}, outputs, {n_members}, {n_out}, {weight}, {bounds});",
        ]

    @property
    def _n_outputs(self) -> int:
        return max(sum(part.network.output_sizes) for part in self._networks)

    @property
    def _all_quantiles(self) -> bool:
        return getattr(self._predictor, "levels", None) is not None

    def _n_bytes(self) -> int:
        if not self._networks:
            return 0
        n_features: int = self._predictor.preprocessor.n_features
        return max(part.network.n_bytes for part in self._networks) + 4 * (n_features + self._n_outputs)

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
