"""`dfx layouts` on the terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cli import console
from cli.layouts import layouts
from dataengine.errors import DfxError
from dataengine.layouts import LAYOUTS

app = typer.Typer()
app.command()(layouts)


def test_every_layout_is_listed_with_what_it_expects(tmp_path: Path) -> None:
    out = tmp_path / "layouts.json"
    done = CliRunner().invoke(app, ["--json", str(out)])
    assert done.exit_code == 0, done.output
    results = {result["name"]: result for result in json.loads(out.read_text())}
    assert set(results) == {*LAYOUTS, "manifest --from deepfakebench"}
    for name, layout in LAYOUTS.items():
        assert f"\n{name}: " in f"\n{done.output}"
        assert (results[name]["expects"], results[name]["size"]) == (layout.expects, layout.size)


@pytest.mark.parametrize("name", [*LAYOUTS, "manifest --from deepfakebench"])
def test_every_name_that_is_listed_is_shown_whole(name: str) -> None:
    done = CliRunner().invoke(app, name.split())
    assert done.exit_code == 0, done.output
    assert done.output.startswith(f"{name}: ")


def test_fakes_alone_are_listed_with_the_dataset_of_their_reals() -> None:
    said = " ".join(CliRunner().invoke(app, []).output.split())
    assert said.count("fakes alone; reals: ff++") == 2
    assert "files of your own (folder, images, manifest)" in said


def test_a_form_without_its_layout_is_refused() -> None:
    assert "name the layout too" in str(CliRunner().invoke(app, ["--from", "deepfakebench"]).exception)


def test_no_line_is_longer_than_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console.console, "_width", 48)
    done = CliRunner().invoke(app, [])
    assert max(map(len, done.output.splitlines())) <= 48
    assert "original_sequences/ and" in done.output
    title = done.output.splitlines()[:2]
    assert title[1].startswith("      ")  # under the title, behind "ff++: "


def test_one_layout_is_shown_whole_with_its_certainty_and_published_counts(tmp_path: Path) -> None:
    out = tmp_path / "layout.json"
    done = CliRunner().invoke(app, ["celeb-df", "--json", str(out)])
    assert "5,639: Celeb-synthesis" in done.output
    assert "certainty" in done.output
    result = json.loads(out.read_text())
    assert {"where": {"split": "test"}, "clips": 518} in result["published"]
    assert (result["faces"], result["named_by_user"], result["listing"]) == ("track", False, "")


def test_an_unknown_layout_names_the_nearest() -> None:
    done = CliRunner().invoke(app, ["celebdf"])
    assert isinstance(done.exception, DfxError)
    assert "celeb-df" in str(done.exception)
