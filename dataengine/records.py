"""The words of the data engine: Clip, Sample, and the schemas of a store's tables (format 1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

import pyarrow as pa

from dataengine.errors import LayoutError

FORMAT = 1
"""The store format that this version writes and reads."""

REAL = "real"
"""The canonical method of every real clip."""

SPLITS = ("train", "val", "test", "none")
"""`none` holds fakes whose target and source fall in different splits: stored, counted, never selected by default."""

Media = Literal["video", "images"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """One source clip as a layout found it: a video file, or image files in frame order."""

    clip: str
    """Unique in its store, and between datasets: see `clip_id`."""
    paths: tuple[str, ...]
    """Below the root, with forward slashes: one video file, or one or more image files in order; inside `archive`
    where that is set."""
    media: Media
    dataset: str
    split: str
    """One of SPLITS, or "" where the layout knows none: `splits.derive` then gives one."""
    raw_method: str
    """The method's name in the dataset ("original" or the like for reals)."""
    method: str
    """Canonical name (`methods.py`), REAL for reals."""
    category: str
    """face swap, reenactment, ... (`methods.py`), REAL for reals."""
    quality: str
    """Compression as the dataset names it ("c23"), or ""."""
    target_id: str
    """Identity of the footage, qualified by dataset ("ff++/000")."""
    source_id: str
    """Identity of the face or driver put in; "" for reals and where it is not known."""
    ranges: tuple[tuple[int, int], ...] = ()
    """The frames [start, stop) of a video that belong to this clip, ascending; () for all of them. A video of which
    parts alone are manipulated is two clips, so that a clip has one label."""
    archive: str = ""
    """The .tar or .tar.gz below the root that holds `paths`; "" where they are files of their own."""
    source_bytes: int = 0
    """Size of its files as the tree was listed. It enters no plan: it tells that a file has changed."""

    @property
    def label(self) -> int:
        """0 real, 1 fake."""
        return int(self.method != REAL)

    @property
    def first(self) -> str:
        """What messages and tables call its files: the first of them, behind its archive where it lies in one."""
        return f"{self.archive}/{self.paths[0]}" if self.archive else self.paths[0]

    @property
    def group(self) -> str:
        """What confidence intervals resample: the identity of the target footage."""
        return self.target_id


def clip_id(dataset: str, path: str, *, keep_suffix: bool = False) -> str:
    """A clip's name from its dataset and its path below the root.

    It holds no dot and no space (a key may have neither: WebDataset and DALI take the extension from the first
    dot, and DALI's index is separated by spaces); what is escaped stays distinct.
    """
    try:
        path.encode()
    except UnicodeEncodeError:
        raise LayoutError(f"the name of {path!a} is not UTF-8; rename the file") from None
    folder, _, name = path.rpartition("/")
    stem = name if keep_suffix else (name.rpartition(".")[0] or name)
    parts = [dataset, folder, stem] if folder else [dataset, stem]
    return quote("/".join(parts), safe="/+=,@").replace(".", "%2E")


def sample_key(clip: str, frame: int, face: int = 0) -> str:
    """The key of frame `frame` (index in the source video, from 0) of a clip; with the number of the face, where it is
    not the first."""
    return f"{clip}/{frame:06d}-{face}" if face else f"{clip}/{frame:06d}"


Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in pixels of the source frame."""

FaceOrigin = Literal["detected", "given", "tracked", "interpolated", ""]
"""Where a face box came from: the detector; a file of boxes; a track that held between two detections; a bridged gap of
the detector or the file; no face was looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One encoded image of a clip, before it is put into a shard."""

    frame: int
    """Index in the source video, from 0; for image clips, the position in `Clip.paths`."""
    face: int = 0
    """Number of the face among those of the clip, 0 the largest; 0 unless all are taken."""
    data: bytes
    """The encoded image as it will be stored."""
    ext: str
    """jpg, png or what the original file was; lower case, no dot."""
    width: int
    height: int
    """Of the stored image, in pixels."""
    box: Box | None = None
    """The square that was cropped, in pixels of the source frame; of an aligned face, the box around its square."""
    score: float = 0.0
    """The detector's, in [0, 1]; 0 where no face was asked for."""
    origin: FaceOrigin = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipReport:
    """What became of one clip."""

    status: Literal["ok", "failed"]
    reason: str = ""
    """One line, where the status is failed or frames were left out."""
    frames_asked: int = 0
    frames_found: int = 0
    """Frames that could be decoded."""
    frames_with_face: int = 0
    """Decoded frames that give an image, where faces were looked for."""
    faces_detected: int = 0
    """By the detector, or given in a file of boxes. Of several faces in a frame each counts, here and below."""
    faces_tracked: int = 0
    faces_interpolated: int = 0
    faces_missing: int = 0
    """Decoded frames left out because the clip's face was not in them; with those `frames_with_face`, all in which a
    face was looked for."""
    tracks_found: int = 0
    tracks_left_out: int = 0
    """Where all faces are taken: those seen in too few frames."""
    mean_score: float | None = None
    """Of the faces detected, in [0, 1]; None without any."""
    decode_s: float = 0.0


INDEX_SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("shard", pa.string()),
        ("offset", pa.int64()),
        ("size", pa.int32()),
        ("xxh3", pa.uint64()),
        ("ext", pa.string()),
        ("split", pa.string()),
        ("label", pa.int8()),
        ("dataset", pa.string()),
        ("raw_method", pa.string()),
        ("method", pa.string()),
        ("category", pa.string()),
        ("quality", pa.string()),
        ("clip", pa.string()),
        ("frame", pa.int32()),
        ("face", pa.int16()),
        ("box_x0", pa.float32()),
        ("box_y0", pa.float32()),
        ("box_x1", pa.float32()),
        ("box_y1", pa.float32()),
        ("score", pa.float32()),
        ("origin", pa.string()),
        ("target_id", pa.string()),
        ("source_id", pa.string()),
        ("group", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
    ]
)
"""index.parquet: one row a sample, in (shard, offset) order; `shard` is the tar's file name, `offset` and `size`
are of the image's bytes in it, `xxh3` is xxh3_64 of them. Box columns are null where nothing was cropped."""

CLIPS_SCHEMA = pa.schema(
    [
        ("clip", pa.string()),
        ("path", pa.string()),
        ("source_bytes", pa.int64()),
        ("shard", pa.string()),
        ("split", pa.string()),
        ("label", pa.int8()),
        ("dataset", pa.string()),
        ("raw_method", pa.string()),
        ("method", pa.string()),
        ("quality", pa.string()),
        ("target_id", pa.string()),
        ("source_id", pa.string()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("frames_asked", pa.int32()),
        ("frames_found", pa.int32()),
        ("frames_with_face", pa.int32()),
        ("faces_detected", pa.int32()),
        ("faces_tracked", pa.int32()),
        ("faces_interpolated", pa.int32()),
        ("faces_missing", pa.int32()),
        ("tracks_found", pa.int32()),
        ("tracks_left_out", pa.int32()),
        ("mean_score", pa.float32()),
        ("samples", pa.int32()),
        ("decode_s", pa.float32()),
    ]
)
"""clips.parquet: one row for every source clip, those that failed too; `path` is its first file, `source_bytes` the
size of all of its files."""

SHARDS_SCHEMA = pa.schema(
    [("shard", pa.string()), ("samples", pa.int32()), ("bytes", pa.int64()), ("sha256", pa.string())]
)
"""shards.parquet: one row a shard; `bytes` and `sha256` of the tar."""
