"""One tar of a store against the rows of its index: headers, DALI's index, and in one pass sha256, xxh3 and pixels."""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import xxhash

from dataengine import place
from dataengine.cache import Content
from dataengine.errors import DfxError
from dataengine.operations.decoding import BATCH, Decoders, Image
from dataengine.place import Place
from dataengine.tar import Member, dali_index, parse_dali_index, read_members

Row = Mapping[str, Any]
"""Of one image of a tar: the index's key, ext, offset, size, xxh3, width, height."""


@dataclass(frozen=True, slots=True)
class TarCheck:
    """What was found."""

    tar: list[str]
    """What is wrong with the tar, each in one line."""
    idx: list[str]
    """What is wrong with DALI's index beside it."""
    images: int = 0
    """That were read, and decoded where that was asked for."""


def check_headers(tar: Place, idx: Place, rows: Sequence[Row] | None) -> TarCheck:
    """Read the headers of a local tar alone, and DALI's index; of a remote one only DALI's index, against the rows.

    A remote tar's headers could not be had without all of its bytes. `rows` is None where there is no index.
    """
    if place.is_remote(tar):
        return TarCheck([], _check_idx(idx, [], rows, tar_is_whole=False))
    try:
        with os.fdopen(os.open(str(tar), os.O_RDONLY | getattr(os, "O_BINARY", 0)), "rb") as stream:
            members = read_members(stream)
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        return TarCheck([_unreadable(error)], [])
    wrong = _differences(members, rows)
    return TarCheck(wrong, _check_idx(idx, members, rows, tar_is_whole=not wrong))


def check_bytes(
    tar: Place, idx: Place, rows: Sequence[Row] | None, content: Content, decoders: Decoders | None
) -> TarCheck:
    """Read a tar once, past the cache, a few images in memory: its sha256, each image's xxh3, and its pixels."""
    reader = _Hashing(place.chunks(tar))
    members: list[Member] = []
    images: list[Image] = []
    bad: list[tuple[str, str]] = []
    wrong: list[str] = []
    by_name = {f"{row['key']}.{row['ext']}": row for row in rows or ()}
    num_images = 0
    try:
        with tarfile.open(fileobj=reader, mode="r|", bufsize=1 << 20) as archive:  # type: ignore[call-overload]
            for info in archive:
                archive.members = []  # else it would keep them all
                members.append(Member(info.name, info.offset_data, info.size))
                row = by_name.get(info.name)
                data = archive.extractfile(info) if row and info.isreg() and info.size == row["size"] else None
                if row is None or data is None:  # the sizes and names are compared below
                    continue
                image = data.read()
                num_images += 1
                if xxhash.xxh3_64_intdigest(image) != row["xxh3"]:
                    bad.append((row["key"], "its bytes are not those that were stored (xxh3 differs)"))
                elif decoders:
                    images.append(Image(row["key"], image, row["width"], row["height"]))
                if decoders and len(images) == BATCH:
                    bad += decoders.failures(images)
                    images.clear()
    except DfxError:
        raise
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        wrong.append(_unreadable(error))
    if decoders and images:
        bad += decoders.failures(images)
    try:
        reader.drain()
    except OSError as error:
        return TarCheck([_unreadable(error)], [], num_images)
    if (reader.num_bytes, reader.digest.hexdigest()) != (content.bytes, content.sha256):
        wrong.insert(0, f"sha256 {reader.digest.hexdigest()[:12]}..., recorded was {content.sha256[:12]}...")
    wrong += _differences(members, rows)
    wrong += [f"{key}: {reason}" for key, reason in bad]
    return TarCheck(wrong, _check_idx(idx, members, rows, tar_is_whole=not wrong), num_images)


class _Hashing:
    """A file for `tarfile` to stream from, which hashes what passes."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self.digest = hashlib.sha256()
        self.num_bytes = 0

    def read(self, _: int = -1) -> bytes:
        """The next bytes, in the pieces in which they come; "" at the end."""
        data = next(self._chunks, b"")
        self.digest.update(data)
        self.num_bytes += len(data)
        return data

    def drain(self) -> None:
        """Read to the end: a tar's last blocks hold no member."""
        while self.read():
            pass


def _differences(members: Sequence[Member], rows: Sequence[Row] | None) -> list[str]:
    """Where the members of a tar are not those of the rows: one line a kind of difference; none without rows."""
    if rows is None:
        return []
    found = {member.name: member for member in members}
    images = {f"{row['key']}.{row['ext']}": row for row in rows}
    texts = {f"{row['key']}.json" for row in rows}

    def moved(name: str) -> bool:
        at, row = found.get(name), images[name]
        return at is not None and (at.offset, at.size) != (row["offset"], row["size"])

    twice = [name for name, count in Counter(member.name for member in members).items() if count > 1]
    kinds = (
        ("lacks {} images of the index", [name for name in images if name not in found]),
        ("has {} images elsewhere than the index says", [name for name in images if moved(name)]),
        ("lacks the json of {} images", sorted(texts - found.keys())),
        ("holds {} files that the index does not know", [n for n in found if n not in images and n not in texts]),
        ("holds {} names twice", twice),
    )
    return [f"{words.format(len(names))} (first: {names[0][:200]})" for words, names in kinds if names]


def _check_idx(idx: Place, members: Sequence[Member], rows: Sequence[Row] | None, *, tar_is_whole: bool) -> list[str]:
    """DALI's index against the tar's members or, where those are not all as they were, against the rows."""
    try:
        data = b"".join(place.chunks(idx))
        if data == index_of(members):
            return []
        if tar_is_whole:
            return ["does not fit its tar"]
        return _differences([member for sample in parse_dali_index(data) for member in sample], rows)
    except FileNotFoundError:
        return ["is missing"]
    except DfxError:
        raise
    except (OSError, ValueError) as error:
        return [f"cannot be read ({str(error).splitlines()[0][:200]})"]


def index_of(members: Sequence[Member]) -> bytes:
    """DALI's index of a tar with these members; those of a sample stand together."""
    samples: list[list[Member]] = []
    last = None
    for member in members:
        key = member.name.rpartition(".")[0]
        if key != last:
            samples.append([])
        samples[-1].append(member)
        last = key
    return dali_index(samples)


def _unreadable(error: Exception) -> str:
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"cannot be read as a tar ({(said.splitlines() or [type(error).__name__])[0][:200]})"
