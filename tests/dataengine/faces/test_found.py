from __future__ import annotations

import pyarrow as pa
import pytest

from dataengine.faces.found import FaceShare, face_bias, faces_found
from dataengine.records import CLIPS_SCHEMA


def clips(*groups: tuple[str, str, int, int, int]) -> pa.Table:
    """Clips of groups (method, split, clips, frames with a face, frames without), each of another person."""
    rows = [
        {
            "clip": f"{method}/{split}/{n}",
            "target_id": f"{split}/{n}",
            "method": method,
            "label": int(method != "real"),
            "split": split,
            "frames_with_face": with_face,
            "faces_missing": missing,
        }
        for method, split, count, with_face, missing in groups
        for n in range(count)
    ]
    return pa.Table.from_pylist(rows, schema=CLIPS_SCHEMA)


def test_faces_are_counted_by_method_and_split_real_first() -> None:
    table = clips(("Deepfakes", "train", 2, 6, 2), ("real", "test", 1, 8, 0), ("real", "train", 3, 8, 0))
    assert faces_found(table) == [
        FaceShare(method="real", split="train", clips=3, frames_looked=24, frames_with_face=24),
        FaceShare(method="real", split="test", clips=1, frames_looked=8, frames_with_face=8),
        FaceShare(method="Deepfakes", split="train", clips=2, frames_looked=16, frames_with_face=12),
    ]
    assert faces_found(table)[2].share == 0.75


def test_clips_in_which_no_face_was_looked_for_do_not_count() -> None:
    table = clips(("real", "train", 3, 0, 0))
    assert faces_found(table) == []
    assert face_bias(table) is None
    assert face_bias(clips(("real", "train", 30, 8, 0), ("Deepfakes", "train", 30, 0, 0))) is None


def test_a_detector_that_finds_fewer_faces_in_fakes_is_told() -> None:
    table = pa.concat_tables(
        [clips(("real", "train", 20, 8, 0)), clips(("A", "train", 10, 8, 0), ("B", "test", 10, 4, 4))]
    )
    line = face_bias(table)
    assert line is not None
    assert "100.0% of a real person's frames, 75.0% of a fake's" in line
    assert "\n" not in line


@pytest.mark.parametrize(
    "groups",
    [
        [("real", "train", 20, 8, 0), ("A", "train", 20, 8, 0)],
        [("real", "train", 20, 8, 0), ("A", "train", 18, 8, 0), ("A", "test", 2, 7, 1)],  # so much is chance
        [("real", "train", 2, 8, 0), ("A", "train", 2, 4, 4)],  # two people prove nothing
        [("real", "train", 20, 7, 1)],
    ],
)
def test_what_chance_may_do_is_not_told(groups) -> None:
    assert face_bias(clips(*groups)) is None


def test_many_clips_of_one_person_prove_no_more_than_one() -> None:
    table = clips(("real", "train", 40, 8, 0), ("A", "train", 40, 4, 4))
    assert face_bias(table) is not None
    one = table.set_column(table.schema.get_field_index("target_id"), "target_id", pa.array(["one"] * 80))
    assert face_bias(one) is None
