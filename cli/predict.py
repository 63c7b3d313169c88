"""`dfx predict`: a finished run on images and videos."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from cli.console import JsonOption, console, write_json
from dataengine.errors import DfxError

if TYPE_CHECKING:
    from dataengine.settings import ExtractSettings
    from trainers.inference.listing import Listing, MediaFile
    from trainers.inference.media import FileAnswer
    from trainers.taxonomy import Taxonomy

_LINE = 79  # columns of a line at most


def predict(
    run: Annotated[Path, typer.Argument(help="A finished run folder, such as runs/NAME.")],
    files: Annotated[list[Path], typer.Argument(help="Images, videos, and folders of them.", metavar="FILE...")],
    faces: Annotated[
        str,
        typer.Option(
            help="auto: as the run's training images were made | track: crop one face, followed through a video | "
            "largest: crop the largest of each frame | none: whole images."
        ),
    ] = "auto",
    frames: Annotated[
        int | None,
        typer.Option(help="Frames of a video, evenly spaced.", min=1, show_default="as in the run's store"),
    ] = None,
    detector_weights: Annotated[
        Path | None, typer.Option(help="The weights of the run's detector, where they are not its own.")
    ] = None,
    unknown_above: Annotated[
        float | None,
        typer.Option(
            help="Answer 'unknown' where 1 - the largest probability is above this; 0.4 wants at least 0.6.",
            show_default="as the run's openset.json says",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for each video's timeline, as a picture (.png) and as numbers (.json).",
            show_default="predictions-RUN",
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, or auto: a GPU where there is one.")] = "auto",
    json_file: JsonOption = None,
) -> None:
    """Say of images and videos which method made them, or that they are real, and how sure the model is.

    Files go the way that a store's samples go: frames spread over the video, one face followed through it, crops
    encoded as the run's training images were. A video's probabilities are the mean over its frames. Files that cannot
    be read are named, the rest goes on, and the exit code is 1.
    """
    from trainers.inference.answer import rejection_of
    from trainers.inference.listing import find_media
    from trainers.inference.media import Predictor, extraction_of
    from trainers.run import open_run

    opened = open_run(run)
    extraction = extraction_of(opened, faces=faces, frames=frames, weights=detector_weights)
    rejection = rejection_of(opened, unknown_above=unknown_above)
    listing = find_media(files)
    if not listing.files and not listing.refused:
        raise DfxError(f"no image or video in {', '.join(map(str, files))}; name files, or the folder that holds them")
    names = _timeline_names(listing.files)
    folder = out or Path(f"predictions-{opened.name}")
    if names:
        _claim(folder, str(opened.path.resolve()))
    predictor = Predictor(opened, extraction.settings, rejection, device=device)
    taxonomy, settings = opened.taxonomy, extraction.settings
    console.print(Text(opened.name, "bold"), f"({taxonomy})", soft_wrap=True)
    console.print(f"shown to the model: {_shown(settings)} ({extraction.origin})", soft_wrap=True)
    unknown = "never answered, since the run has no threshold for it; set one with --unknown-above"
    if rejection is not None:
        unknown = f"where {rejection.score} is above {rejection.threshold:g} ({rejection.origin})"
    console.print(f"'unknown': {unknown}", soft_wrap=True)
    console.print()
    lines = _Lines(listing, taxonomy)
    console.print(lines.head(), style="bold", soft_wrap=True)
    answers: list[dict[str, Any]] = []
    failed = dict(listing.refused)
    for path in listing.refused:
        console.print(lines.row(path, "cannot be read"), soft_wrap=True)
    for file in listing.files:
        found = predictor(file)
        if found.status == "failed":
            failed[str(file.path)] = found.reason
        drawn = found.frames and file in names
        timeline = _write_timeline(found, taxonomy, folder / names[file], opened.name) if drawn else None
        answers.append({**found.as_dict(taxonomy.classes), "timeline": timeline})
        console.print(lines.of(found), soft_wrap=True)
    _show_end(listing, answers, failed, folder)
    write_json(json_file, _payload(opened.name, taxonomy, extraction.origin, listing, answers))
    if failed:
        raise typer.Exit(1)


def _shown(settings: ExtractSettings) -> str:
    if settings.faces == "none":
        return "whole images"
    what = "the face" if settings.looks_for_faces else "the middle of the image"
    aligned = ", aligned" if settings.align else ""
    return f"{what}{aligned}, with a margin of {settings.margin:g}, to {settings.size} px"


def _timeline_names(files: tuple[MediaFile, ...]) -> dict[MediaFile, Path]:
    """Where each video's timeline goes, below the folder; of two that would meet, the second gets a number."""
    names: dict[MediaFile, Path] = {}
    taken: Counter[Path] = Counter()
    for file in files:
        if file.media == "video":
            taken[file.place] += 1
            number = f"-{taken[file.place]}" if taken[file.place] > 1 else ""
            names[file] = file.place.with_name(file.place.name + number)
    return names


def _claim(folder: Path, run: str) -> None:
    """Make the folder, or see that it holds timelines of this run, which may then be replaced."""
    from trainers.checkpoint import write_json as write_whole_json
    from trainers.inference.listing import TIMELINES_FILE

    marker = folder / TIMELINES_FILE
    if folder.exists() and not folder.is_dir():
        raise DfxError(f"{folder} is a file; choose another --out")
    if folder.exists() and any(folder.iterdir()):
        try:
            holds = json.loads(marker.read_text(encoding="utf-8"))["run"]
        except (OSError, ValueError, KeyError, TypeError):
            raise DfxError(f"{folder} is not empty and holds no timelines of dfx; choose another --out") from None
        if holds != run:
            raise DfxError(f"{folder} holds timelines of the run {holds}; choose another --out")
    write_whole_json(marker, {"run": run})


def _write_timeline(found: FileAnswer, taxonomy: Taxonomy, at: Path, run: str) -> str:
    from trainers.checkpoint import write_json as write_whole_json
    from trainers.inference.timeline import draw_timeline

    picture = at.with_name(f"{at.name}.png")
    draw_timeline(found, taxonomy, picture, run=run)
    write_whole_json(at.with_name(f"{at.name}.json"), found.as_dict(taxonomy.classes))
    return str(picture)


class _Lines:
    """One line a file, in columns that fit the longest name and answer, within 80."""

    def __init__(self, listing: Listing, taxonomy: Taxonomy) -> None:
        self._detection = taxonomy.task == "detection"
        self._answer = max(map(len, (*taxonomy.classes, "no face found", "cannot be read")))
        room = _LINE - self._answer - len("  p(fake)  32 of 32 frames  ")
        longest = max(map(len, (*(str(file.path) for file in listing.files), *listing.refused)))
        self._name = max(12, min(longest, room))

    def head(self) -> str:
        return self.row("file", "answer", "p(fake)" if self._detection else "p", "from")

    def row(self, name: str, answer: str, p: str = "", note: str = "") -> str:
        if len(name) > self._name:
            name = f"…{name[-self._name + 1 :]}"
        return f"{name:<{self._name}}  {answer:<{self._answer}}  {p:>7}  {note}".rstrip()

    def of(self, found: FileAnswer) -> str:
        path = str(found.file.path)
        if found.answer is None:
            return self.row(path, "no face found" if found.status == "no face" else "cannot be read")
        p = found.answer.p_fake if self._detection else max(found.answer.p)
        return self.row(path, found.answer.verdict, f"{p:.3f}", _from(found))


def _from(found: FileAnswer) -> str:
    if found.file.media == "images":
        return "image"
    seen, used = len(found.frames), found.num_answered
    return f"{used} frames" if used == seen else f"{used} of {seen} frames"


def _show_end(listing: Listing, answers: list[dict[str, Any]], failed: Mapping[str, str], folder: Path) -> None:
    """What was answered in all, what could not be read and why, and what was passed over."""
    console.print()
    counts = Counter(one["verdict"] or "no face found" for one in answers if one["status"] != "failed")
    if counts:
        console.print(", ".join(f"{count} {name}" for name, count in counts.most_common()), soft_wrap=True)
    if any(one["timeline"] for one in answers):
        console.print(f"timelines: {folder}", soft_wrap=True)
    if listing.passed_over:
        named = ", ".join(
            f"{count} {suffix or 'without suffix'}" for suffix, count in sorted(listing.passed_over.items())
        )
        console.print(f"passed over, neither images nor videos by their names: {named}", soft_wrap=True)
    lost = [one for one in answers if one["status"] == "ok" and "cannot be read" in one["reason"]]
    partly = {one["file"]: one["reason"] for one in lost}
    for what, reasons in (("answered from a part", partly), ("cannot be read", failed)):
        if reasons:
            console.print(Text(f"{what}: {len(reasons)}", "red" if reasons is failed else "yellow"))
        for path, reason in reasons.items():
            console.print(f"  {path}: {reason}", soft_wrap=True)


def _payload(
    run: str, taxonomy: Taxonomy, origin: str, listing: Listing, answers: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "run": run,
        "task": taxonomy.task,
        "classes": list(taxonomy.classes),
        "extraction": origin,
        "files": answers,
        "refused": dict(listing.refused),
        "passed_over": dict(listing.passed_over),
    }
