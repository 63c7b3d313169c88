"""The tars of a store: written whole with DALI's index, to the same bytes from the same samples; and their headers."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from dataengine.whole import renamed_when_whole, write_whole


@dataclass(frozen=True, slots=True)
class TarSample:
    """What a tar holds of one sample: `{key}.{ext}` and `{key}.json`."""

    key: str
    ext: str
    image: bytes
    record: bytes
    """JSON, UTF-8: what a reader without dfx gets beside the image."""


@dataclass(frozen=True, slots=True)
class Member:
    """A file in a tar: its name, and where its bytes lie."""

    name: str
    offset: int
    size: int


def index_path(tar: Path) -> Path:
    """DALI's index beside a tar."""
    return tar.with_suffix(".idx")


def write_tar(path: Path, samples: Iterable[TarSample]) -> list[int]:
    """Write a tar and DALI's index beside it, each whole or not at all; the offset of each image in it.

    `samples` are taken one at a time. The same samples give the same bytes.
    """
    written: list[list[Member]] = []
    # tarfile rather than webdataset's writer, which imports torch: 490 MB and two seconds for each worker.
    with renamed_when_whole(path) as stream, tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for sample in samples:
            members = []
            for ext, data in ((sample.ext, sample.image), ("json", sample.record)):
                name = f"{sample.key}.{ext}"
                tar.addfile(_header(name, len(data)), io.BytesIO(data))
                offset = tar.offset - -(-len(data) // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
                members.append(Member(name, offset, len(data)))
            tar.members.clear()  # type: ignore[attr-defined]  # of many, none is asked for again
            written.append(members)
    write_whole(index_path(path), dali_index(written))
    return [members[0].offset for members in written]


def _header(name: str, size: int) -> tarfile.TarInfo:
    """Fixed owner, mode and time: the same samples give the same bytes."""
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime, member.uname, member.gname = size, 0o644, 0, "dfx", "dfx"
    return member


def dali_index(samples: Sequence[Sequence[Member]]) -> bytes:
    """DALI's index of a tar that holds these samples, the members of each in their order."""
    lines = [f"v1.2 {len(samples)}"]
    for members in samples:
        parts = (f"{one.name.rpartition('.')[2]} {one.offset} {one.size} {one.name}" for one in members)
        lines.append(" ".join(parts))
    return ("\n".join(lines) + "\n").encode()


def read_members(stream: IO[bytes]) -> list[Member]:
    """The members of a tar in their order, from its headers alone. Raises tarfile.TarError where it is none."""
    with tarfile.open(fileobj=stream, mode="r:") as tar:
        return [Member(info.name, info.offset_data, info.size) for info in tar]
