"""`dfx sample` on the terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cli.sample import sample
from dataengine.errors import DfxError

app = typer.Typer()
app.command()(sample)
TINY = ["--clips", "2", "--frames", "2", "--size", "160x120", "--workers", "0"]


def test_json_has_the_settings_and_the_counts(tmp_path: Path) -> None:
    root, out = tmp_path / "celeb", tmp_path / "result.json"
    done = CliRunner().invoke(app, ["celeb-df", "--root", str(root), *TINY, "--json", str(out)])
    assert done.exit_code == 0, done.output
    result = json.loads(out.read_text())
    assert list(result) == [
        *("name", "clips", "frames", "width", "height", "seed", "quality", "dfd"),
        *("root", "real", "fake", "media", "written", "kept", "bytes", "seconds"),
    ]
    assert (result["real"], result["fake"], result["media"], result["written"]) == (2, 2, {"videos": 4}, 4)
    assert "next: dfx shard celeb-df --root" in done.output


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("fakeavceleb", "2 real and 10 fake clips in 12 videos"),
        ("forgerynet", "2 real and 10 fake clips in 6 videos, 6 folders of frames"),
        ("wilddeepfake", "2 real and 2 fake clips in 2 archives"),
        ("df40", "2 real and 22 fake clips in 24 folders of faces"),
    ],
)
def test_clips_are_counted_by_label_and_by_what_they_are_stored_in(name: str, says: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, [name, "--root", str(tmp_path / "x"), *TINY])
    assert says in done.output.replace("\n", " ")


def test_the_default_root_is_data_and_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["celeb-df", *TINY])
    assert (tmp_path / "data" / "celeb-df" / "List_of_testing_videos.txt").is_file()
    assert done.output.rstrip().endswith("next: dfx shard celeb-df")


def test_a_size_that_is_none_is_a_usage_error(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["ff++", "--root", str(tmp_path / "x"), "--size", "big"])
    assert done.exit_code == 2
    assert not (tmp_path / "x").exists()


def test_an_unknown_name_is_an_error_that_gives_the_known_ones(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["celebdf", "--root", str(tmp_path / "x")])
    assert isinstance(done.exception, DfxError)
    assert "celeb-df" in str(done.exception)
    known = str(CliRunner().invoke(app, ["nope", "--root", str(tmp_path / "x")]).exception)
    assert "architectures, " in known
    assert "images, " in known


def test_architectures_are_pictures_and_the_next_step_keeps_their_bytes(tmp_path: Path) -> None:
    root, out = tmp_path / "pictures", tmp_path / "result.json"
    done = CliRunner().invoke(
        app,
        [
            "architectures",
            "--root",
            str(root),
            "--clips",
            "1",
            "--weights-seed",
            "2",
            "--workers",
            "0",
            "--json",
            str(out),
        ],
    )
    assert done.exit_code == 0, done.output
    result = json.loads(out.read_text())
    assert (result["pictures"], result["weights_seed"], result["written"]) == (1, 2, len(result["classes"]))
    assert len(list(root.rglob("*.png"))) == len(result["classes"])
    assert "--faces none" in done.output


@pytest.mark.parametrize(
    ("name", "option", "value"), [("architectures", "--frames", "3"), ("celeb-df", "--weights-seed", "1")]
)
def test_an_option_of_another_kind_of_sample_is_a_usage_error(
    name: str, option: str, value: str, tmp_path: Path
) -> None:
    done = CliRunner().invoke(app, [name, "--root", str(tmp_path / "x"), option, value])
    assert done.exit_code == 2
    assert not (tmp_path / "x").exists()
