from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from dataengine.records import clip_id
from dataengine.settings import ExtractSettings
from dataengine.store import Store
from tests.trainers.made_media import CUT, Made, convert_as, frames_of, make, wall, write_video
from trainers.checkpoint import write_weights
from trainers.inference.answer import Rejection
from trainers.inference.listing import MediaFile
from trainers.inference.media import FileAnswer, Predictor, extraction_of
from trainers.predict import predict
from trainers.run import Run, open_run


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("media"))


def ask(run: Run, path: Path, settings: ExtractSettings = CUT, rejection: Rejection | None = None) -> FileAnswer:
    media = "video" if path.suffix == ".mp4" else "images"
    return Predictor(run, settings, rejection, device="cpu")(MediaFile(path, Path(path.name), media))


def assert_as_in_the_store(run: Run, store: Path, tree: Path, files: list[Path], settings: ExtractSettings) -> None:
    table = predict(run, str(store), split=None, backend="cpu", threads=1)
    columns = [f"p_{name}" for name in run.taxonomy.classes]
    expected = {row["key"]: [row[name] for name in columns] for row in table.to_pylist()}
    assert np.ptp([p[0] for p in expected.values()]) > 1e-3  # a model that says the same of all would pass by luck
    for file in files:
        clip = clip_id(tree.name, file.relative_to(tree).as_posix())
        answered = {f"{clip}/{frame.index:06d}": frame.p for frame in ask(run, file, settings).frames}
        keys = [key for key in expected if key.startswith(f"{clip}/")]
        assert sorted(answered) == sorted(keys) != []
        assert np.abs(np.array([answered[key] for key in keys]) - [expected[key] for key in keys]).max() < 1e-6


@pytest.mark.parametrize("faces", ["track", "none"])
def test_a_frame_is_predicted_from_its_video_as_from_the_store_of_it(made: Made, tmp_path: Path, faces: str) -> None:
    settings = extraction_of(open_run(made.run.path), faces=faces).settings
    run = Run(shutil.copytree(made.run.path, tmp_path / "run"), made.run.config, made.run.result)
    store = made.store if faces == "track" else convert_as(made.tree, tmp_path / "whole", settings)
    assert_as_in_the_store(run, store, made.tree, made.videos, settings)


def test_a_whole_image_is_predicted_as_from_the_store_that_keeps_its_bytes(
    made: Made, mini_store: Store, image_tree: Path, tmp_path: Path
) -> None:
    run = Run(shutil.copytree(made.run.path, tmp_path / "run"), made.run.config, made.run.result)
    settings = extraction_of(run, faces="none").settings
    tree = tmp_path / "mini"
    tree.mkdir()
    for number, image in enumerate(sorted(image_tree.rglob("*.jpg"))[::20]):
        (tree / image.parts[-3]).mkdir(exist_ok=True)
        shutil.copy(image, tree / image.parts[-3] / f"{number}.jpg")
    store = convert_as(tree, tmp_path / "store", settings)
    assert_as_in_the_store(run, store, tree, sorted(tree.rglob("*.jpg")), settings)


def test_files_are_cut_as_the_runs_own_images_were(made: Made) -> None:
    found = extraction_of(made.run)
    assert (found.settings, found.origin) == (CUT, str(made.store.resolve()))
    assert extraction_of(made.run, faces="none", frames=9).settings == ExtractSettings(
        frames=9, faces="none", margin=1.5, size=96
    )


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ({"path": "/gone/store"}, "/gone/store cannot be read"),
        ({"fingerprint": "0" * 64}, "is another store than then"),
    ],
)
def test_without_the_runs_own_store_the_defaults_hold_and_that_is_said(
    made: Made, source: dict[str, str], told: str
) -> None:
    config = {**made.run.config, "sources": [{**made.run.config["sources"][0], **source}]}
    found = extraction_of(Run(made.run.path, config, made.run.result))
    assert found.settings == ExtractSettings()
    assert "dfx's defaults" in found.origin
    assert told in found.origin


def test_a_run_that_knows_no_store_has_the_defaults_and_that_is_said(made: Made) -> None:
    found = extraction_of(Run(made.run.path, {**made.run.config, "sources": []}, made.run.result))
    assert found.settings == ExtractSettings()
    assert found.origin == "dfx's defaults, since the run does not say what it was trained on"


def test_frames_without_the_face_are_listed_without_probabilities(made: Made, tmp_path: Path) -> None:
    shown = frames_of(made.videos[0])
    video = write_video(tmp_path / "gap.mp4", shown * 2 + [wall(shown[0])] * 24 + shown * 2, rate=10)
    found = ask(made.run, video, ExtractSettings(frames=24, detect_stride=1))
    absent = [frame.index for frame in found.frames if frame.p is None]
    assert len(found.frames) == 24
    assert len(absent) >= 6
    assert set(absent) <= set(range(24, 48))
    assert found.reason == f"no face in {len(absent)} of 24 frames"
    assert [frame.time_s for frame in found.frames] == pytest.approx([frame.index / 10 for frame in found.frames])
    assert found.answer is not None
    known = [frame.p for frame in found.frames if frame.p is not None]
    assert found.answer.p == pytest.approx(np.mean(known, axis=0))


def test_where_there_is_no_face_there_is_no_verdict(made: Made, tmp_path: Path) -> None:
    video = write_video(tmp_path / "wall.mp4", [wall(frames_of(made.videos[0])[0])] * 10)
    found = ask(made.run, video).as_dict(made.run.taxonomy.classes)
    assert (found["status"], found["reason"], found["verdict"], found["p"]) == ("no face", "no face found", None, None)
    assert [frame["p"] for frame in found["frames"]] == [None] * 5


@pytest.mark.parametrize("name", ["junk.mp4", "junk.jpg"])
def test_a_file_that_cannot_be_read_is_an_answer_of_one_line(made: Made, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"junk" * 50)
    found = ask(made.run, tmp_path / name)
    assert (found.status, found.answer, found.frames) == ("failed", None, ())
    assert found.reason
    assert "\n" not in found.reason
    assert str(tmp_path) not in found.reason


def test_a_files_json_has_stable_keys(made: Made) -> None:
    found = json.loads(json.dumps(ask(made.run, made.videos[0]).as_dict(made.run.taxonomy.classes)))
    assert list(found) == [
        *("file", "media", "status", "reason", "verdict", "nearest", "p", "p_fake", "unknown_score", "frames"),
    ]
    assert list(found["frames"][0]) == ["index", "time_s", "box", "p"]
    assert list(found["p"]) == list(found["frames"][0]["p"]) == ["real", "Deepfakes"]


@pytest.mark.parametrize("score", ["energy", "prototype_distance"])
def test_a_threshold_is_held_against_the_models_own_score(made: Made, tmp_path: Path, score: str) -> None:
    run = Run(shutil.copytree(made.run.path, tmp_path / "run"), made.run.config, made.run.result)
    prototypes = torch.nn.functional.normalize(torch.randn(2, run.model().num_features), dim=1)
    write_weights(run.path / "prototypes.safetensors", {"prototypes": prototypes}, {})
    measured = ask(run, made.videos[0], CUT, Rejection(score=score, threshold=1e9, origin="here")).answer
    assert measured is not None
    assert measured.score is not None
    assert measured.verdict in run.taxonomy.classes
    above = ask(run, made.videos[0], CUT, Rejection(score=score, threshold=measured.score - 1e-6, origin="here")).answer
    assert above is not None
    assert above.verdict == "unknown"
