"""Which stores pre-training takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataengine.errors import DfxError
from dataengine.selection import Rows, select
from tests.dataengine.made import jpeg, made_rows, picture, png
from tests.trainers.tiny_store import write_store
from trainers.dnadet.untouched import check_untouched


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """Originals of both types: reals PNG, fakes JPEG."""
    return made_rows(tmp_path_factory.mktemp("mixed"), [(png, jpeg)[i % 2](picture(i)) for i in range(6)])


def test_png_originals_pass(mixed: Rows) -> None:
    store = str(mixed.stores[0].root)
    assert check_untouched(select([f"{store}@method=real"])) == []


def test_originals_that_are_jpeg_are_refused_and_counted(mixed: Rows) -> None:
    with pytest.raises(DfxError, match=r"3 jpg of 6\): originals that are JPEG themselves.*or force it"):
        check_untouched(mixed)


def test_crops_that_dfx_wrote_as_jpeg_are_refused_with_the_remedy(tmp_path: Path) -> None:
    rows = select([str(write_store(tmp_path / "cropped", clips={"train": 1}))])
    rows.stores[0].meta["settings"] = {"extract": {"faces": "track", "codec": "jpeg"}}
    with pytest.raises(DfxError, match=r"cropped holds compressed images \(6 jpg of 6\).*--codec png"):
        check_untouched(rows)


def test_forced_it_is_told_for_each_store(mixed: Rows, tmp_path: Path) -> None:
    other = write_store(tmp_path / "other", clips={"train": 1})
    rows = select([str(mixed.stores[0].root), str(other)])
    lines = check_untouched(rows, force=True)
    assert [str(store.root) in line for store, line in zip(rows.stores, lines, strict=True)] == [True, True]
    assert all("\n" not in line for line in lines)
