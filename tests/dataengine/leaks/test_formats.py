"""Does the format give the label away?"""

import numpy as np
import pyarrow as pa

from dataengine.leaks.formats import format_leaks


def index(reals: list[tuple[str, int]], fakes: list[tuple[str, int]]) -> pa.Table:
    rows = [(0, *row) for row in reals] + [(1, *row) for row in fakes]
    return pa.table(
        {
            "label": [row[0] for row in rows],
            "clip": [str(number) for number in range(len(rows))],
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


def test_crops_of_any_width_are_no_leak_where_both_labels_draw_them_alike() -> None:
    rng = np.random.default_rng(0)
    widths = [("jpg", int(width)) for width in rng.integers(90, 256, 2000)]
    assert format_leaks(index(widths[:400], widths[400:])) == []


def test_smaller_images_of_one_label_are_reported() -> None:
    lines = format_leaks(index([("jpg", 250 + n % 6) for n in range(60)], [("jpg", 120 + n % 9) for n in range(60)]))
    assert lines == ["image width differs between real and fake (total variation 1.00)"]


def test_a_handful_of_clips_is_not_judged_by_chance_differences() -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        widths = [("jpg", int(width)) for width in rng.integers(90, 256, 24)]
        assert format_leaks(index(widths[:12], widths[12:])) == []
