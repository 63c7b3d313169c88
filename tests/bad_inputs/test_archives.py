"""Archives of images from strangers: read without unpacking, and what is not an image inside them never is."""

from __future__ import annotations

import gzip
import io
import re
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from dataengine.archive import contents
from dataengine.errors import MediaError
from dataengine.extract import extract
from dataengine.records import Clip
from dataengine.settings import ExtractSettings
from tests.bad_inputs.images import SIZE, saved

GOOD = {f"12/{n:02d}.png": saved("PNG", seed=n) for n in range(4)}
OTHER = saved("PNG", seed=9)


def member(
    name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, **fields: object
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, len(data)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, data


def tar(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """Some members before the good ones."""
    return packed(*entries, *(member(name, data) for name, data in GOOD.items()))


def packed(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for info, data in entries:
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def claiming(size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    """The header of a member that claims a size which the archive has not."""
    return member("12/huge.png", b"", kind, size=size)[0].tobuf(tarfile.GNU_FORMAT)


def header_lost(data: bytes) -> bytes:
    at = data.index(b"12/02.png")
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def name_bomb() -> bytes:
    """A name of 64 MB, in an archive of 64 kB."""
    size = 64 << 20
    return gzip.compress(claiming(size, tarfile.GNUTYPE_LONGNAME) + bytes(size) + tar(), 9)


HARMLESS: dict[str, Callable[[], bytes]] = {
    "names that climb out": lambda: tar(member("../../../tmp/climbed", OTHER), member("12/../../climbed", OTHER)),
    "an absolute name": lambda: tar(member("/tmp/climbed", OTHER)),
    "links of an image's name": lambda: tar(
        member("12/00.png", kind=tarfile.SYMTYPE, linkname="/etc/passwd"),
        member("12/01.png", kind=tarfile.LNKTYPE, linkname="../../etc/passwd"),
    ),
    "devices and pipes": lambda: tar(
        member("12/02.png", kind=tarfile.CHRTYPE, devmajor=1, devminor=5),
        member("12/03.png", kind=tarfile.FIFOTYPE),
        member("12/00.png", kind=tarfile.BLKTYPE),
    ),
    "a folder of an image's name": lambda: tar(member("12/00.png", kind=tarfile.DIRTYPE)),
    "a name twice": lambda: packed(
        *map(member, (*GOOD, *GOOD), (*GOOD.values(), *[OTHER] * 4))
    ),  # the first of each counts
    "a leading dot": lambda: packed(*(member(f"./{name}", data) for name, data in GOOD.items())),
    "named .tar.gz": lambda: gzip.compress(tar()),
}
"""Archives whose four images arrive as they are, whatever else is in them."""


HARMFUL: dict[str, tuple[Callable[[], bytes], int, str]] = {
    "empty": (lambda: b"", 0, "damaged archive"),
    "no archive": (lambda: b"<html>Sign in</html>" * 99, 0, "damaged archive"),
    "cut off": (lambda: tar()[: len(tar()) // 4], 1, "damaged archive"),
    "cut off, compressed": (lambda: gzip.compress(tar())[:-2000], 3, "damaged archive"),
    "damaged, compressed": (lambda: flipped(gzip.compress(tar())), 0, "damaged"),
    "a header lost in the middle": (lambda: header_lost(tar()), 2, r"damaged archive \(bad checksum\)"),
    "a member of 1 TB": (lambda: claiming(1 << 40) + tar(), 0, r"12/huge.png claims 1,099,511,627,776 bytes"),
    "a name of 64 MB": (name_bomb, 0, "12/huge.png claims 67,108,864 bytes"),
    "an image that is none": (lambda: tar().replace(GOOD["12/03.png"][:8], b"<html>  ", 1), 3, "not a JPEG, PNG"),
    "an image that claims 60,000 x 60,000": (lambda: tar(member("12/00.png", huge())), 3, "claims over 100,000,000 px"),
}
"""Archives that lose images: how many still arrive, and what is said."""


def flipped(data: bytes) -> bytes:
    return data[:200] + bytes(byte ^ 255 for byte in data[200:400]) + data[400:]


def huge() -> bytes:
    return saved("BMP").replace(struct.pack("<ii", *SIZE), struct.pack("<ii", 60_000, 60_000))


def written(data: bytes, folder: Path) -> Clip:
    name = "real.tar.gz" if data[:2] == b"\x1f\x8b" or not data else "real.tar"
    (folder / name).write_bytes(data)
    return Clip(
        clip="wild/12",
        paths=tuple(GOOD),
        archive=name,
        media="images",
        dataset="wild",
        split="",
        raw_method="real",
        method="real",
        category="real",
        quality="",
        target_id="wild/12",
        source_id="",
    )


@pytest.mark.parametrize("case", HARMLESS)
def test_what_is_no_image_in_an_archive_is_left_in_it(case: str, tmp_path: Path) -> None:
    clip = written(HARMLESS[case](), tmp_path)
    samples, report = extract(clip, tmp_path, ExtractSettings(faces="none"))
    assert (report.status, report.reason) == ("ok", "")
    assert [sample.data for sample in samples] == list(GOOD.values())
    assert set(contents(tmp_path, clip.archive).files) == set(GOOD)
    assert [path.name for path in tmp_path.iterdir()] == [clip.archive]


@pytest.mark.parametrize("case", HARMFUL)
def test_a_damaged_archive_gives_what_can_be_read_and_says_the_rest(case: str, tmp_path: Path) -> None:
    made, arriving, message = HARMFUL[case]
    samples, report = extract(written(made(), tmp_path), tmp_path, ExtractSettings(faces="none"))
    assert len(samples) == arriving
    assert all(sample.data in GOOD.values() for sample in samples)
    assert re.search(message, report.reason), report.reason
    assert f"{4 - arriving} of 4 frames cannot be read: " in report.reason
    assert str(tmp_path) not in report.reason
    assert "\n" not in report.reason


@pytest.mark.parametrize("case", [case for case in HARMFUL if "image" not in case])
def test_a_damaged_archive_is_never_listed_as_if_it_were_whole(case: str, tmp_path: Path) -> None:
    clip = written(HARMFUL[case][0](), tmp_path)
    with pytest.raises(MediaError, match=HARMFUL[case][2]):
        contents(tmp_path, clip.archive)
