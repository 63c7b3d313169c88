"""What a script on a GPU keeps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.gpu.record import Record, arguments, check_device, reason


def test_every_row_is_kept_before_the_next_is_measured(tmp_path: Path) -> None:
    record = Record("loader", "cpu", {"size": 32}, out=tmp_path)
    (record.add(threads=1, images_per_s=10.0), record.miss("the time was up", threads=2))
    (path,) = tmp_path.iterdir()
    told = json.loads(path.read_text())
    assert path.name == "gpu-loader-cpu.json"
    assert told["rows"] == [{"threads": 1, "images_per_s": 10.0}]
    assert told["not_measured"] == [{"threads": 2, "why": "the time was up"}]
    assert told["machine"]["processor"]
    assert "driver" in told["machine"]


def test_a_trial_on_a_cpu_keeps_nothing_unless_it_is_told_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("benchmarks.gpu.record.RESULTS", tmp_path)
    record = Record("loader", "cpu", {})
    record.add(threads=1)
    record.end(best=1)
    assert not list(tmp_path.iterdir())
    assert "nothing is kept" in capsys.readouterr().out


def test_no_row_is_begun_once_the_time_is_up() -> None:
    assert not Record("loader", "cpu", {}, limit_s=60).late()
    assert Record("loader", "cpu", {}, limit_s=-1).late()


def test_without_a_gpu_a_script_says_how_to_try_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(SystemExit):
        check_device(arguments(None), "cuda")
    assert "--device cpu" in capsys.readouterr().err


def test_a_result_that_could_not_be_kept_is_refused_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    for out in ("file", "file/below"):
        with pytest.raises(SystemExit):
            arguments(None).parse_args(["--out", str(tmp_path / out)])
        assert f"{out} is no folder" in capsys.readouterr().err
    assert arguments(None).parse_args(["--out", str(tmp_path / "new" / "one")]).out == tmp_path / "new" / "one"


def test_why_a_row_failed_is_one_short_line() -> None:
    assert reason(RuntimeError("backend raised:\n  no compiler\n")) == "RuntimeError: backend raised: no compiler"
    assert len(reason(RuntimeError("line\n" * 1000))) == 400
