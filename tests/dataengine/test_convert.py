"""From a tree to a store: readable by others, resumable, and clear about what is wrong."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import random
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
import webdataset

from dataengine.convert import ClipDone, convert
from dataengine.errors import StoreError
from dataengine.executors import HERE, Executor, Processes
from dataengine.layouts.scan import ScanOptions
from dataengine.plan import ConvertSettings
from dataengine.settings import ExtractSettings
from dataengine.store import Store, open_store
from dataengine.whole import disk_full_is_clear
from tests.dataengine.made import jpeg, made_rows, picture

KILLS = 10
SETTINGS = ConvertSettings(extract=ExtractSettings(faces="none"), shard_samples=6)


def run(tree: Path | str, out: Path | str, settings: ConvertSettings = SETTINGS, **more: object) -> Store:
    return convert("folder", tree, out, settings, ScanOptions(), **more).store  # type: ignore[arg-type]


def digests(out: Path) -> dict[str, str]:
    """sha256 of every file whose bytes are promised (clips.parquet holds decode times)."""
    names = [*out.glob("*.tar"), *out.glob("*.idx"), out / "index.parquet", out / "shards.parquet"]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in names}


def test_webdataset_alone_finds_every_sample(mini_store: Store) -> None:
    urls = sorted(str(path) for path in mini_store.root.glob("*.tar"))
    found = {sample["__key__"]: sample for sample in webdataset.WebDataset(urls, shardshuffle=False)}
    index = mini_store.index().to_pylist()
    assert set(found) == {row["key"] for row in index}
    assert all(simplejpeg.is_jpeg(sample["jpg"]) and sample["json"] for sample in found.values())


def test_the_index_gives_every_image_at_its_offset(mini_store: Store) -> None:
    for row in mini_store.index().to_pylist():
        tar = mini_store.shard_path(row["shard"])
        with tarfile.open(tar) as archive:
            member = archive.extractfile(f"{row['key']}.{row['ext']}")
            assert member is not None
            assert tar.read_bytes()[row["offset"] : row["offset"] + row["size"]] == member.read()


def test_images_that_are_not_cropped_keep_their_bytes(mini_store: Store, image_tree: Path) -> None:
    kept = {path.read_bytes() for path in image_tree.rglob("*.jpg")}
    stored = set()
    for row in mini_store.index().to_pylist():
        data = mini_store.shard_path(row["shard"]).read_bytes()
        stored.add(data[row["offset"] : row["offset"] + row["size"]])
    assert stored == kept


@pytest.mark.skipif(sys.platform != "linux", reason="DALI exists for Linux alone")
def test_dali_reads_the_store_with_our_index(mini_store: Store) -> None:
    from nvidia.dali import fn, pipeline_def

    tars = sorted(str(path) for path in mini_store.root.glob("*.tar"))
    total = mini_store.index().num_rows

    @pipeline_def(batch_size=total, num_threads=1, device_id=None)
    def reader():  # type: ignore[no-untyped-def]
        return tuple(
            fn.readers.webdataset(
                paths=tars, index_paths=[tar.replace(".tar", ".idx") for tar in tars], ext=["jpg", "json"]
            )
        )

    pipeline = reader()
    pipeline.build()
    jpegs, texts = pipeline.run()
    expected = {
        bytes(sample["jpg"]): bytes(sample["json"]) for sample in webdataset.WebDataset(tars, shardshuffle=False)
    }
    assert {bytes(jpegs.at(n)): bytes(texts.at(n)) for n in range(total)} == expected


def test_the_bytes_do_not_depend_on_the_number_of_workers(image_tree: Path, tmp_path: Path) -> None:
    run(image_tree, tmp_path / "one")
    run(image_tree, tmp_path / "two", executor=Processes(2))
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


def test_no_temporary_file_is_left(mini_store: Store) -> None:
    suffixes = {path.suffix for path in mini_store.root.rglob("*")}
    assert suffixes == {".tar", ".idx", ".parquet", ".json"}


def test_a_run_killed_at_random_moments_ends_in_the_same_bytes(image_tree: Path, tmp_path: Path) -> None:
    run(image_tree, tmp_path / "whole")
    code = (
        "import sys; from pathlib import Path; from dataengine.convert import convert;"
        "from dataengine.executors import executor_of;"
        "from dataengine.settings import ExtractSettings; from dataengine.layouts.scan import ScanOptions;"
        "from dataengine.plan import ConvertSettings;"
        "s = ConvertSettings(extract=ExtractSettings(faces='none'), shard_samples=6);"
        "e = executor_of(workers=int(sys.argv[3]));"
        "convert('folder', Path(sys.argv[1]), Path(sys.argv[2]), s, ScanOptions(), executor=e,"
        "on_clip=lambda done: print('clip', flush=True))"
    )
    rng = random.Random(7)
    out, kills, rounds = tmp_path / "killed-0", 0, 0
    expected = digests(tmp_path / "whole")
    while kills < KILLS:
        command = [sys.executable, "-c", code, str(image_tree), str(out), "0" if kills % 4 else "2"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        for _ in range(rng.randrange(12)):  # clips to let pass, then a moment within the next one
            process.stdout.readline()
        time.sleep(rng.random() * 0.01)
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
        process.stdout.close()
        if (out / "dataset.json").exists():
            assert digests(out) == expected
            rounds += 1
            out = tmp_path / f"killed-{rounds}"
    run(image_tree, out)
    assert digests(out) == expected
    assert open_store(out).fingerprint == open_store(tmp_path / "whole").fingerprint


def test_a_finished_store_is_left_alone(image_tree: Path, tmp_path: Path) -> None:
    run(image_tree, tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    again = convert("folder", image_tree, tmp_path / "out", SETTINGS, ScanOptions())
    assert again.written == 0
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()} == before


def test_a_missing_tar_of_a_finished_store_is_written_anew_as_it_was(image_tree: Path, tmp_path: Path) -> None:
    run(image_tree, tmp_path / "out")
    before = digests(tmp_path / "out")
    (tmp_path / "out/train-000001.tar").unlink()
    assert convert("folder", image_tree, tmp_path / "out", SETTINGS, ScanOptions()).written == 1
    assert digests(tmp_path / "out") == before


def test_an_out_that_holds_another_store_is_refused_and_says_what_differs(image_tree: Path, tmp_path: Path) -> None:
    run(image_tree, tmp_path / "out")
    other = ConvertSettings(extract=ExtractSettings(faces="none"), shard_samples=6, seed=1)
    with pytest.raises(StoreError, match=r"holds another store \(seed 0, not 1\); choose another --out"):
        run(image_tree, tmp_path / "out", other)


def test_a_store_of_another_form_or_name_says_so_before_its_clips_are_counted(image_tree: Path, tmp_path: Path) -> None:
    run(image_tree, tmp_path / "out")
    tree = Path(shutil.copytree(image_tree, tmp_path / "mini"))
    shutil.copy(next(tree.rglob("*.jpg")), tree / "real/new.jpg")
    with pytest.raises(StoreError, match=rf"\(--name {image_tree.name} there, --name yours here\); choose another"):
        convert("folder", tree, tmp_path / "out", SETTINGS, ScanOptions(name="yours"))


def test_a_tree_that_has_grown_is_another_store(image_tree: Path, tmp_path: Path) -> None:
    tree = Path(shutil.copytree(image_tree, tmp_path / "mini"))
    run(tree, tmp_path / "out")
    shutil.copy(next(tree.rglob("*.jpg")), tree / "real/new.jpg")
    with pytest.raises(StoreError, match="made from 36 clips, where the tree now has 37"):
        run(tree, tmp_path / "out")


def test_an_out_with_other_files_is_refused_and_kept(image_tree: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.tex").write_text("mine")
    with pytest.raises(StoreError, match="is not empty and holds no store"):
        run(image_tree, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.tex"]


def test_a_second_run_on_the_same_out_is_refused(image_tree: Path, tmp_path: Path) -> None:
    refused = []

    def on_clip(done: ClipDone) -> None:
        if not refused:
            with pytest.raises(StoreError, match="another run is writing") as caught:
                run(image_tree, tmp_path / "out")
            refused.append(caught)

    run(image_tree, tmp_path / "out", on_clip=on_clip)
    assert refused


def test_a_run_that_is_refused_takes_nothing_from_the_one_that_mends_a_finished_store(
    image_tree: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    before = (run(image_tree, out), digests(out))[1]
    for tar in out.glob("*.tar"):
        tar.unlink()
    refused = []

    def on_clip(done: ClipDone) -> None:
        if not refused:
            with pytest.raises(StoreError, match="another run is writing") as caught:
                run(image_tree, out)
            refused.append(caught)

    run(image_tree, out, on_clip=on_clip)
    assert refused
    assert digests(out) == before


def test_a_store_in_the_datasets_own_folder_can_be_taken_up_and_is_recognised(tmp_path: Path) -> None:
    tree, settings = tmp_path / "tree", ConvertSettings(extract=ExtractSettings(faces="none"), shard_samples=1)
    made_rows(tmp_path, [jpeg(picture(i)) for i in range(4)])

    def stop(_: object) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        run(tree, tree / "shards", settings, on_shard=stop)
    run(tree, tree / "shards", settings)
    again = convert("folder", tree, tree / "shards", settings, ScanOptions())
    assert (again.written, again.store.clips().num_rows) == (0, 4)


@pytest.fixture
def damaged_tree(image_tree: Path, tmp_path: Path) -> Path:
    tree = Path(shutil.copytree(image_tree, tmp_path / "damaged"))
    for name, data in (
        ("empty", b""),
        ("text", b"this is no image"),
        ("cut", next(tree.rglob("*.jpg")).read_bytes()[:90]),
    ):
        (tree / f"real/{name}.jpg").write_bytes(data)
    return tree


def test_unreadable_clips_are_recorded_with_their_reason_and_the_rest_goes_on(
    damaged_tree: Path, tmp_path: Path
) -> None:
    store = run(damaged_tree, tmp_path / "out")
    failed = {row["path"]: row["reason"] for row in store.clips().to_pylist() if row["status"] == "failed"}
    assert set(failed) == {"real/empty.jpg", "real/text.jpg", "real/cut.jpg"}
    assert all(reason and "\n" not in reason for reason in failed.values())
    assert store.index().num_rows == 36 * 3


@pytest.mark.parametrize("executor", [HERE, Processes(2)])
def test_max_failures_stops_a_hopeless_run_and_it_can_be_taken_up(
    damaged_tree: Path, tmp_path: Path, executor: Executor
) -> None:
    with pytest.raises(StoreError, match=r"2 clips failed, more than --max-failures 1 \(first: real/"):
        run(damaged_tree, tmp_path / "out", max_failures=1, executor=executor)
    with pytest.raises(StoreError, match="is not finished"):
        open_store(tmp_path / "out")
    assert run(damaged_tree, tmp_path / "out", max_failures=3).clips().num_rows == 39


def test_a_tree_of_which_nothing_can_be_read_stores_nothing(tmp_path: Path) -> None:
    (tmp_path / "tree/real").mkdir(parents=True)
    (tmp_path / "tree/real/a.mp4").write_bytes(b"")
    with pytest.raises(StoreError, match="none of 1 clips could be read"):
        run(tmp_path / "tree", tmp_path / "out")
    with pytest.raises(StoreError, match="is not finished"):
        open_store(tmp_path / "out")


def test_names_longer_than_a_tar_header_are_kept_whole(tmp_path: Path) -> None:
    buffer = io.BytesIO(simplejpeg.encode_jpeg(np.zeros((16, 16, 3), np.uint8), 90))
    folder = tmp_path / "tree/real" / ("x" * 120) / ("y" * 120)
    folder.mkdir(parents=True)
    (folder / "1.jpg").write_bytes(buffer.getvalue())
    store = run(tmp_path / "tree", tmp_path / "out")
    (sample,) = webdataset.WebDataset([str(path) for path in store.root.glob("*.tar")], shardshuffle=False)
    assert sample["__key__"] == store.index().column("key")[0].as_py()
    assert sample["jpg"] == buffer.getvalue()


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (errno.ENOSPC, "no space left for .*; free some and run the same command again"),
        (
            errno.EFBIG,
            "grew beyond what its file system or `ulimit -f` allows; raise that, or give a smaller --shard-samples",
        ),
        (errno.EROFS, "cannot be written to .*; choose another --out"),
    ],
)
def test_what_the_system_refuses_to_write_is_one_clear_line(tmp_path: Path, code: int, message: str) -> None:
    with pytest.raises(StoreError, match=message), disk_full_is_clear(tmp_path):
        raise OSError(code, os.strerror(code))


def test_clips_that_failed_are_tried_again_once_they_are_mended(damaged_tree: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="2 clips failed"):
        run(damaged_tree, tmp_path / "out", max_failures=1)
    good = next(damaged_tree.rglob("000/*.jpg"))
    for name in ("empty", "text", "cut"):
        shutil.copy(good, damaged_tree / f"real/{name}.jpg")
    statuses = run(damaged_tree, tmp_path / "out").clips().column("status").to_pylist()
    assert set(statuses) == {"ok"}


def test_running_again_does_not_wear_out_max_failures(damaged_tree: Path, tmp_path: Path) -> None:
    for _ in range(3):
        with pytest.raises(StoreError, match="2 clips failed, more than --max-failures 1"):
            run(damaged_tree, tmp_path / "out", max_failures=1)


def test_other_files_under_the_same_names_are_no_finished_store(image_tree: Path, tmp_path: Path) -> None:
    tree = Path(shutil.copytree(image_tree, tmp_path / "mini"))
    run(tree, tmp_path / "out")
    changed = next(tree.rglob("*.jpg"))
    changed.write_bytes(changed.read_bytes() + b"more")
    with pytest.raises(StoreError, match="has changed since"):
        run(tree, tmp_path / "out")


@pytest.mark.parametrize("table", ["index.parquet", "clips.parquet", "shards.parquet"])
def test_a_missing_table_is_restored_by_the_same_command(image_tree: Path, tmp_path: Path, table: str) -> None:
    run(image_tree, tmp_path / "out")
    before = digests(tmp_path / "out")
    (tmp_path / "out" / table).unlink()
    run(image_tree, tmp_path / "out")
    assert digests(tmp_path / "out") == before


def test_a_damaged_table_is_restored_by_the_same_command(image_tree: Path, tmp_path: Path) -> None:
    run(image_tree, tmp_path / "out")
    before = digests(tmp_path / "out")
    table = tmp_path / "out" / "index.parquet"
    data = bytearray(table.read_bytes())
    data[200] ^= 1  # it can still be read
    table.write_bytes(data)
    run(image_tree, tmp_path / "out")
    assert digests(tmp_path / "out") == before


def test_what_a_layout_leaves_aside_is_noted(image_tree: Path, tmp_path: Path) -> None:
    shutil.copytree(image_tree, tree := tmp_path / "tree")
    (tree / "loose.mp4").touch()
    note = "1 other videos and images below the root are in no clip (first: loose.mp4)"
    assert note in run(tree, tmp_path / "noted").meta["notes"]
    assert note not in run(image_tree, tmp_path / "plain").meta["notes"]
