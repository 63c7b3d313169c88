from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from dataengine.errors import DfxError
from dataengine.faces import yunet
from dataengine.faces.detector import load_detector
from dataengine.faces.pinned import pin
from dataengine.faces.search import Search

pytest.importorskip("onnx")

from tests.dataengine.faces.yunet_like import write_yunet_like


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / yunet.WEIGHTS_FILE
    write_yunet_like(path)
    return path


@pytest.mark.parametrize(("width", "height"), [(480, 320), (640, 360), (333, 250)])
def test_faces_are_in_pixels_of_an_image_of_any_size_which_has_red_first(weights: Path, width, height) -> None:
    image = np.zeros((height, width, 3), np.uint8)
    image[64:72, 128:136, 2] = 255
    image[160:168, 64:72, 0] = 255
    (face,) = load_detector("yunet", pin(weights), 40)(image)
    assert face.box == (120, 56, 136, 72)
    assert face.landmarks == ((128, 64),) * 5
    assert face.score == pytest.approx(1)


def test_faces_are_found_in_the_small_copy_of_a_frame(weights: Path) -> None:
    frame = np.zeros((720, 1280, 3), np.uint8)
    frame[256:288, 512:544, 2] = 255
    found = Search(detector=load_detector("yunet", pin(weights), 12), min_face=12).whole(frame)
    assert (480, 224, 544, 288) in [face.box for face in found]


def test_weights_of_something_else_are_refused_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "junk.onnx").write_bytes(b"junk")
    with pytest.raises(DfxError, match="no YuNet that OpenCV reads") as error:
        yunet.YuNet(tmp_path / "junk.onnx")
    assert "\n" not in str(error.value)


@pytest.fixture
def server(weights: Path) -> Iterator[str]:
    handler = partial(SimpleHTTPRequestHandler, directory=str(weights.parent))
    handler.log_message = lambda *_: None  # type: ignore[attr-defined]
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


def test_weights_are_fetched_once_and_only_the_pinned_ones(
    server: str, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DFX_CACHE", str(tmp_path))
    with pytest.raises(DfxError, match=rf"is not {yunet.WEIGHTS_FILE} .*--detector-weights") as error:
        yunet.fetch_weights(f"{server}/{weights.name}")
    assert "\n" not in str(error.value)
    with pytest.raises(DfxError, match=r"cannot be fetched .*--detector-weights"):
        yunet.fetch_weights(f"{server}/missing.onnx")
    assert not list(tmp_path.rglob("*.onnx"))
    monkeypatch.setattr(yunet, "WEIGHTS_SHA256", hashlib.sha256(weights.read_bytes()).hexdigest())
    path = yunet.fetch_weights(f"{server}/{weights.name}")
    assert path.read_bytes() == weights.read_bytes()
    assert yunet.fetch_weights(f"{server}/missing.onnx") == path
    assert [entry for entry in tmp_path.rglob("*") if entry.is_file()] == [path]
    path.write_bytes(b"cut")
    with pytest.raises(DfxError, match="cannot be fetched"):
        yunet.fetch_weights(f"{server}/missing.onnx")
