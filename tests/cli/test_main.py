"""What every command ends with."""

from __future__ import annotations

import sys

import pytest

from cli import main


@pytest.mark.parametrize(("command", "resumes"), [("shard", False), ("eval", False), ("train", True), ("tune", True)])
def test_an_interrupted_command_says_how_it_goes_on(
    command: str, resumes: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> None:
        raise SystemExit(130)  # what typer makes of Ctrl-C

    monkeypatch.setattr(sys, "argv", ["dfx", command])
    monkeypatch.setattr(main, "app", interrupted)
    with pytest.raises(SystemExit):
        main.main()
    said = capsys.readouterr().err
    assert "what is finished is kept: run it again" in said
    assert ("--resume" in said) == resumes
