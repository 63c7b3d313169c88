from __future__ import annotations

import os
import signal
import sys

import pytest

from cli.termination import TerminatedError, terminating


@pytest.mark.parametrize("way", ["own", "Ray's"])
def test_sigterm_ends_in_one_line_and_the_conventional_status(way: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGTERM)
    ended: list[str] = []

    def work() -> None:
        with terminating("what is finished is kept"):
            try:
                if way == "own":
                    os.kill(os.getpid(), signal.SIGTERM)
                sys.exit(signal.SIGTERM)  # Ray's handler does this while Ray starts
            finally:
                ended.append("tidily")

    with pytest.raises(TerminatedError) as error:
        work()
    assert error.value.code == 143
    assert capsys.readouterr().err == "what is finished is kept\n"
    assert ended == ["tidily"]
    assert signal.getsignal(signal.SIGTERM) == before


def test_another_end_says_nothing_of_sigterm(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as error, terminating("what is finished is kept"):
        sys.exit(1)
    assert error.value.code == 1
    assert capsys.readouterr().err == ""
