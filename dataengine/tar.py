"""The tars of a store: written whole with DALI's index, to the same bytes from the same samples; and their headers."""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import webdataset

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
    with renamed_when_whole(path) as stream:
        # Fixed owner, mode and an integer mtime: the same plan gives the same bytes. (A float mtime would add a
        # header to every member.) GNU format, since the default refuses long names.
        writer = webdataset.TarWriter(
            stream, user="dfx", group="dfx", mode=0o644, mtime=0, encoder=False, format="GNU_FORMAT"
        )
        try:
            for sample in samples:
                members = []
                for ext, data in ((sample.ext, sample.image), ("json", sample.record)):
                    writer.write({"__key__": sample.key, ext: data})
                    offset = writer.tarstream.offset - -(-len(data) // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
                    members.append(Member(f"{sample.key}.{ext}", offset, len(data)))
                written.append(members)
        except BaseException:
            with suppress(OSError):
                writer.close()  # else the garbage collector tries it later, and complains on the terminal
            raise
        writer.close()
    write_whole(index_path(path), dali_index(written))
    return [members[0].offset for members in written]


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
