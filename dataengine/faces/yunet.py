"""YuNet (Wu, Peng, Yu, "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence Research, 2023), as
OpenCV runs it. Its weights are fetched once, or given."""

from __future__ import annotations

import hashlib
import os
import tempfile
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np

from dataengine.cache import user_cache
from dataengine.errors import DfxError, line_of
from dataengine.faces.face import Face
from dataengine.video import Pixels

WEIGHTS_FILE = "face_detection_yunet_2023mar.onnx"
WEIGHTS_SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
WEIGHTS_URL = (
    "https://media.githubusercontent.com/media/opencv/opencv_zoo/main/models/face_detection_yunet/" + WEIGHTS_FILE
)
"""Of the repository opencv/opencv_zoo, which records the same sha256; licence MIT."""

SCORE = 0.6
"""The least score of a face that it names at all; the zoo's own demonstration asks for 0.9."""

_NMS_IOU, _MOST = 0.3, 5000  # OpenCV's own defaults


class YuNet:
    """The detector `yunet`."""

    landmarks = True

    def __init__(self, weights: Path) -> None:
        """Raises DfxError where OpenCV does not take the weights for a YuNet."""
        try:
            self._network = cv2.FaceDetectorYN.create(str(weights), "", (320, 320), SCORE, _NMS_IOU, _MOST)
            self(np.zeros((320, 320, 3), np.uint8))
        except cv2.error as error:
            raise DfxError(f"{weights} is no YuNet that OpenCV reads ({line_of(error)}); give {WEIGHTS_FILE}") from None

    def __call__(self, rgb: Pixels) -> list[Face]:
        """The faces in an image, in the network's order."""
        height, width = rgb.shape[:2]
        self._network.setInputSize((width, height))
        _, rows = self._network.detect(np.ascontiguousarray(rgb[..., ::-1]))
        faces = []
        for row in [] if rows is None else rows.astype(float).tolist():
            x, y, w, h, *points, score = row
            a, b, c, d, e = zip(points[::2], points[1::2], strict=True)
            faces.append(Face((x, y, x + w, y + h), min(max(score, 0.0), 1.0), (a, b, c, d, e)))
        return faces


def fetch_weights(url: str = WEIGHTS_URL) -> Path:
    """The weights in the user's cache (DFX_CACHE), fetched from `url` where they are not there yet.

    Raises DfxError where they cannot be fetched, or are not those of WEIGHTS_SHA256.
    """
    path = user_cache().folder / "detectors" / WEIGHTS_FILE
    with suppress(OSError):
        if hashlib.sha256(path.read_bytes()).hexdigest() == WEIGHTS_SHA256:
            return path
    instead = f"fetch {WEIGHTS_FILE} elsewhere and give it as --detector-weights FILE"
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            data = answer.read(64 << 20)
    except (OSError, urllib.error.URLError, ValueError) as error:
        raise DfxError(f"the weights of yunet cannot be fetched from {url} ({line_of(error)}); {instead}") from None
    found = hashlib.sha256(data).hexdigest()
    if found != WEIGHTS_SHA256:
        raise DfxError(f"what {url} gave is not {WEIGHTS_FILE} (sha256 {found[:12]}…, {len(data):,} bytes); {instead}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as stream:
            stream.write(data)
        os.replace(stream.name, path)  # processes that fetch at once write the same bytes
    except OSError as error:
        raise DfxError(f"{path} cannot be written ({error.strerror}); set DFX_CACHE to another folder") from None
    return path
