"""A few generated videos of a face, a store of them, and a run that is trained on it in a second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from dataengine.convert import convert
from dataengine.layouts.scan import ScanOptions
from dataengine.plan import ConvertSettings
from dataengine.sample.generate import generate
from dataengine.settings import ExtractSettings
from dataengine.video import Pixels, count_frames, decode_frames
from trainers.config import TrainConfig
from trainers.fit import fit
from trainers.run import Run, open_run

CUT = ExtractSettings(frames=5, margin=1.5, size=96)
"""None of the defaults, so that a run's own settings can be told from them."""


@dataclass(frozen=True, slots=True)
class Made:
    """Where everything lies; do not write to it."""

    tree: Path
    """`<split>/<class>/*.mp4`, one video of 12 frames each."""
    store: Path
    run: Run

    @property
    def videos(self) -> list[Path]:
        return sorted(self.tree.rglob("*.mp4"))


def make(root: Path, *, task: str = "attribution") -> Made:
    """Generate, convert and train: real and Deepfakes, of two people, in train and val."""
    generate("celeb-df", root / "celeb", clips=2, frames=12, size=(160, 120), workers=0)
    for name, folders in (("real", ("Celeb-real", "YouTube-real")), ("Deepfakes", ("Celeb-synthesis",))):
        found = sorted(file for folder in folders for file in (root / "celeb" / folder).glob("*.mp4"))
        for split, video in zip(("train", "val"), found, strict=True):
            place = root / "tree" / split / name / video.name
            place.parent.mkdir(parents=True)
            video.rename(place)
    store = convert_as(root / "tree", root / "store", CUT)
    config = TrainConfig(
        data=(str(store),),
        task=task,
        model="test_resnet",
        weights="none",
        size=48,
        epochs=4,
        batch=10,
        lr=3e-3,
        device="cpu",
        backend="cpu",
        threads=1,
    )
    return Made(root / "tree", store, open_run(fit(config, root / "runs" / "small").run))


def convert_as(tree: Path, store: Path, settings: ExtractSettings) -> Path:
    """The store of a class tree, converted in this process."""
    convert("folder", tree, store, ConvertSettings(extract=settings), ScanOptions())
    return store


def frames_of(video: Path) -> list[Pixels]:
    """Every frame."""
    count = count_frames(video)
    return [rgb for _, rgb in decode_frames(video, range(count), num_frames=count)]


def write_video(path: Path, images: Sequence[Pixels], *, rate: int = 25) -> Path:
    """The frames as H.264."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": "12", "threads": "1"})
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


def wall(like: Pixels) -> Pixels:
    """A frame without a face."""
    return np.full_like(like, 110)
