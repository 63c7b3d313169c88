"""A store, counted."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from dataengine.overview import overview
from dataengine.records import SPLITS
from dataengine.store import Store, open_store
from tests.dataengine.made import jpeg, made_rows, picture, png
from tests.dataengine.stores import rewrite


def replaced(table: pa.Table, **columns: list[object]) -> pa.Table:
    for name, values in columns.items():
        at = table.schema.get_field_index(name)
        table = table.set_column(at, name, pa.array(values, table.schema.field(name).type))
    return table


def test_cells_count_clips_images_and_bytes(mini_store: Store) -> None:
    index = mini_store.index().to_pylist()
    images, sizes = Counter(), Counter()
    for row in index:
        cell = row["method"], row["split"]
        images[cell] += 1
        sizes[cell] += row["size"]
    cells = overview(mini_store).cells
    assert {(cell.method, cell.split): cell.samples for cell in cells} == images
    assert {(cell.method, cell.split): cell.bytes for cell in cells} == sizes
    assert sum(cell.clips for cell in cells) == 36


def test_real_stands_first_and_splits_in_their_usual_order(mini_store: Store) -> None:
    cells = [(cell.method, cell.split) for cell in overview(mini_store).cells]
    assert cells[:3] == [("real", "train"), ("real", "val"), ("real", "test")]
    of_fakes = [split for method, split in cells if method == "Deepfakes"]
    assert of_fakes == [split for split in SPLITS if split in of_fakes]
    assert {"train", "none"} <= set(of_fakes)


def test_compressions_are_counted_apart(mini_store: Store, tmp_path: Path) -> None:
    def halves(table: pa.Table) -> pa.Table:
        return replaced(table, quality=["c23" if clip < "mini/G" else "c40" for clip in table["clip"].to_pylist()])

    changed = rewrite(mini_store, tmp_path / "c", index=halves, clips=halves)
    cells = overview(open_store(changed)).cells
    assert {cell.quality for cell in cells} == {"c23", "c40"}
    assert sum(cell.samples for cell in cells) == 108
    assert all(cell.bytes > 0 for cell in cells if cell.samples)


@pytest.mark.parametrize("count", [3, 4])
def test_sizes_are_those_of_the_images(tmp_path: Path, count: int) -> None:
    widths = [30, 80, 41, 66][:count]
    rows = made_rows(tmp_path, [(png if i % 2 else jpeg)(picture(i, w, w // 2)) for i, w in enumerate(widths)])
    found = overview(rows.stores[0])
    assert (found.width.min, found.width.median, found.width.max) == (30, float(np.median(widths)), 80)
    assert (found.height.min, found.height.max) == (15, 40)


def test_reasons_are_counted_with_failures_first(mini_store: Store, tmp_path: Path) -> None:
    def reasons(clips: pa.Table) -> pa.Table:
        status, reason = ["ok"] * 36, [""] * 36
        status[:3], reason[:3] = ["failed"] * 3, ["no moov atom", "no face", "no moov atom"]
        reason[5:9] = ["2 frames have no face"] * 4
        return replaced(clips, status=status, reason=reason)

    found = overview(open_store(rewrite(mini_store, tmp_path / "c", clips=reasons)))
    assert [(one.status, one.reason, one.clips) for one in found.reasons] == [
        ("failed", "no moov atom", 2),
        ("failed", "no face", 1),
        ("ok", "2 frames have no face", 4),
    ]
    assert sum(cell.failed for cell in found.cells) == 3


def test_shares_of_faces_are_given_where_faces_were_looked_for(mini_store: Store, tmp_path: Path) -> None:
    assert overview(mini_store).faces == ()

    def faces(clips: pa.Table) -> pa.Table:
        counts = {"faces_detected": 4, "faces_tracked": 3, "frames_with_face": 7, "faces_missing": 3}
        return replaced(clips, **{name: [count] * 36 for name, count in counts.items()})

    found = overview(open_store(rewrite(mini_store, tmp_path / "c", clips=faces))).faces
    assert {share.share for share in found} == {0.7}
    assert found[0].method == "real"
    assert sum(share.frames_looked for share in found) == 360
