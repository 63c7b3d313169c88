"""What a conversion shows while it runs: a bar on a terminal, else a line now and then; and events in a JSON log."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Column

from cli.console import console, errors
from cli.event_log import EventLog
from cli.termination import TerminatedError
from dataengine.errors import DfxError, printable
from dataengine.forecast import shown_bytes
from dataengine.version import VERSION

if TYPE_CHECKING:
    from dataengine.convert import ClipDone, Start
    from dataengine.executors import Slow
    from dataengine.plan import ShardPlan

LINE_EVERY_S = 30.0
"""Where the output is no terminal: often enough to see that a job lives, 3,000 lines a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How far a conversion is."""

    clips: int = 0
    """Done by this run."""
    failed: int = 0
    bytes: int = 0
    """Of the source files of the clips that are done."""
    of_clips: int = 0
    of_bytes: int = 0
    seconds: float = 0.0

    @property
    def left_s(self) -> float | None:
        """Seconds to go at the pace of this run, by bytes where sizes are known; None before the first clip."""
        done, total = (self.bytes, self.of_bytes) if self.bytes else (self.clips, self.of_clips)
        return self.seconds * (total / done - 1) if done else None

    def __str__(self) -> str:
        """Such as "3.2 clips/s, 41.0 MB/s, 2 failed, 1 h 05 min left"."""
        seconds = max(self.seconds, 1e-3)
        said = [f"{self.clips / seconds:,.1f} clips/s", f"{self.bytes / 1e6 / seconds:,.1f} MB/s"]
        if self.failed:
            said.append(f"{self.failed:,} failed")
        if self.left_s is not None:
            said.append(f"{shown_time(self.left_s)} left")
        return ", ".join(said)


def shown_time(seconds: float) -> str:
    """Seconds as people read them: 40 s, 12 min, 1 h 05 min, 2 days 3 h."""
    minutes = round(seconds / 60)
    if seconds < 60:
        return f"{seconds:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes // 1440} days {minutes % 1440 // 60} h"


class ConversionProgress:
    """Hears of a conversion (`on_start`, `on_clip`, `on_shard`, `on_slow`) and shows it; a context manager.

    Within it SIGTERM raises TerminatedError in the main thread, so that worker processes are ended; it is told first.
    """

    def __init__(
        self,
        what: str,
        *,
        quiet: bool = False,
        log: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._what = what
        self._quiet = quiet
        self._log = EventLog(log) if log else None
        self._clock = clock
        self._began = self._lined = clock()
        self._pace = Pace()
        self._has_ended = False
        """By SIGTERM."""
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            # It takes what is left of the line, so that a long note is cut off and the bar stays whole.
            TextColumn("{task.fields[note]}", markup=False, table_column=Column(ratio=1, no_wrap=True)),
        )
        self._bar = Progress(*columns, console=console, disable=quiet or not console.is_terminal, expand=True)
        self._task = self._bar.add_task(what, total=None, note="")

    def __enter__(self) -> Self:
        self._sigterm = signal.signal(signal.SIGTERM, self._on_sigterm)
        self._bar.start()
        return self

    def _on_sigterm(self, number: int, frame: FrameType | None) -> None:
        self._has_ended = True
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one would break off the tidying up
        if self._log:  # now: a process that hangs may keep this one from its end until it is killed
            self._log.write("stopped", reason=self._terminated(), **self._counts())
        raise TerminatedError

    def _terminated(self) -> str:
        done = f"{self._pace.clips:,} of {self._pace.of_clips:,} clips"
        return f"ended by SIGTERM after {done}; finished shards are kept, the same command goes on"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGTERM, self._sigterm)
        self._bar.stop()
        if self._log:
            if error is not None and not self._has_ended:
                self._log.write("stopped", reason=str(error) or type(error).__name__, **self._counts())
            self._log.close()
        if self._has_ended:
            errors.print(self._terminated())
            raise TerminatedError from None  # Ray makes another SystemExit of one that is raised while it waits

    def say(self, line: str) -> None:
        """A line for the user, unless --quiet."""
        if not self._quiet:
            self._bar.console.print(line, soft_wrap=True)

    def on_start(self, start: Start, **about: Any) -> None:
        """The plan is known; `about` goes into the log's line too."""
        clips = [clip for shard in start.pending for clip in shard.clips]
        self._pace = Pace(of_clips=len(clips), of_bytes=sum(clip.source_bytes for clip in clips))
        self._began = self._lined = self._clock()
        self._bar.update(self._task, total=len(clips))
        if clips and not console.is_terminal:
            self.say(f"{self._what}: {len(clips):,} clips of {shown_bytes(self._pace.of_bytes)}")
        if self._log:
            shards = {"shards": len(start.plan.shards), "shards_standing": len(start.plan.shards) - len(start.pending)}
            size = {"clips": len(clips), "source_bytes": self._pace.of_bytes}
            self._log.write("start", dfx=VERSION, root=str(start.root), **shards, **size, **about)

    def on_clip(self, done: ClipDone) -> None:
        """One more clip is done or has failed."""
        failed = done.report.status == "failed"
        clips, size = self._pace.clips + 1, self._pace.bytes + done.clip.source_bytes
        self._pace = Pace(
            clips=clips,
            failed=self._pace.failed + failed,
            bytes=size,
            of_clips=max(self._pace.of_clips, clips),  # a shard with failed clips is written again
            of_bytes=max(self._pace.of_bytes, size),
            seconds=self._clock() - self._began,
        )
        self._bar.update(self._task, completed=clips, total=self._pace.of_clips, note=str(self._pace))
        if not console.is_terminal and self._clock() - self._lined >= LINE_EVERY_S:
            self._lined = self._clock()
            self.say(f"{self._what}: {clips:,} of {self._pace.of_clips:,} clips, {self._pace}")
        if self._log:
            about = {"reason": done.report.reason, "frames": done.report.frames_found}
            event = "clip failed" if failed else "clip done"
            self._log.write(event, path=done.clip.first, source_bytes=done.clip.source_bytes, **about)

    def on_shard(self, shard: ShardPlan) -> None:
        """One more shard stands."""
        if self._log:
            self._log.write("shard written", shard=shard.shard, clips=len(shard.clips))

    def on_slow(self, slow: Slow) -> None:
        """A clip, or the files of a shard, are worked on for long."""
        name, doing = (slow.clip.first, "worked on") if slow.clip else (slow.shard, "written")
        self.say(f"{printable(name)} has been {doing} for {shown_time(slow.seconds)} by {slow.process}")
        if self._log:
            about = {"path": slow.clip.first} if slow.clip else {}
            with suppress(DfxError):  # the next event says that the log cannot be written
                self._log.write(
                    "clip slow" if slow.clip else "shard slow",
                    **about,
                    shard=slow.shard,
                    process=slow.process,
                    seconds=round(slow.seconds),
                )

    def finished(self, **about: Any) -> None:
        """The store is whole; `about` goes into the log's last line."""
        if self._log:
            self._log.write("finished", **self._counts(), **about)

    def _counts(self) -> dict[str, Any]:
        return {"clips_done": self._pace.clips, "clips_failed": self._pace.failed}
