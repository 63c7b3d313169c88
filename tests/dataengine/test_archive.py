"""Archives from strangers: what is read of them, what is said, what is refused."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine import archive
from dataengine.archive import contents, members
from dataengine.errors import MediaError

FILES = {"1/real/54/9.png": b"nine" * 300, "1/real/54/10.png": b"ten", "1/real/55/0.png": b"zero"}


def member(
    name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = ""
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, len(data)
    return info, data


def packed(*files: tuple[tarfile.TarInfo, bytes], mode: str = "w") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:  # type: ignore[call-overload]
        for info, data in files:
            tar.addfile(info, io.BytesIO(data))
    data: bytes = buffer.getvalue()
    return data


def plain(files: dict[str, bytes] = FILES) -> bytes:
    return packed(*(member(name, data) for name, data in files.items()))


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_an_archive_is_compressed_or_not_by_its_bytes_whatever_its_name(
    pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    (tmp_path / "1.tar.gz").write_bytes(pack(plain()))
    assert contents(tmp_path, "1.tar.gz") == archive.Contents(tuple(FILES), ())
    assert dict(members(tmp_path, "1.tar.gz", frozenset(FILES))) == FILES


def test_a_leading_dot_and_entries_of_folders_are_no_names(tmp_path: Path) -> None:
    data = packed(member("./", kind=tarfile.DIRTYPE), member("./1/", kind=tarfile.DIRTYPE), member("./1/a.png", b"a"))
    (tmp_path / "1.tar").write_bytes(data)
    assert contents(tmp_path, "1.tar") == archive.Contents(("1/a.png",), ())
    assert dict(members(tmp_path, "1.tar", frozenset({"1/a.png"}))) == {"1/a.png": b"a"}


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        (member("../../etc/cron.d/x", b"x"), "it climbs out of the archive"),
        (member("/etc/passwd", b"x"), "it climbs out of the archive"),
        (member("1/link.png", kind=tarfile.SYMTYPE, link="/etc/passwd"), "a link"),
        (member("1/hard.png", kind=tarfile.LNKTYPE, link="1/real/54/9.png"), "a link"),
        (member("1/null.png", kind=tarfile.CHRTYPE), "a device or the like"),
        (member("1/pipe.png", kind=tarfile.FIFOTYPE), "a device or the like"),
        (member("1/real/54/9.png", b"other"), "twice in the archive"),
    ],
)
def test_what_is_no_file_of_the_archive_is_said_and_never_read(
    odd: tuple[tarfile.TarInfo, bytes], reason: str, tmp_path: Path
) -> None:
    files = [member(name, data) for name, data in FILES.items()]
    (tmp_path / "1.tar").write_bytes(packed(*files, odd))
    held = contents(tmp_path, "1.tar")
    assert held.files == tuple(FILES)
    assert held.left_out == (f"{odd[0].name} ({reason})",)
    if odd[0].name not in FILES:
        assert list(members(tmp_path, "1.tar", frozenset({odd[0].name}))) == []


def test_what_is_said_of_a_name_stays_one_line(tmp_path: Path) -> None:
    (tmp_path / "1.tar").write_bytes(packed(member("a\n\x1b[2J영상", kind=tarfile.SYMTYPE)))
    assert contents(tmp_path, "1.tar").left_out == ("a\\n\\x1b[2J영상 (a link)",)


def test_a_name_that_is_not_utf8_is_said(tmp_path: Path) -> None:
    (tmp_path / "1.tar").write_bytes(packed(member("\udcff.png", b"a"), member("b.png", b"b")))
    assert contents(tmp_path, "1.tar") == archive.Contents(("b.png",), ("\\udcff.png (its name is not UTF-8)",))


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_an_archive_cut_off_anywhere_is_never_taken_for_a_shorter_one(
    pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    data = pack(plain())
    end = len(data) if data[:2] == b"\x1f\x8b" else max(i for i, byte in enumerate(data) if byte)
    for length in range(0, end, 1 if len(data) < 500 else 512):
        (tmp_path / "1.tar").write_bytes(data[:length])
        with pytest.raises(MediaError, match="damaged archive"):
            contents(tmp_path, "1.tar")


@given(at=st.integers(0, 4095), value=st.integers(0, 255))
@settings(max_examples=150, deadline=None)
def test_any_damaged_byte_gives_names_or_one_clear_line(
    at: int, value: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "flipped.tar"
    data = bytearray(plain())
    data[at] = value
    path.write_bytes(data)
    said = ""
    try:
        contents(path.parent, path.name)
    except MediaError as error:
        said = str(error)
    assert "\n" not in said
    assert not said or "flipped.tar" in said


def test_a_damaged_header_is_not_the_end_of_the_archive(tmp_path: Path) -> None:
    data = bytearray(plain())
    second = data.index(b"1/real/54/10.png")
    data[second + 5] ^= 1
    (tmp_path / "1.tar").write_bytes(data)
    with pytest.raises(MediaError, match="damaged archive"):
        contents(tmp_path, "1.tar")


def test_a_bomb_is_refused_before_it_has_unpacked(tmp_path: Path) -> None:
    zeros = gzip.compress(packed(*(member(f"{n}.png", bytes(8 << 20)) for n in range(4))), 9)
    (tmp_path / "1.tar.gz").write_bytes(zeros)
    with pytest.raises(MediaError, match="unpacks to more than 100 times its own size"):
        contents(tmp_path, "1.tar.gz")


@pytest.mark.parametrize("size", [1 << 40, archive.MAX_MEMBER_BYTES + 1])
def test_a_member_that_claims_an_absurd_size_is_refused(size: int, tmp_path: Path) -> None:
    info = tarfile.TarInfo("huge.png")
    info.size = size
    (tmp_path / "1.tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(10240))
    with pytest.raises(MediaError, match=r"huge.png claims [\d,]+ bytes"):
        contents(tmp_path, "1.tar")


@pytest.mark.parametrize("size", ["-512", str(1 << 40)])
def test_a_size_in_extended_headers_is_believed_no_further(size: str, tmp_path: Path) -> None:
    info = tarfile.TarInfo("a.png")
    info.pax_headers = {"size": size}
    (tmp_path / "1.tar").write_bytes(info.tobuf(tarfile.PAX_FORMAT) + bytes(10240))
    with pytest.raises(MediaError, match="claims"):
        contents(tmp_path, "1.tar")


def test_a_long_name_that_would_fill_memory_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 200 << 20
    (tmp_path / "1.tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(10240))
    with pytest.raises(MediaError, match="claims"):
        contents(tmp_path, "1.tar")


def test_more_members_than_any_archive_has_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_MEMBERS", 2)
    (tmp_path / "1.tar").write_bytes(plain())
    with pytest.raises(MediaError, match="more than 2 members"):
        contents(tmp_path, "1.tar")


def test_headers_nested_without_end_are_one_clear_line(tmp_path: Path) -> None:
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 5
    (tmp_path / "1.tar").write_bytes((info.tobuf(tarfile.GNU_FORMAT) + b"name".ljust(512, b"\0")) * 3000)
    with pytest.raises(MediaError, match="damaged archive"):
        contents(tmp_path, "1.tar")


def test_a_missing_archive_names_it(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"1\.tar: not there any more"):
        contents(tmp_path, "1.tar")
