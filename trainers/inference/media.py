"""From image and video files to answers, by the way that a store's samples take: the same frames, face, crop, codec.

A model learns from crops that were encoded once more, and forensic traces are what it goes by. So a file is extracted
exactly as a conversion would do it, and only then decoded for the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
import torch
from torch import Tensor

from dataengine.augment import augment_preset, draw
from dataengine.backends.cpu import Scratch, decode_sample
from dataengine.errors import MediaError, StateError, StoreError, unknown_name
from dataengine.extract import extract
from dataengine.faces.pinned import Pinned, pin
from dataengine.normalise import Normalise
from dataengine.recorded import for_other_files
from dataengine.records import Box, Clip, Sample
from dataengine.settings import ExtractSettings
from dataengine.store import open_store
from dataengine.video import count_frames, frame_indices
from trainers.inference.answer import Answer, FrameScores, Rejection, answer
from trainers.inference.listing import MediaFile
from trainers.predict import pick_device
from trainers.run import Run

FACES = ("auto", "track", "largest", "none")
"""auto: as the run's own training images were made; one face a file, where they hold all of them."""

NO_FACE = "no face found"


_AT_ONCE = 64  # frames that go through the model together


@dataclass(frozen=True, slots=True)
class Extraction:
    """How files are cut, and why so."""

    settings: ExtractSettings
    origin: str
    """In words, for the user."""


def extraction_of(
    run: Run, *, faces: str = "auto", frames: int | None = None, weights: Path | None = None
) -> Extraction:
    """How the run's training images were made, read from its first source store; dfx's defaults where that store is
    not there, or is another one by now. `faces` (one of FACES) and `frames` of a video override it.

    Raises DfxError where the store's detector had weights of its user's own and `weights` are not those.
    """
    if faces not in FACES:
        raise unknown_name("value of --faces", faces, FACES)
    found = _of_source(run, pin(weights) if weights else None)
    given: dict[str, Any] = {} if faces == "auto" else {"faces": faces}
    if frames is not None:
        given["frames"] = frames
    return Extraction(replace(found.settings, **given), found.origin)


def _of_source(run: Run, weights: Pinned | None) -> Extraction:
    if not run.config["sources"]:
        return Extraction(ExtractSettings(), "dfx's defaults, since the run does not say what it was trained on")
    source, *others = run.config["sources"]
    try:
        store = open_store(source["path"])
    except StoreError:
        return Extraction(ExtractSettings(), f"dfx's defaults, since {source['path']} cannot be read")
    if store.fingerprint != source["fingerprint"]:
        return Extraction(ExtractSettings(), f"dfx's defaults, since {source['path']} is another store than then")
    if "extract" not in store.meta["settings"]:
        return Extraction(ExtractSettings(), f"dfx's defaults, since {source['path']} does not say how it was cut")
    first = f", the first of {len(others) + 1} stores it was trained on" if others else ""
    recorded = store.meta["settings"]["extract"]
    given = ", whose faces a file of boxes gave" if recorded.get("boxes") else ""
    return Extraction(for_other_files(recorded, weights), f"{source['path']}{first}{given}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameAnswer:
    """One frame that was looked at."""

    index: int
    """In the video, from 0."""
    time_s: float | None
    """Since the start, at the video's mean frame rate; None for an image."""
    box: Box | None
    """The square that was cut out, in pixels of the frame; None for a whole frame, and where there is no face."""
    p: tuple[float, ...] | None
    """Of each class; None where the clip's face is not in the frame."""
    image: bytes
    """What the model was shown, encoded; empty where `p` is None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileAnswer:
    """What became of one file."""

    file: MediaFile
    status: Literal["ok", "no face", "failed"]
    reason: str
    """One line where the status is not ok, or frames were lost."""
    answer: Answer | None
    """None where the status is not ok."""
    frames: tuple[FrameAnswer, ...]
    """In order; empty where the file could not be read."""

    @property
    def num_answered(self) -> int:
        """Frames that entered the answer."""
        return sum(frame.p is not None for frame in self.frames)

    def as_dict(self, classes: Sequence[str]) -> dict[str, Any]:
        """JSON values under stable keys."""
        found = self.answer

        def named(p: Sequence[float] | None) -> dict[str, float] | None:
            return None if p is None else dict(zip(classes, p, strict=True))

        return {
            "file": str(self.file.path),
            "media": "video" if self.file.media == "video" else "image",
            "status": self.status,
            "reason": self.reason,
            "verdict": found and found.verdict,
            "nearest": found and found.nearest,
            "p": named(found.p if found else None),
            "p_fake": found and found.p_fake,
            "unknown_score": found and found.score,
            "frames": [
                {"index": frame.index, "time_s": frame.time_s, "box": frame.box, "p": named(frame.p)}
                for frame in self.frames
            ],
        }


class Predictor:
    """A run's model, ready to answer for files."""

    def __init__(
        self, run: Run, settings: ExtractSettings, rejection: Rejection | None = None, *, device: str = "auto"
    ) -> None:
        """Raises DfxError for a device that is not there, StateError where the run is damaged, or lacks the
        prototypes that it is to reject by."""
        self._classes, self._spec = run.taxonomy.classes, run.input
        self._settings, self._rejection = settings, rejection
        self._device = pick_device(device)
        self._model = run.model().to(self._device).to(memory_format=torch.channels_last).eval()
        self._prototypes: Tensor | None = None
        if rejection is not None and rejection.score == "prototype_distance":
            if (prototypes := run.prototypes()) is None:
                raise StateError(f"{run.path} rejects by class prototypes and holds none; train the run again")
            self._prototypes = prototypes.to(self._device)

    def __call__(self, file: MediaFile) -> FileAnswer:
        """Answer for one file. A file that cannot be read is an answer too: `failed`, with the reason."""
        try:
            return self._answer(file)
        except MediaError as error:
            reason = str(error).rpartition(f"{file.path}: ")[2]  # its name stands beside the reason already
            return FileAnswer(file=file, status="failed", reason=reason, answer=None, frames=())

    def _answer(self, file: MediaFile) -> FileAnswer:
        samples, report = extract(_clip(file), file.path.parent, self._settings)
        if report.status == "failed" and not report.reason.startswith(NO_FACE):
            raise MediaError(report.reason)
        seen, per_second = [sample.frame for sample in samples], None
        if file.media == "video":
            num_frames = count_frames(file.path)
            seen = frame_indices(num_frames, self._settings.frames)[: report.frames_found]
            per_second = _frame_rate(file.path)
        elif not samples:
            seen = [0]
        scores = self._scores(samples) if samples else None
        p = scores.p.tolist() if scores else []
        known = {sample.frame: (sample, tuple(row)) for sample, row in zip(samples, p, strict=True)}
        frames = tuple(_frame(index, per_second, *known.get(index, (None, None))) for index in seen)
        if scores is None:
            return FileAnswer(file=file, status="no face", reason=NO_FACE, answer=None, frames=frames)
        found = answer(scores, self._classes, self._rejection)
        return FileAnswer(file=file, status="ok", reason=report.reason, answer=found, frames=frames)

    def _scores(self, samples: Sequence[Sample]) -> FrameScores:
        parts = [self._run(samples[at : at + _AT_ONCE]) for at in range(0, len(samples), _AT_ONCE)]
        logits, embeddings = (torch.cat(part) for part in zip(*parts, strict=True))
        distance = None
        if self._prototypes is not None:
            likeness = torch.nn.functional.normalize(embeddings, dim=1) @ self._prototypes.T
            distance = _float64(1 - likeness.amax(dim=1))
        p, energy = torch.softmax(logits, dim=1), -torch.logsumexp(logits, dim=1)
        return FrameScores(p=_float64(p), energy=_float64(energy), distance=distance)

    def _run(self, samples: Sequence[Sample]) -> tuple[Tensor, Tensor]:
        images = network_input([(s.data, s.width, s.height) for s in samples], self._spec.size)
        normalise = Normalise(
            images.shape, mean=self._spec.mean, std=self._spec.std, dtype=torch.float32, device=self._device
        )
        with torch.inference_mode():
            batch = normalise(images.to(self._device))[0].permute(0, 3, 1, 2)
            logits, embedding = self._model(batch)
        return logits.float(), embedding.float()


def network_input(encoded: Sequence[tuple[bytes, int, int]], size: int) -> Tensor:
    """Encoded images, with width and height, as evaluation sees them: the centred largest square scaled to `size`,
    uint8 RGB (1, B, size, size, 3). Raises MediaError for one that does not decode."""
    widths, heights = (np.array([entry[side] for entry in encoded], dtype=np.int64) for side in (1, 2))
    draws = draw(augment_preset("none"), 0, 0, np.arange(len(encoded)), np.zeros((1, 1), np.int64), widths, heights)
    out = np.empty((1, len(encoded), size, size, 3), dtype=np.uint8)
    scratch = Scratch()
    for i, (data, _, _) in enumerate(encoded):
        decode_sample(memoryview(data), draws, i, out[:, i], scratch)
    return torch.from_numpy(out)


def _frame(index: int, per_second: float | None, sample: Sample | None, p: tuple[float, ...] | None) -> FrameAnswer:
    return FrameAnswer(
        index=index,
        time_s=None if per_second is None else index / per_second,
        box=sample.box if sample else None,
        p=p,
        image=sample.data if sample else b"",
    )


def _clip(file: MediaFile) -> Clip:
    names = ("dataset", "split", "raw_method", "method", "category", "quality", "target_id", "source_id")
    facts: dict[str, Any] = dict.fromkeys(names, "")
    return Clip(clip=str(file.place), paths=(file.path.name,), media=file.media, **facts)


def _frame_rate(path: Path) -> float | None:
    try:
        with av.open(str(path)) as container:
            return float(container.streams.video[0].average_rate or 0) or None
    except av.FFmpegError as error:
        raise MediaError(f"{path}: {error.strerror}; check the path and its permissions") from None


def _float64(values: Tensor) -> np.ndarray:
    return values.cpu().numpy().astype(np.float64)
