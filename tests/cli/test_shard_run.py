"""`dfx shard`: checking, forecasting, logs; what cannot fit."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from dataengine.convert import convert
from dataengine.errors import DfxError, LayoutError
from dataengine.layouts.scan import ScanOptions
from dataengine.plan import ShardPlan
from tests.conftest import UNTOUCHED

WHOLE = ("--faces", "none", "--workers", "0", "--shard-samples", "24")


def shard(*arguments: object) -> str:
    found = CliRunner().invoke(app, ["shard", "folder", *map(str, arguments)], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.output


def files(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*")}


def test_check_says_what_is_there_and_writes_nothing(
    image_tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = files(image_tree)
    said = shard("--root", image_tree, "--check", "--out", tmp_path / "out", "--log", tmp_path / "log")
    assert "36 clips (12 real, 24 fake) in 108 files" in said
    assert "nothing was written. It can be converted: dfx shard folder" in said
    assert files(image_tree) == before
    assert list(tmp_path.iterdir()) == []


def test_check_names_the_command_that_converts_with_all_that_was_given(image_tree: Path, tmp_path: Path) -> None:
    given = ["--root", image_tree, "--name", "my set", "--frames", 8, "--align"]
    said = shard(*given, "--check", "--json", tmp_path / "found.json")
    command = f"dfx shard folder --root {image_tree} --name 'my set' --frames 8 --align"
    assert said.splitlines()[-1].endswith(f"It can be converted: {command}")


def test_check_writes_all_it_found_where_json_asks_for_it(image_tree: Path, tmp_path: Path) -> None:
    shard("--root", image_tree, "--check", "--json", tmp_path / "found.json")
    found = json.loads((tmp_path / "found.json").read_text())
    assert (found["clips"], found["labels"], found["differences"]) == (36, {"real": 12, "fake": 24}, 0)
    assert {group["raw_method"]: group["clips"] for group in found["groups"]} == {
        "real": 12,
        "Deepfakes": 12,
        "FaceSwap": 12,
    }


def test_check_refuses_a_tree_that_could_not_be_converted(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match="is no folder tree"):
        shard("--root", tmp_path, "--check")


def test_a_conversion_is_foretold_logged_and_taken_up(image_tree: Path, tmp_path: Path) -> None:
    out, log = tmp_path / "out", tmp_path / "log.jsonl"
    said = shard("--root", image_tree, "--out", out, "--log", log, *WHOLE)
    assert " for 108 images; " in said
    assert "Converting folder: 36 clips of " in said
    (first := next(out.glob("*.tar"))).unlink()
    assert "108 images of 36 clips" in shard("--root", image_tree, "--out", out, "--log", log, *WHOLE)
    events = [json.loads(line) for line in log.read_text().splitlines()]
    starts = [number for number, event in enumerate(events) if event["event"] == "start"]
    assert len(starts) == 2
    earlier, later = events[: starts[1]], events[starts[1] :]
    written = {event["shard"] for event in earlier if event["event"] == "shard written"}
    assert written == {path.name for path in out.glob("*.tar")}
    assert [event["shard"] for event in later if event["event"] == "shard written"] == [first.name]
    assert earlier[-1]["event"] == later[-1]["event"] == "finished"
    assert earlier[-1]["fingerprint"] == later[-1]["fingerprint"]


def test_a_run_that_is_taken_up_says_first_how_many_shards_stood(image_tree: Path, tmp_path: Path) -> None:
    def stop(shard: ShardPlan) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert("folder", image_tree, tmp_path / "out", UNTOUCHED, ScanOptions(), on_shard=stop)
    said = shard("--root", image_tree, "--out", tmp_path / "out", *WHOLE)
    assert re.match(r"1 of \d+ shards stood already\n", said)
    assert f" free where {tmp_path / 'out'} lies" in said


def test_frames_of_clips_that_failed_are_not_counted_as_left_out(image_tree: Path, tmp_path: Path) -> None:
    options = ("--boxes", one_box(image_tree, tmp_path), "--workers", 0, "--max-failures", 99)
    said = shard("--root", image_tree, "--out", tmp_path / "out", *options)
    assert "35 clips failed" in said
    assert "2 frames left out" in said


def one_box(tree: Path, folder: Path) -> Path:
    """A file of boxes with one, in the first of a clip's three images."""
    first = min(path for path in tree.rglob("*.jpg")).relative_to(tree)
    (folder / "boxes.csv").write_text(f"path,frame,x0,y0,x1,y1\n{first},0,4,4,40,40\n")
    return folder / "boxes.csv"


def test_the_log_names_each_clip_that_failed_and_why(image_tree: Path, tmp_path: Path) -> None:
    tree = Path(shutil.copytree(image_tree, tmp_path / "tree"))
    for image in (tree / "real" / "003").iterdir():
        image.write_bytes(b"")
    said = shard("--root", tree, "--out", tmp_path / "out", "--log", tmp_path / "log", "--quiet", *WHOLE)
    (line,) = said.splitlines()
    assert "105 images of 36 clips, 1 failed" in line
    events = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    (failed,) = [event for event in events if event["event"] == "clip failed"]
    assert failed["path"] == "real/003/000.jpg"
    assert "the file is empty; replace it" in failed["reason"]


SMALL_DISK = """
import subprocess, sys
from pathlib import Path
from typer import Typer
from typer.testing import CliRunner
from cli.shard import shard

Path("small").mkdir()
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", "small"], check=True)
app = Typer()
app.command()(shard)
for options in ((), ("--force",)):
    print(CliRunner().invoke(app, [*sys.argv[1:], "--out", "small/out", *options]).exception)
    print(Path("small/out").exists())
"""


@pytest.mark.skipif(
    shutil.which("unshare") is None or subprocess.run(["unshare", "-rm", "true"], check=False).returncode != 0,
    reason="no file system can be mounted here",
)
def test_what_cannot_fit_is_refused_before_a_file_is_written(image_tree: Path, tmp_path: Path) -> None:
    command = ["unshare", "-rm", sys.executable, "-c", SMALL_DISK, "folder", "--root", str(image_tree), *WHOLE]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    found = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    refused, there, full, forced = found.stdout.splitlines()
    assert "the conversion needs about" in refused
    assert refused.endswith("are free; free some, choose another --out, or go on with --force")
    assert there == "False"
    assert full.startswith("no space left for ")  # it does not fit indeed
    assert forced == "True"


@pytest.mark.parametrize("workers", ["0", "1"])
def test_sigterm_ends_a_conversion_with_its_workers_and_a_last_line_and_the_same_command_goes_on(
    image_tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: str
) -> None:
    out, log, hangs = tmp_path / "out", tmp_path / "log", tmp_path / "out" / ".parts" / "plan.json"
    given = ["folder", "--root", str(image_tree), "--out", str(out), "--log", str(log), "--workers", workers, "--quiet"]
    command = ["shard", *given, "--detector", "tests.dataengine.faces.own_detector:Hanging", "--min-face", "20"]
    root = str(Path(__file__).parents[2])
    child = subprocess.Popen(
        [sys.executable, "-c", "from cli.main import main; main()", *command],
        env={**os.environ, "PYTHONPATH": root, "HANGS_WITH": str(hangs)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    while not (log.exists() and "clip done" in log.read_text()):
        assert child.poll() is None
        time.sleep(0.05)
    child.send_signal(signal.SIGTERM)
    said = child.communicate()[0]  # its workers hold the other end of the pipe too
    *events, last = (json.loads(line) for line in log.read_text().splitlines())
    done = sum(event["event"] == "clip done" for event in events)
    line = f"ended by SIGTERM after {done} of 36 clips; finished shards are kept, the same command goes on"
    assert (child.returncode, said) == (143, line + "\n")
    assert {"event": "stopped", "reason": line, "clips_done": done, "clips_failed": 0}.items() <= last.items()
    assert not list((out / ".parts").glob("tmp-*"))
    monkeypatch.setenv("HANGS_WITH", str(tmp_path / "nowhere"))
    again = CliRunner().invoke(app, command, catch_exceptions=False)
    assert again.output.startswith(f"{out}: 108 images of 36 clips in ")


def test_a_gpu_decoder_is_refused_where_there_is_no_gpu(image_tree: Path, tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(DfxError, match="--decoder nvdec needs"):
        shard("--root", image_tree, "--out", tmp_path / "out", "--decoder", "nvdec")
    assert not (tmp_path / "out").exists()
    with pytest.raises(DfxError, match="decoder is 'gpu'; it must be one of: cpu, nvdec"):
        shard("--root", image_tree, "--out", tmp_path / "out", "--decoder", "gpu")
