"""Does the format give the label away?"""

import pyarrow as pa

from dataengine.leaks import format_leaks


def index(reals: list[tuple[str, int]], fakes: list[tuple[str, int]]) -> pa.Table:
    rows = [(0, *row) for row in reals] + [(1, *row) for row in fakes]
    return pa.table(
        {
            "label": [row[0] for row in rows],
            "ext": [row[1] for row in rows],
            "width": [row[2] for row in rows],
            "quality": ["c23"] * len(rows),
        }
    )


def test_a_file_type_of_one_label_is_reported() -> None:
    assert format_leaks(index([("png", 256)] * 10, [("jpg", 256)] * 10)) == [
        "file type differs between real and fake (total variation 1.00)"
    ]


def test_equal_formats_are_not_reported_whatever_the_balance() -> None:
    assert format_leaks(index([("jpg", 256), ("jpg", 200)] * 5, [("jpg", 256), ("jpg", 200)] * 50)) == []


def test_a_store_of_one_label_has_nothing_to_tell_apart() -> None:
    assert format_leaks(index([], [("jpg", 256)])) == []
