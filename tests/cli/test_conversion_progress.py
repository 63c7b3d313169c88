"""What a conversion shows: its pace, lines in a log file, events in a JSON log."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.conversion_progress import LINE_EVERY_S, ConversionProgress, Pace, shown_time
from cli.event_log import EventLog
from dataengine.convert import ClipDone, Start
from dataengine.errors import DfxError
from dataengine.executors import Slow
from dataengine.layouts import scan
from dataengine.layouts.scan import ScanOptions
from dataengine.plan import ConvertSettings, Plan, make_plan
from dataengine.records import ClipReport
from dataengine.splits import derive


@pytest.fixture
def plan(image_tree: Path) -> Plan:
    clips = derive(scan("folder", image_tree, ScanOptions()).clips, 0)
    return make_plan(clips, ConvertSettings())


def walk(shown: ConversionProgress, plan: Plan, root: Path, seconds: list[float], step: float) -> None:
    """A conversion whose every clip takes `step` seconds of the clock; the first one fails."""
    shown.on_start(Start(root, Path("out"), plan, plan.shards))
    clips = [clip for shard in plan.shards for clip in shard.clips]
    for number, clip in enumerate(clips):
        seconds[0] += step
        report = ClipReport(status="ok" if number else "failed", reason="" if number else "empty")
        shown.on_clip(ClipDone(clip, report, len(clips)))


def test_the_time_left_follows_the_bytes_that_are_done() -> None:
    pace = Pace(clips=10, failed=2, bytes=50_000_000, of_clips=20, of_bytes=200_000_000, seconds=25)
    assert pace.left_s == 75
    assert str(pace) == "0.4 clips/s, 2.0 MB/s, 2 failed, 1 min left"
    assert Pace(clips=10, of_clips=20, seconds=25).left_s == 25  # no sizes are known
    assert Pace(of_clips=20).left_s is None


@pytest.mark.parametrize(
    ("seconds", "text"), [(40, "40 s"), (720, "12 min"), (3900, "1 h 05 min"), (2 * 86400 + 3 * 3600, "2 days 3 h")]
)
def test_times_are_shown_as_people_say_them(seconds: float, text: str) -> None:
    assert shown_time(seconds) == text


def test_a_log_file_gets_a_line_every_half_minute(
    plan: Plan, image_tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seconds = [0.0]
    with ConversionProgress("Converting mini", clock=lambda: seconds[0]) as shown:
        walk(shown, plan, image_tree, seconds, LINE_EVERY_S / 4)
    first, *lines = capsys.readouterr().out.splitlines()
    assert first.startswith("Converting mini: 36 clips of ")
    assert len(lines) == 9
    assert lines[0].startswith("Converting mini: 4 of 36 clips, 0.1 clips/s, 0.0 MB/s, 1 failed, ")


def test_a_quiet_conversion_says_nothing(plan: Plan, image_tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seconds = [0.0]
    with ConversionProgress("Converting mini", quiet=True, clock=lambda: seconds[0]) as shown:
        walk(shown, plan, image_tree, seconds, LINE_EVERY_S)
        shown.say("about 12 GB")
    assert capsys.readouterr() == ("", "")


def test_a_stopped_conversion_says_so_in_its_log(plan: Plan, image_tree: Path, tmp_path: Path) -> None:
    log = tmp_path / "logs" / "run.jsonl"
    with pytest.raises(KeyboardInterrupt), ConversionProgress("Converting mini", log=log) as shown:  # noqa: PT012
        walk(shown, plan, image_tree, [0.0], 1)
        raise KeyboardInterrupt
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert [event["event"] for event in events] == ["start", "clip failed", *["clip done"] * 35, "stopped"]
    assert events[1]["reason"] == "empty"
    assert (events[-1]["reason"], events[-1]["clips_done"], events[-1]["clips_failed"]) == ("KeyboardInterrupt", 36, 1)
    assert all(event["time"].endswith("+00:00") for event in events)


def test_what_takes_long_is_said_and_logged_with_who_works_on_it(
    plan: Plan, image_tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = plan.shards[0].clips[0]
    with ConversionProgress("Converting mini", log=tmp_path / "log") as shown:
        shown.on_slow(Slow(shard="train-000000.tar", clip=clip, process="process 7", seconds=121.3))
        shown.on_slow(Slow(shard="train-000000.tar", clip=None, process="process 7 on n1", seconds=3900))
    assert capsys.readouterr().out.splitlines() == [
        f"{clip.first} has been worked on for 2 min by process 7",
        "train-000000.tar has been written for 1 h 05 min by process 7 on n1",
    ]
    first, second = (json.loads(line) for line in (tmp_path / "log").read_text().splitlines())
    about = {"event": "clip slow", "path": clip.first, "shard": "train-000000.tar", "process": "process 7"}
    assert {**about, "seconds": 121}.items() <= first.items()
    assert (second["event"], second["seconds"]) == ("shard slow", 3900)


def test_a_log_goes_on_behind_half_a_line_of_a_killed_run(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text('{"event": "start"}\n{"event": "clip do')
    log = EventLog(path)
    log.write("start", root="\udcff")
    *_, torn, last = path.read_text().splitlines()  # written though the log is still open
    log.close()
    assert torn == '{"event": "clip do'
    assert (json.loads(last)["event"], json.loads(last)["root"]) == ("start", "\udcff")


def test_a_log_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(DfxError, match=r"--log .* cannot be written \(Is a directory\); name another file"):
        EventLog(tmp_path)
