"""Tables into features: kinds of columns, scaling, gaps, unknown categories, and what an error names."""

from __future__ import annotations

import datetime
import json
import pickle
import re
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

import cnn_core.sklearn.tabular.encoders as encoders
from cnn_core.sklearn.tabular.columns import canonical, columns_of
from cnn_core.sklearn.tabular.encoders import MAX_CATEGORIES, TablePreprocessor


def objects(*columns: list[Any]) -> np.ndarray:
    table = np.empty((len(columns[0]), len(columns)), dtype=object)
    for number, column in enumerate(columns):
        table[:, number] = column
    return table


def test_numbers_are_scaled_by_hand():
    # Median 3, quartiles 2 and 4: z = (x - 3) / 2, then z / sqrt(1 + (z / 3)^2).
    table = np.array([[1.0], [2.0], [3.0], [4.0], [103.0]])
    z = np.array([-1, -0.5, 0, 0.5, 50])
    np.testing.assert_allclose(
        TablePreprocessor().fit(table).transform(table)[:, 0], z / np.sqrt(1 + z**2 / 9), rtol=1e-6
    )


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64"])
@pytest.mark.parametrize("n_rows", [1, 7, 300])
def test_numbers_in_one_matrix_become_what_they_do_column_by_column(n_rows: int, dtype: str):
    generator = np.random.default_rng(4)
    fitted = TablePreprocessor().fit(np.c_[generator.normal(size=(50, 3)) * [1, 1e6, 1e-3], np.ones(50)])
    table = (100 * generator.normal(size=(n_rows, 4))).astype(dtype)
    if dtype != "int64":
        table[::3, 1] = np.nan
    before = table.copy()
    together = fitted.transform_numbers(table)
    assert together.dtype == np.float32
    np.testing.assert_array_equal(together, fitted.transform(table))
    np.testing.assert_array_equal(table, before)


def test_numbers_alone_are_read_in_one_matrix():
    numbers = np.arange(12.0).reshape(6, 2)
    again = TablePreprocessor([0]).fit(numbers)
    assert not again.reads_numbers_alone
    assert not TablePreprocessor().fit(np.c_[numbers, np.full(6, np.nan)]).reads_numbers_alone
    again.categorical_features = "from_dtype"
    again.fit(numbers)
    assert again.reads_numbers_alone
    np.testing.assert_array_equal(again.transform_numbers(numbers), again.transform(numbers))


def test_pickles_of_earlier_versions_transform():
    numbers = np.arange(12.0).reshape(6, 2)
    fitted, old = TablePreprocessor().fit(numbers), TablePreprocessor()
    old.__dict__ = {name: value for name, value in vars(fitted).items() if name != "_features"}
    old.__dict__["_plain"] = encoders._Plain(np.arange(2), np.zeros(2), np.ones(2))
    found = pickle.loads(pickle.dumps(old))
    np.testing.assert_array_equal(found.transform(numbers), fitted.transform(numbers))


def test_constant_columns_leave_a_feature_of_zeros():
    constant = np.ones((4, 2))
    fitted = TablePreprocessor().fit(constant)
    np.testing.assert_array_equal(fitted.transform_numbers(constant), fitted.transform(constant))


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2.5, None], "number"),
        ([Decimal("1.5"), np.float32(2), float("nan")], "number"),
        ([True, 1, 2], "number"),
        ([True, False, None], "category"),
        (["a", float("nan"), None], "category"),
        (["1", "2", "3"], "category"),
        ([None, float("nan"), None], "missing"),
        ([datetime.date(2020, 1, 1), None, datetime.datetime(2020, 1, 2, 12)], "date"),
        (["2020-01-01", None, "2021-05-06 12:30"], "date"),
        (["2020-01-01", "x", "2021-05-06"], "category"),
    ],
)
def test_kinds_of_objects(values: list[Any], kind: str):
    assert columns_of(objects(values))[0].kind == kind


def test_mixed_columns_name_column_and_rows():
    with pytest.raises(ValueError, match=r"'column 1' .* 5 in row 0 and 'old' in row 2"):
        columns_of(objects([1, 2, 3], [5, None, "old"]))


def test_a_stray_text_among_numbers_is_named():
    values = [str(number) for number in range(40)]
    values[17] = "?"
    with pytest.raises(ValueError, match=r"'column 0' .* '\?' in row 17"):
        columns_of(objects(values))


@pytest.mark.parametrize("value", [[1], {"a": 1}, object()])
def test_other_objects_are_refused(value: Any):
    with pytest.raises(TypeError, match=r"'column 0' .* in row 1"):
        columns_of(objects([None, value]))


def test_infinity_is_refused():
    with pytest.raises(ValueError, match=r"'column 0' must hold finite numbers.* row 1"):
        columns_of(np.array([[1.0], [np.inf]]))


def test_categories():
    table = objects(["a", "b", "c", None], ["x", "y", "x", "y"])
    preprocessor = TablePreprocessor().fit(table)
    assert preprocessor.feature_names == ["column 0=a", "column 0=b", "column 0=c", "column 1=y"]
    known = preprocessor.transform(table)
    unknown = preprocessor.transform(objects(["zzz", None], ["x", "zzz"]))
    # Unknown and missing are what none of the known ones is, in every feature of the column.
    np.testing.assert_array_equal(unknown[0, :3], known[3, :3])
    np.testing.assert_array_equal(unknown[1, :3], known[3, :3])
    assert known[0, 3] < unknown[1, 3] < known[1, 3]


def test_numbers_and_texts_are_one_category():
    assert canonical(3) == canonical(3.0) == canonical("3")
    preprocessor = TablePreprocessor(["column 0"]).fit(np.array([[1.0], [2.0], [3.0]]))
    np.testing.assert_array_equal(preprocessor.transform(objects(["2"])), preprocessor.transform(np.array([[2]])))


def test_many_categories_keep_the_most_frequent():
    values = [f"rare {number}" for number in range(MAX_CATEGORIES)] + ["common"] * 3
    preprocessor = TablePreprocessor().fit(objects(values))
    assert preprocessor.n_features == MAX_CATEGORIES
    assert "column 0=common" in preprocessor.feature_names


def test_gaps_are_the_median_and_known_as_gaps():
    table = np.array([[1.0], [2.0], [3.0], [np.nan], [np.nan]])
    preprocessor = TablePreprocessor().fit(table)
    assert preprocessor.feature_names == ["column 0", "column 0 is missing"]
    features = preprocessor.transform(table)
    np.testing.assert_array_equal(features[3], features[4])
    assert features[3, 0] == features[1, 0] == 0
    assert features[3, 1] > features[1, 1]


def test_gaps_only_at_prediction_are_the_median():
    preprocessor = TablePreprocessor().fit(np.array([[1.0], [2.0], [3.0]]))
    assert preprocessor.transform(np.array([[np.nan]])).tolist() == [[0]]


def test_columns_without_news_are_left_out():
    table = objects([1.0, 2, 3], [7, 7, 7], [None] * 3, ["a"] * 3)
    preprocessor = TablePreprocessor().fit(table)
    assert preprocessor.feature_names == ["column 0"]
    assert [len(place) for place in preprocessor.places] == [1, 0, 0, 0]
    assert TablePreprocessor().fit(table[:, 1:]).transform(table[:, 1:]).tolist() == [[0], [0], [0]]


def test_fitted_on_the_given_rows_only():
    table = np.array([[0.0], [1], [2], [3], [1000], [2000]])
    some = TablePreprocessor().fit(table, np.arange(4))
    np.testing.assert_array_equal(some.transform(table), TablePreprocessor().fit(table[:4]).transform(table))
    np.testing.assert_array_equal(some.transform(table, np.array([4, 0])), some.transform(table)[[4, 0]])


def test_text_in_a_number_column_at_prediction():
    preprocessor = TablePreprocessor().fit(np.array([[1.0], [2.0]]))
    assert preprocessor.transform(objects(["1.0"])).shape == (1, 1)
    with pytest.raises(ValueError, match=r"'column 0' held numbers in training. Received: 'old' in row 1"):
        preprocessor.transform(objects(["1.0", "old"]))


def test_pieces_by_hand():
    # Edges 0, 2, 8 are the quantiles 0, 1/2 and 1.
    preprocessor = TablePreprocessor(n_bins=2).fit(np.array([[0.0], [2.0], [8.0]]))
    (encoder,) = preprocessor.encoders
    assert preprocessor.feature_names == ["column 0", "column 0 from 0 to 2", "column 0 from 2 to 8"]
    encoded = encoder.encode(np.array([-1.0, 1, 2, 5, 9]))
    assert encoded[:, 1:].tolist() == [[0, 0], [0.5, 0], [1, 0], [1, 0.5], [1, 1]]
    again = TablePreprocessor.from_state(json.loads(json.dumps(preprocessor.state())))
    table = np.array([[0.3], [np.nan]])
    np.testing.assert_array_equal(again.transform(table), preprocessor.transform(table))


def test_pieces_of_few_values():
    assert TablePreprocessor(n_bins=8).fit(np.array([[0.0], [1.0], [1.0]])).n_features == 1


def test_dates():
    days = np.array(["2024-01-01", "2024-07-01", "2025-01-01", "NaT"], dtype="datetime64[D]")
    preprocessor = TablePreprocessor().fit(days[:, None])
    assert preprocessor.feature_names[0] == "column 0"
    assert len(preprocessor.feature_names) == 5, "days have no time of day"
    features = preprocessor.transform(days[:, None])
    assert features[0, 0] < features[1, 0] < features[2, 0]
    assert not features[3].any()
    texts = preprocessor.transform(objects(["2024-07-01", None]))
    np.testing.assert_array_equal(texts, features[[1, 3]])
    with pytest.raises(ValueError, match="held dates"):
        preprocessor.transform(objects(["yesterday"]))


def test_time_of_day_counts():
    hours = np.arange("2024-01-01T00", "2024-01-03T00", dtype="datetime64[h]")[:, None]
    assert "column 0 sin of day" in TablePreprocessor().fit(hours).feature_names


@pytest.mark.parametrize("choice", [[0], [-3], ["column 0"], [True, False, False]])
def test_chosen_categories(choice: list[Any]):
    table = np.arange(12.0).reshape(4, 3)
    names = TablePreprocessor(choice).fit(table).feature_names
    assert names[:4] == ["column 1", "column 2", "column 0=0", "column 0=3"], "numbers stand first"


@pytest.mark.parametrize("choice", [["nothing"], [3], [True], "all"])
def test_wrong_choices(choice: Any):
    with pytest.raises(ValueError, match="categorical_features"):
        TablePreprocessor(choice).fit(np.zeros((4, 3)))


def test_state_is_plain_data_and_complete():
    days = np.arange("2024-01-01", "2024-01-05", dtype="datetime64[D]")
    table = objects([1.0, 2, None, 4], ["a", "b", "a", "c"], list(days), [None] * 4)
    preprocessor = TablePreprocessor().fit(table)
    again = TablePreprocessor.from_state(json.loads(json.dumps(preprocessor.state())))
    np.testing.assert_array_equal(again.transform(table), preprocessor.transform(table))
    assert again.feature_names == preprocessor.feature_names


def test_pandas_and_polars_hold_the_same():
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    n = 30
    generator = np.random.default_rng(0)
    numbers = generator.normal(size=n)
    numbers[3] = np.nan
    texts = generator.choice(["a", "b", "c"], n).tolist()
    texts[4] = None
    flags = generator.random(n) > 0.5
    days = np.datetime64("2024-01-01") + generator.integers(0, 500, n)
    whole = [None, *range(1, n)]
    first = pandas.DataFrame(
        {
            "number": numbers,
            "text": texts,
            "category": pandas.Categorical(texts),
            "flag": flags,
            "day": days,
            "whole": pandas.array(whole, dtype="Int64"),
        }
    )
    second = polars.DataFrame(
        {
            "number": polars.Series(numbers).fill_nan(None),
            "text": texts,
            "category": polars.Series(texts, dtype=polars.Categorical),
            "flag": flags,
            "day": days,
            "whole": whole,
        }
    )
    ours, theirs = TablePreprocessor().fit(first), TablePreprocessor().fit(second)
    assert ours.feature_names == theirs.feature_names
    np.testing.assert_array_equal(ours.transform(first), theirs.transform(second))
    np.testing.assert_array_equal(ours.transform(second), ours.transform(first))


def test_features_stand_by_their_roles():
    table = np.array([["b", 1.0, f"k{row % 9}"] if row else [None, None, "k0"] for row in range(18)], dtype=object)
    table[1::2, 0], table[1::2, 1] = "c", 3.0
    table[2, 0] = "d"
    preprocessor = TablePreprocessor(most_one_hot=8).fit(table)
    names = ["column 1", "column 0=b", "column 0=c", "column 0=d", "column 1 is missing", "column 2"]
    assert preprocessor.feature_names == names
    assert [place.tolist() for place in preprocessor.places] == [[1, 2, 3], [0, 4], [5]]
    assert (preprocessor.layout.n_numbers, preprocessor.layout.n_others) == (1, 4)
    assert preprocessor.layout.n_codes == (10,)
    x = preprocessor.transform(table)
    np.testing.assert_array_equal(x[:, 5], np.arange(18) % 9 + 1)
    alone = TablePreprocessor().fit(table[:, [1]]).transform(table[:, [1]])
    np.testing.assert_array_equal(x[:, [0, 4]], alone)


def test_numbers_of_any_size_keep_their_side():
    table = np.array([[0.0], [1.0], [2.0], [3.0]])
    far = np.array([[-1.7e308], [1.7e308], [np.nan]])
    np.testing.assert_allclose(TablePreprocessor().fit(table).transform(far)[:, 0], [-3, 3, 0])


@pytest.mark.parametrize(("n_values", "embedded"), [(8, False), (9, True)])
def test_categories_of_many_values_become_codes(n_values: int, embedded: bool):
    column = np.array([[f"value {number % n_values}"] for number in range(40)], dtype=object)
    preprocessor = TablePreprocessor(most_one_hot=8).fit(column)
    assert preprocessor.layout.n_codes == ((n_values + 1,) if embedded else ())
    unknown = preprocessor.transform(np.array([["new"], [None], ["value 0"]], dtype=object))
    if embedded:
        assert unknown[:, 0].tolist() == [0, 0, 1]
        again = TablePreprocessor.from_state(json.loads(json.dumps(preprocessor.state())))
        np.testing.assert_array_equal(again.transform(column), preprocessor.transform(column))
        assert again.layout == preprocessor.layout


def test_of_too_many_codes_the_most_frequent_are_kept(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("cnn_core.sklearn.tabular.encoders.MAX_CODES", 9)
    column = np.array([[f"value {number:02}"] for number in [*range(12), *range(3, 12)]], dtype=object)
    preprocessor = TablePreprocessor(most_one_hot=8).fit(column)
    assert preprocessor.encoders[0].levels == [f"value {number:02}" for number in range(3, 12)]


def test_times_of_day_durations_and_periods():
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    times = [datetime.time(0, 0, 1, 500_000), None, datetime.time(23, 59, 59)]
    durations = [datetime.timedelta(minutes=2), datetime.timedelta(days=-1), None]
    seconds = {"times": [1.5, np.nan, 86399.0], "durations": [120.0, -86400.0, np.nan]}
    for frame in (polars.DataFrame({"times": times, "durations": durations}), objects(times, durations)):
        for column, expected in zip(columns_of(frame), seconds.values(), strict=True):
            assert column.kind == "number"
            np.testing.assert_array_equal(column.values, expected)
    months = pandas.DataFrame({"month": pandas.PeriodIndex(["2020-02", None], freq="M")})
    (column,) = columns_of(months)
    assert column.kind == "date"
    np.testing.assert_array_equal(
        column.values, [datetime.datetime(2020, 2, 1).replace(tzinfo=datetime.UTC).timestamp(), np.nan]
    )


@pytest.mark.parametrize(
    "asked",
    [
        [True, False, None, True],
        [True, False, float("nan"), True],
        [1, 0, None, 1],
        [1.0, 0.0, float("nan"), 1.0],
        ["true", "False", None, "TRUE"],
    ],
)
def test_booleans_are_read_as_booleans_beside_a_gap(asked: list[Any]):
    preprocessor = TablePreprocessor().fit(np.array([[True], [False], [True], [True]]))
    plain = preprocessor.transform(np.array([[True], [False], [True]]))
    read = preprocessor.transform(objects(asked))
    np.testing.assert_array_equal(read[[0, 1, 3]], plain)
    assert plain[1, 0] < read[2, 0] < plain[0, 0], "a gap is neither"


@pytest.mark.parametrize("gap", [None, float("nan")])
def test_booleans_with_a_gap_in_training(gap: Any):
    preprocessor = TablePreprocessor().fit(objects([True, gap, False, True]))
    assert preprocessor.feature_names == ["column 0=True"]
    np.testing.assert_array_equal(
        preprocessor.transform(np.array([[True], [False]])), preprocessor.transform(objects([True, False]))
    )


def test_categories_of_numbers_are_categories():
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    codes = [5, 7, 900, 5, 7, 900]
    names = ["code=5", "code=7", "code=900"]
    frames = {
        "category": pandas.DataFrame({"code": pandas.Series(codes).astype("category")}),
        "floats": pandas.DataFrame({"code": pandas.Series([5.0, 7, 900, None, *codes]).astype("category")}),
        "texts": polars.DataFrame({"code": polars.Series(list(map(str, codes)), dtype=polars.Categorical)}),
        "enum": polars.DataFrame({"code": polars.Series(list(map(str, codes)), dtype=polars.Enum(["5", "7", "900"]))}),
    }
    for frame in frames.values():
        preprocessor = TablePreprocessor().fit(frame)
        assert preprocessor.feature_names == names
        # As plain numbers they still are the categories that they were.
        asked = preprocessor.transform(pandas.DataFrame({"code": [7, 5, 6]}))
        np.testing.assert_array_equal(asked, preprocessor.transform(objects(["7", "5", "six"])))
        assert (asked[0] != asked[2]).any()


def test_categories_of_arrow():
    pandas, pyarrow = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    array = pyarrow.array([3, 4, 3, None]).dictionary_encode()
    frame = pandas.DataFrame({"code": pandas.arrays.ArrowExtensionArray(array)})
    assert TablePreprocessor().fit(frame).feature_names == ["code=4"]


def test_intervals_are_categories_by_their_texts():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"size": pandas.cut([1.0, 2, 3, 4], [0, 2, 3, 9])})
    assert TablePreprocessor().fit(frame).feature_names[0] == "size=(0, 2]"


def test_numbers_too_large_for_floats_keep_apart_as_categories():
    ids = np.array([[2**53], [2**53 + 1], [2**53 + 2]])
    assert len(TablePreprocessor([0]).fit(ids).encoders[0].levels) == 3


def test_a_category_is_read_as_one_whatever_the_rows_beside():
    codes = ["007", "0123", "1.10", "2020-01-01", "A12"]
    preprocessor = TablePreprocessor().fit(objects(codes))
    together = preprocessor.transform(objects(codes))
    for code, expected in zip(codes, together, strict=True):
        np.testing.assert_array_equal(preprocessor.transform(objects([code]))[0], expected)
        np.testing.assert_array_equal(preprocessor.transform(objects([code] * 30))[0], expected)
    # What a reader has made numbers of is the one category that is written as that number.
    np.testing.assert_array_equal(preprocessor.transform(np.array([[7], [123]])), together[:2])
    np.testing.assert_array_equal(preprocessor.transform(np.array([[1.1]])), together[2:3])


def test_dates_as_categories():
    days = np.array(["2024-01-01", "2024-07-01", "2025-01-01"], dtype="datetime64[D]")
    preprocessor = TablePreprocessor([0]).fit(days[:, None])
    np.testing.assert_array_equal(
        preprocessor.transform(objects(["2024-07-01"])), preprocessor.transform(days[1:2, None])
    )


def test_a_stray_text_among_dates_is_named():
    days = [str(day) for day in np.arange("2024-01-01", "2024-02-10", dtype="datetime64[D]")]
    for stray in ("?", "2024-02-31", "tomorrow"):
        with pytest.raises(ValueError, match=rf"'column 0' .* dates but for '{re.escape(stray)}' in row 7"):
            columns_of(objects([*days[:7], stray, *days[7:]]))
    preprocessor = TablePreprocessor().fit(objects(days))
    with pytest.raises(ValueError, match=r"'column 0' held dates in training\. Received: 'soon' in row 2"):
        preprocessor.transform(objects([*days[:2], "soon"]))
    with pytest.raises(ValueError, match=r"'column 0' held dates in training\. Received: 7\.0 in row 0"):
        preprocessor.transform(np.array([[7.0]]))


def test_dates_with_time_zones():
    texts = ["2024-01-01T12:00:00+02:00", "2024-01-01T10:00:00Z", "2024-01-01 10:00"]
    (column,) = columns_of(objects(texts))
    assert column.kind == "date"
    assert len(set(column.values.tolist())) == 1


@pytest.mark.parametrize("texts", [["0,5", "1,25"], ["1,000", "2,500,000"], ["12%", "7.5 %"], ["$3", "$4.50"]])
def test_numbers_written_otherwise_are_refused(texts: list[str]):
    with pytest.raises(ValueError, match=rf"'column 0' must hold numbers.*Received: '{re.escape(texts[0])}' in row 0"):
        columns_of(objects(texts * 10))
    assert len(TablePreprocessor([0]).fit(objects(texts * 10)).encoders[0].levels) == 2, "unless they are categories"


@pytest.mark.parametrize("texts", [["10.0.0.1", "10.0.0.2"], ["555 1234", "555 4321"], ["1-2", "3-4"]])
def test_texts_of_digits_may_be_categories(texts: list[str]):
    assert columns_of(objects(texts * 10))[0].kind == "category"


def test_signs_among_numbers_are_strays_whatever_their_share():
    values = [str(number) if number % 3 else "?" for number in range(30)]
    with pytest.raises(ValueError, match=r"numbers but for '\?' in row 0 and 9 more"):
        columns_of(objects(values))


@pytest.mark.parametrize("value", [10**400, Decimal("1e400"), "1e400"])
def test_numbers_beyond_all_floats_are_refused(value: Any):
    preprocessor = TablePreprocessor().fit(np.array([[1.0], [2.0]]))
    with pytest.raises(ValueError, match=r"'column 0' must hold finite numbers.* infinity in row 1"):
        preprocessor.transform(objects([1, value]))
