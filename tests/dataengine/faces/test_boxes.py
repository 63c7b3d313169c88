from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from dataengine.errors import DfxError
from dataengine.faces.boxes import LANDMARKS, MAX_BRIDGE, Boxes, box_notes, load_boxes
from dataengine.faces.pinned import pin
from dataengine.records import Clip

ROWS = [
    {"path": "b/1.mp4", "frame": 20, "x0": 20.0, "y0": 0.0, "x1": 120.0, "y1": 100.0},
    {"path": "b/1.mp4", "frame": 10, "x0": 0.0, "y0": 0.0, "x1": 100.0, "y1": 100.0},
    {"path": "b/1.mp4", "frame": 10, "x0": 300.0, "y0": 0.0, "x1": 350.0, "y1": 50.0},
    {"path": "a/0.mp4", "frame": 0, "x0": 5.0, "y0": 5.0, "x1": 50.0, "y1": 50.0},
    {"path": "b/1.mp4", "frame": 20 + MAX_BRIDGE + 1, "x0": 20.0, "y0": 0.0, "x1": 120.0, "y1": 100.0},
]


def clip(path: str, **facts) -> Clip:
    names = ("dataset", "split", "raw_method", "method", "category", "quality", "target_id", "source_id")
    media = "video" if path.endswith(".mp4") else "images"
    return Clip(clip=path, paths=(path,), media=media, **{**dict.fromkeys(names, ""), **facts})  # type: ignore[arg-type]


def written(folder: Path, rows: list[dict[str, object]], suffix: str) -> Boxes:
    path = folder / f"boxes{suffix}"
    table = pa.Table.from_pylist(rows)
    pq.write_table(table, path) if suffix == ".parquet" else pyarrow.csv.write_csv(table, path)
    return load_boxes(pin(path))


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_frames_boxes_are_those_of_the_file_in_any_order_of_its_rows(tmp_path: Path, suffix: str) -> None:
    boxes = written(tmp_path, ROWS, suffix)
    assert [(face.box, face.score, face.origin) for face in boxes.faces("b/1.mp4", 10)] == [
        ((0, 0, 100, 100), 1, "given"),
        ((300, 0, 350, 50), 1, "given"),
    ]
    assert [face.box for face in boxes.faces("a/0.mp4", 0)] == [(5, 5, 50, 50)]
    assert boxes.faces("c.mp4", 0) == []


def test_a_frame_between_two_boxes_is_interpolated_where_they_are_near(tmp_path: Path) -> None:
    boxes = written(tmp_path, ROWS, ".csv")
    (face,) = boxes.faces("b/1.mp4", 15)
    assert (face.box, face.origin) == ((10, 0, 110, 100), "interpolated")
    assert boxes.faces("b/1.mp4", 30) == []  # more than MAX_BRIDGE apart
    assert boxes.faces("b/1.mp4", 5) == boxes.faces("b/1.mp4", 99) == []  # one neighbour alone


def test_scores_and_landmarks_are_read_and_interpolated(tmp_path: Path) -> None:
    rows = [{**row, "score": 0.5, **{name: float(k) for k, name in enumerate(LANDMARKS)}} for row in ROWS]
    (face,) = written(tmp_path, rows, ".parquet").faces("b/1.mp4", 15)
    assert face.score == 0.5
    assert face.landmarks == ((0, 1), (2, 3), (4, 5), (6, 7), (8, 9))


def test_what_the_file_and_the_tree_do_not_share_is_said(tmp_path: Path) -> None:
    boxes = written(tmp_path, ROWS, ".csv")
    notes = box_notes(boxes, [clip("b/1.mp4"), clip("x.mp4"), clip("y.mp4")])
    assert len(notes) == 2
    assert "no file of a clip: 1 (first: a/0.mp4)" in notes[0]
    assert "clips without a box, which give no image: 2 (first: x.mp4)" in notes[1]
    assert box_notes(boxes, [clip("a/0.mp4"), clip("b/1.mp4")]) == []
    with pytest.raises(DfxError, match="boxes for none of the clips"):
        box_notes(boxes, [clip("x.mp4")])


def test_a_member_of_an_archive_is_named_behind_it(tmp_path: Path) -> None:
    boxes = written(tmp_path, [{**ROWS[3], "path": "1.tar/0.jpg"}], ".csv")
    assert box_notes(boxes, [clip("0.jpg", archive="1.tar")]) == []


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"x1": 0.0}, "row 2 .a/0.mp4, frame 3. is no box"),
        ({"frame": -1}, "row 2 .a/0.mp4, frame -1. is no box"),
        ({"x0": float("nan")}, "row 2 .* is no box"),
        ({"y1": None}, "row 2 .* is no box"),
        ({"score": 1.5}, "row 2 .* is no box"),
    ],
)
def test_a_row_that_is_no_box_is_named(tmp_path: Path, row: dict[str, object], told: str) -> None:
    good = {**ROWS[3], "score": 1.0}
    with pytest.raises(DfxError, match=told) as error:
        written(tmp_path, [good, {**good, "frame": 3, **row}], ".parquet")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("path,frame,x0,y0,x1\na,0,1,2,3\n", "no column y1"),
        ("path,frame,x0,y0,x1,y1,nose_x\na,0,1,2,3,4,5\n", "no column left_eye_x"),
        ("path,frame,x0,y0,x1,y1\na,0,1,2,3,four\n", "no CSV or Parquet"),
        ("", "no CSV or Parquet"),
    ],
)
def test_a_file_that_holds_no_boxes_is_refused_with_one_line(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "boxes.csv").write_text(text)
    with pytest.raises(DfxError, match=told) as error:
        load_boxes(pin(tmp_path / "boxes.csv"))
    assert "\n" not in str(error.value)


def test_a_file_that_has_changed_since_it_was_named_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "boxes.csv"
    path.write_text("path,frame,x0,y0,x1,y1\na,0,1,2,3,4\n")
    pinned = pin(path)
    path.write_text("path,frame,x0,y0,x1,y1\nb,10,1,2,3,4\n")
    with pytest.raises(DfxError, match="has changed"):
        load_boxes(pinned)
    with pytest.raises(DfxError, match="cannot be read"):
        pin(tmp_path / "none.csv")
