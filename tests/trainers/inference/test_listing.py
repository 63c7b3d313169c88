from __future__ import annotations

from pathlib import Path

from trainers.inference.listing import TIMELINES_FILE, find_media


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_a_folder_gives_its_images_and_videos_in_sorted_order(tmp_path: Path) -> None:
    touch(tmp_path, "b/2.mp4", "b/1.JPG", "a.png", "c.mkv", "b/a/x.webp")
    found = find_media([tmp_path])
    assert [str(file.place) for file in found.files] == ["a.png", "c.mkv", "b/1.JPG", "b/2.mp4", "b/a/x.webp"]
    assert [file.media for file in found.files] == ["images", "video", "images", "video", "images"]


def test_other_files_of_a_folder_are_counted_and_hidden_ones_are_not(tmp_path: Path) -> None:
    touch(tmp_path, "a.txt", "b/c.TXT", "d", "x.jpg", ".hidden.jpg", ".git/y.jpg")
    found = find_media([tmp_path])
    assert dict(found.passed_over) == {".txt": 2, "": 1}
    assert [file.path.name for file in found.files] == ["x.jpg"]


def test_a_file_is_answered_for_once(tmp_path: Path) -> None:
    touch(tmp_path, "a/x.jpg")
    found = find_media([tmp_path / "a" / "x.jpg", tmp_path, tmp_path / "a" / ".." / "a"])
    assert [file.path for file in found.files] == [tmp_path / "a" / "x.jpg"]


def test_a_named_file_that_is_nothing_to_answer_for_is_refused_with_a_reason(tmp_path: Path) -> None:
    touch(tmp_path, "a.txt")
    found = find_media([tmp_path / "a.txt", tmp_path / "gone.mp4"])
    assert "neither an image nor a video" in found.refused[str(tmp_path / "a.txt")]
    assert found.refused[str(tmp_path / "gone.mp4")] == "no such file"


def test_timelines_that_dfx_drew_are_no_input(tmp_path: Path) -> None:
    touch(tmp_path, "x.mp4", f"predictions/{TIMELINES_FILE}", "predictions/x.mp4.png")
    assert [file.path.name for file in find_media([tmp_path]).files] == ["x.mp4"]
