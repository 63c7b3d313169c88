"""`--log`: what happens in a long command, one JSON object a line, for batch systems."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from dataengine.errors import DfxError


class EventLog:
    """A file that events are appended to, each with its time and written at once; an earlier run's file goes on.

    Raises DfxError where it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: IO[bytes] = path.open("a+b", buffering=0)
            if self._file.tell():
                self._file.seek(-1, 2)
                if self._file.read(1) != b"\n":
                    self._file.write(b"\n")  # a killed run may leave half a line
        except OSError as error:
            raise self._refused(error) from None

    def write(self, event: str, **about: Any) -> None:
        """One line: {"time": UTC, "event": event, ...}."""
        line = json.dumps({"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **about})
        try:
            self._file.write(line.encode() + b"\n")
        except OSError as error:
            raise self._refused(error) from None

    def close(self) -> None:
        """No more will come."""
        self._file.close()

    def _refused(self, error: OSError) -> DfxError:
        return DfxError(f"--log {self._path} cannot be written ({error.strerror}); name another file")
