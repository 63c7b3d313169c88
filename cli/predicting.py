"""What commands that predict share: where and how it is computed, a bar, and cells with intervals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.console import drawable, progress

if TYPE_CHECKING:
    from trainers.evaluation.predicted import OnProgress

RunArgument = Annotated[Path, typer.Argument(help="A finished run folder, such as runs/NAME.", metavar="RUN")]
OnOption = Annotated[
    list[str],
    typer.Option("--on", help="A store, or a selection of one (STORE@method=real,Face2Face); repeatable."),
]
SplitOption = Annotated[
    str,
    typer.Option("--split", help="Which split: test, the one that neither training nor model selection has seen."),
]
DeviceOption = Annotated[str, typer.Option("--device", help="cpu, cuda, cuda:1, or auto: a GPU where there is one.")]
BackendOption = Annotated[
    str, typer.Option("--backend", help="Who decodes: auto (DALI on a GPU, else cpu), cpu, dali.")
]
BatchOption = Annotated[
    int, typer.Option("--batch", help="Images at a time; changes the speed, not the result.", min=1)
]
ThreadsOption = Annotated[
    int | None,
    typer.Option("--threads", help="Decoding threads; all cores by default.", min=1, show_default=False),
]
FigureOption = Annotated[
    Path | None,
    typer.Option("--figure", help="Also draw it: .png, .pdf or .svg.", metavar="FILE", callback=drawable),
]


@contextmanager
def following() -> Iterator[OnProgress]:
    """A bar over predictions that are made one after the other; yields their `on_progress`."""
    finished, done, current = 0, 0, ""
    with progress("predicting") as advance:

        def on_progress(what: str, samples: int, total: int) -> None:
            nonlocal finished, done, current
            if what != current or samples < done:  # another run may predict the same store
                finished, done, current = finished + done, 0, what
            advance(samples - done, note=what, total=finished + total)
            done = samples

        yield on_progress


def cell(found: Mapping[str, Any] | None, *, percent: bool = False) -> str:
    """A {value, interval} in two lines, the interval below."""
    if found is None or found["value"] is None:
        return "undefined"
    lines = [_number(found["value"], percent)]
    if found["interval"] is not None:
        lines.append(span(found["interval"], percent=percent))
    return "\n".join(lines)


def span(interval: Sequence[float], *, percent: bool = False) -> str:
    """An interval; one that reaches below 0 is written with "to", so that no dash meets a minus."""
    low, high = (_number(end, percent) for end in interval)
    return f"{low} to {high}" if interval[0] < 0 else f"{low}-{high}"


def _number(value: float, percent: bool) -> str:
    return f"{100 * value:.1f}" if percent else f"{value:.3f}"
