"""The language of `dfx filter --where`."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.errors import DfxError
from dataengine.operations.where import parse_where
from dataengine.records import INDEX_SCHEMA

ROWS = [
    {"key": "a", "label": 0, "method": "real", "width": 100, "height": 90, "score": 0.9, "xxh3": 2**64 - 1},
    {
        "key": "b",
        "label": 1,
        "method": "Face2Face",
        "width": 200,
        "height": 200,
        "score": 0.1,
        "xxh3": 7,
        "box_x0": 3.0,
    },
    {"key": "c", "label": 1, "method": "FaceSwap", "width": 300, "height": 400, "score": 0.5, "xxh3": 9, "box_x0": 9.0},
]
TABLE = pa.Table.from_pylist(ROWS, schema=INDEX_SCHEMA)


def kept(where: str) -> str:
    return "".join(TABLE.filter(parse_where(where))["key"].to_pylist())


@pytest.mark.parametrize(
    ("where", "keys"),
    [
        ("label == 1", "bc"),
        ("label == 1 and width >= 128 and method in ('real', 'Face2Face')", "b"),
        ("method not in ['real', 'Face2Face']", "c"),
        ("not (label == 1 or width < 50)", "a"),
        ("100 <= width < 300", "ab"),
        ("200 < width", "c"),
        ("width > height", "a"),
        ("width in (100, 300.0, 100.5)", "ac"),
        ("score == 0.9 or score in (0.1,)", "ab"),
        ("xxh3 == 18446744073709551615", "a"),
        ("label == 1000", ""),
        ("box_x0 is None", "a"),
        ("box_x0 is not None and box_x0 > -1", "bc"),
        ("box_x0 != 3", "c"),
        ("not box_x0 == 3", "ac"),
        ("box_x0 not in (3,)", "c"),
    ],
)
def test_an_expression_keeps_the_rows_that_it_holds_for(where: str, keys: str) -> None:
    assert kept(where) == keys


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("metod == 'real'", "unknown column 'metod'; did you mean method"),
        ("method == real", "compares 'method' with real, which is no column; a text is in quotes: 'real'"),
        ("width == hight", "unknown column 'hight'; did you mean height"),
        ("label == 'real'", "column 'label' holds numbers, and 'real' is none"),
        ("method in ('real', 1)", "column 'method' holds texts, and 1 is none"),
        ("method == width", "column 'method' holds texts and 'width' holds numbers"),
        ("xxh3 == -1", "column 'xxh3' cannot hold -1"),
        ("xxh3 < 0.5", "column 'xxh3' holds hashes of 64 bits; compare it with whole"),
        ("xxh3 in (1, 0.5)", "column 'xxh3' holds hashes"),
        ("width < xxh3", "columns 'width' and 'xxh3' cannot be compared"),
        ("method in 'real'", "column 'method' is to be in 'real'; write"),
        ("label", "takes the column 'label' for true or false; compare it"),
        ("1 == 1", "compares 1 with 1; one of them must be a column"),
        ("width * 2 > 3", r"compares width \* 2 with 3"),
        ("label == True", "holds `True`"),
        ("box_x0 == None", "holds `None`"),
        ("width is 3", "takes `is` and `is not` before None alone"),
        ("label == 1 and", "is no expression"),
        ("", "is no expression"),
        ("__import__('os').system('true')", "holds `__import__"),
        ("[x for x in ().__class__.__bases__]", "holds `"),
        ("method.upper() == 'REAL'", "one of them must be a column"),
        ("(label := 1) == 1", "one of them must be a column"),
        ("not " * 3000 + "label == 1", "is nested too deeply"),
        ("label == 1\0", "null byte"),
        (" or ".join(["label == 1"] * 5000), "characters, more than"),
    ],
)
def test_anything_else_is_refused_in_one_line(where: str, message: str) -> None:
    with pytest.raises(DfxError, match=message) as refused:
        parse_where(where)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 400


COMPARISONS = st.sampled_from(
    ["label == 1", "width > 150", "box_x0 > 5", "box_x0 != 3", "method in ('real',)", "box_x1 is None", "score < 0.6"]
)
EXPRESSIONS = st.recursive(
    COMPARISONS,
    lambda inner: st.one_of(
        inner.map("not ({})".format),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda t: f"({t[0]}) {t[1]} ({t[2]})"),
    ),
    max_leaves=6,
)


@given(where=EXPRESSIONS)
def test_an_expression_and_its_negation_part_the_rows_in_two(where: str) -> None:
    assert sorted(kept(where) + kept(f"not ({where})")) == ["a", "b", "c"]
