"""The run of all scripts."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

import benchmarks.gpu.__main__ as everything
from benchmarks.gpu.child import ROOT


def test_one_that_fails_is_named_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    codes = {"loader": "raise SystemExit('it broke')", "video": "print('all is well')"}
    monkeypatch.setattr(everything, "command_of", lambda name, *_: [sys.executable, "-c", codes[name]])
    assert everything.run(["loader", "video"], "cuda", None) == {"loader": "exit code 1: it broke"}
    said = capsys.readouterr().out
    assert "all is well" in said
    assert "loader failed: exit code 1: it broke" in said
    assert "1 of 2 ended well" in said


@pytest.mark.parametrize("fails", [True, False])
def test_the_exit_status_says_whether_any_failed(fails: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["gpu", "--device", "cpu", "--only", "video,demo"])
    monkeypatch.setattr(everything, "run", lambda *_: {"demo": "why"} if fails else {})
    with pytest.raises(SystemExit) as ended:
        everything.main()
    assert ended.value.code == int(fails)


def test_a_script_that_is_not_there_is_refused_with_those_that_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["gpu", "--only", "vidoe"])
    with pytest.raises(SystemExit):
        everything.main()
    assert "there is no script 'vidoe'; give some of: tests,correctness," in capsys.readouterr().err


def test_every_file_with_a_test_that_needs_a_gpu_is_run_and_no_other(tmp_path: Path) -> None:
    mark = "mark" + ".gpu"
    (tmp_path / "made.py").write_text(f"ON_DALI = [pytest.param('cuda', marks=pytest.{mark})]\n")
    (tmp_path / "test_named.py").write_text("from made import ON_DALI\n")
    (tmp_path / "test_marked.py").write_text(f"@pytest.{mark}\ndef test_it(): ...\n")
    (tmp_path / "test_other.py").write_text("def test_it(): ...\n")
    assert [path.name for path in everything.gpu_tests(tmp_path)] == ["test_marked.py", "test_named.py"]
    assert str(ROOT / "tests/dataengine/test_nvdec.py") in everything.command_of(everything.TESTS, "cuda", None, 9.0)


def test_each_script_gets_device_limit_and_folder(tmp_path: Path) -> None:
    words = everything.command_of("video", "cpu", tmp_path, 190.4)[1:]
    assert words == ["-m", "benchmarks.gpu.video", "--device", "cpu", "--limit", "190", "--out", os.fspath(tmp_path)]


def test_what_there_is_no_time_for_is_named_and_not_begun(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    limits = []
    command = [sys.executable, "-c", "print('ran')"]
    monkeypatch.setattr(everything, "command_of", lambda name, device, out, limit_s: limits.append(limit_s) or command)
    failed = everything.run(["video", "training"], "cuda", None, within_s=100.0)
    assert limits == [pytest.approx(70.0, abs=1.0)]
    assert failed["training"].endswith("s were left, and it may take 110 s")
    assert "1 of 2 ended well" in capsys.readouterr().out


def test_what_each_said_is_kept_beside_the_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(everything, "command_of", lambda *_: [sys.executable, "-c", "print('all is well')"])
    everything.run(["video"], "cuda", tmp_path / "new")
    assert (tmp_path / "new/video.log").read_text() == "all is well\n"


def test_all_scripts_are_there_and_are_given_half_an_hour_together() -> None:
    names = [name for name in everything.SCRIPTS if name != everything.TESTS]
    assert all((ROOT / f"benchmarks/gpu/{name}.py").is_file() for name in names)
    assert everything.WITHIN_S <= 1800
