"""`dfx verify`: whether a store is what it says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.console import JsonOption, console, count_of, progress, write_json
from cli.leaks import show_leaks
from dataengine.errors import DfxError, StoreError

if TYPE_CHECKING:
    from dataengine.operations.verify import Level, Verified
    from dataengine.store import Store


def verify(
    stores: Annotated[
        list[str],
        typer.Argument(
            help="A store's folder or URL, such as shards/ff++ or s3://bucket/ff++; with --leaks, one or several.",
            metavar="STORE...",
        ),
    ],
    quick: Annotated[
        bool, typer.Option("--quick", help="Tables, lengths, the tars' headers and DALI's indexes; no image is read.")
    ] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Also every tar's sha256 and every image's xxh3. This is the default.")
    ] = False,
    decode: Annotated[
        bool, typer.Option("--decode", help="Also decode every image: libjpeg-turbo, OpenCV, nvJPEG with a GPU.")
    ] = False,
    leaks: Annotated[
        bool,
        typer.Option(
            "--leaks", help="Instead, look for the same images, frames and people in several splits or stores."
        ),
    ] = False,
    test_list: Annotated[
        list[Path] | None,
        typer.Option(help="With --leaks: an official list of test clips. May be given again.", metavar="FILE"),
    ] = None,
    json_file: JsonOption = None,
) -> None:
    """Look for damage in a store, or with --leaks for what its splits, or several stores, have in common.

    Exit code 1 where there is damage, or where training and test are not apart; `--json` lists all of it.
    """
    from dataengine.operations.verify import verify as verify_store

    if quick + full + decode + leaks > 1:
        raise DfxError(
            "--quick, --full and --decode are levels, each with all of the one before, and --leaks is another "
            "question; give one of them"
        )
    if leaks:
        show_leaks(stores, test_lists=test_list or (), json_file=json_file)
        return
    if test_list:
        raise DfxError("--test-list is for --leaks; leave it out, or add --leaks")
    if len(stores) > 1:
        raise DfxError(f"{len(stores)} stores were given; verify them one at a time, or compare them with --leaks")
    (store,) = stores
    level: Level = "quick" if quick else "decode" if decode else "full"
    opened = whole_store(store)
    with progress("Verifying") as advance:
        found = verify_store(opened, level, on_shard=lambda name, total: advance(note=name, total=total))
    write_json(json_file, result(opened, level, found))
    if found.findings:
        raise StoreError(first_line(opened, found))
    for note in found.notes:
        console.print(f"not looked at: {note}", soft_wrap=True)
    images = f", {count_of(found.images, 'image')}" if found.images else ""
    by = f", decoded with {' and '.join(found.decoders)}" if found.decoders else ""
    console.print(f"{store} is whole ({level}): {found.files:,} files{images}{by}", soft_wrap=True)


def whole_store(text: str) -> Store:
    """The store of a command that takes no selection; files of it may be missing or damaged."""
    from dataengine.store import open_unchecked, parse_ref

    if parse_ref(text).where:
        raise StoreError(f"'{text}' is a selection; this command takes a whole store: leave out what follows the '@'")
    return open_unchecked(text)


def first_line(store: Store, found: Verified) -> str:
    """The first bad file, what is wrong with it, how many there are, and what to do."""
    from dataengine.place import how_to_mend

    first = found.findings[0]
    file = store.root / first.file
    count = f"{len(found.damaged)} of {found.files} files damaged"
    return f"{file}: {first.reason} ({count}); {how_to_mend(file)}"


def result(store: Store, level: str, found: Verified) -> dict[str, Any]:
    """What `--json` holds."""
    return {
        "store": str(store.root),
        "fingerprint": store.fingerprint,
        "level": level,
        "files": found.files,
        "images": found.images,
        "decoders": list(found.decoders),
        "damaged_files": len(found.damaged),
        "damaged": [{"file": finding.file, "reason": finding.reason} for finding in found.findings],
        "notes": list(found.notes),
    }
