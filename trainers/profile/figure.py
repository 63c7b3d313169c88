"""A profile as a picture: the loader by its stages, the model, and the step that both of them make."""

from __future__ import annotations

import textwrap
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import StrMethodFormatter

from dataengine.drawing import COLOURS, FAINT, MUTED, STYLE
from trainers.profile.record import STAGES, Profile
from trainers.profile.verdict import Case, expected, noise_note, storage_note, verdict

_COLOUR = dict(zip(STAGES, (COLOURS[2], COLOURS[4], COLOURS[5]), strict=True))
_MODEL, _WAIT = COLOURS[0], COLOURS[1]
_BARS_INCHES = 2.9
_AXIS = 1.28  # of the longest bar, so that its numbers stand beside it
_ROOM = 0.05  # of the axis: a bar's part that is narrower has no room for its number
_SEEN = 0.004  # of the axis: a part that is narrower is a line at most, and not in the legend

_STYLE = {**STYLE, "hatch.linewidth": 1.1}


def draw_profile(profile: Profile, path: Path) -> None:
    """Write the picture to `path`, whose suffix says its format; the verdict is its heading."""
    title, _, more = verdict(profile).sentence.partition("; ")
    heading, remedy = textwrap.wrap(title, 98), textwrap.wrap(more, 130)
    caption = textwrap.wrap(_caption(profile), 150)
    titled = 0.12 + 0.21 * len(heading)
    above, below = titled + 0.03 + 0.17 * len(remedy), 0.1 + 0.15 * len(caption)
    height = above + _BARS_INCHES + below
    with matplotlib.rc_context(_STYLE):
        room = (0.01, below / height, 0.98, _BARS_INCHES / height)
        figure = Figure(figsize=(9, height), layout=ConstrainedLayoutEngine(rect=room))
        _bars(figure.subplots(), profile)
        top, bottom = 1 - 0.12 / height, 0.1 / height
        figure.text(0.02, top, "\n".join(heading), va="top", fontsize=11, weight="bold", linespacing=1.35)
        figure.text(0.02, 1 - titled / height, "\n".join(remedy), va="top", fontsize=8.5, linespacing=1.35)
        figure.text(0.02, bottom, "\n".join(caption), va="bottom", fontsize=7.5, color=MUTED, linespacing=1.4)
        figure.savefig(path, dpi=160, facecolor="white", metadata={"Date": None} if path.suffix == ".svg" else None)


def _bars(ax: Axes, profile: Profile) -> None:
    case = expected(profile)
    step, model, loader = case.step, case.model, case.loader
    end = _end(profile, case)
    left, detail = 0.0, []
    for name, ms in case.stages.items():
        _part(ax, 2, left, ms, _COLOUR[name], name if ms > _SEEN * end else "", _ms(ms) if ms > _ROOM * end else "")
        left += ms
        detail.append(f"{name} {_ms(ms)}")
    _part(ax, 1, 0, model, _MODEL, "model")
    _part(ax, 0, 0, min(model, step), _MODEL)
    if step > model:
        what = "lost to sharing" if case.contended else "waiting for input"
        text = f"{100 * case.lost:.0f} %" if step - model > _ROOM * end else ""
        _part(ax, 0, model, step - model, _WAIT, what if step - model > _SEEN * end else "", text, hatch="////")
    other = profile.step.ms - step
    if other > 0:
        _part(ax, 0, step, other, FAINT, "other work" if other > _SEEN * end else "", hatch="////")
    aside = f"   ({' + '.join(detail)})" if loader < end / 3 else ""
    for y, ms, more in ((2, loader, aside), (1, model, ""), (0, max(step, profile.step.ms), "")):
        text = f"{_ms(ms)} ms   {1000 * profile.batch / ms:,.0f} images/s{more}"
        ax.text(ms + 0.01 * end, y, text, va="center", bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})
    threads = f"{profile.threads} thread{'s' * (profile.threads > 1)}"
    whole = (
        "training,\nexpected with storage cold" if step > profile.step.ms else "training:\nthe loader feeds the model"
    )
    names = (whole, "model alone,\non cached batches", f"loader alone,\n{threads}")
    ax.set_yticks((0, 1, 2), names)
    ax.set_xlim(0, end)
    ax.set_ylim(-0.5, 2.5)
    ax.set_xlabel(f"milliseconds a batch of {profile.batch}")
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    ax.grid(axis="x", color=FAINT, lw=0.4)
    ax.set_axisbelow(True)
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=6,
        columnspacing=1.4,
        frameon=False,
        handlelength=1.1,
        borderaxespad=0.2,
    )


def _end(profile: Profile, case: Case) -> float:
    """Of the axis, in milliseconds."""
    return _AXIS * max(case.step, profile.step.ms, case.model, case.loader)


def _part(
    ax: Axes, y: int, left: float, ms: float, colour: str, label: str = "", text: str = "", *, hatch: str = ""
) -> None:
    """A part of a bar; one with a hatch is drawn as an outline, since nothing is done in that time."""
    face, edge, ink = ("white", colour, colour) if hatch else (colour, "white", "white")
    ax.barh(y, ms, 0.56, left, color=face, edgecolor=edge, lw=0.8, hatch=hatch, label=label or None)
    box = {"facecolor": face, "edgecolor": "none", "pad": 1.5}
    ax.text(left + ms / 2, y, text, ha="center", va="center", color=ink, weight="bold", bbox=box if text else None)


def _caption(profile: Profile) -> str:
    views = f", {profile.views} views" if profile.views > 1 else ""
    what = (
        f"{profile.model} ({profile.task}, {profile.loss}) on {' + '.join(profile.data)}, {profile.augment} to "
        f"{profile.size} px{views}, {profile.backend} backend, {profile.device_name}, {profile.cpus} CPUs. "
    )
    case, noise = expected(profile), noise_note(profile)
    small = [f"{name} ({_ms(ms)} ms)" for name, ms in case.stages.items() if ms <= _SEEN * _end(profile, case)]
    unseen = f" Too short to be seen: {', '.join(small)}." if small else ""
    return f"{what}Samples: {storage_note(profile)}.{unseen}{f' Note: {noise}.' if noise else ''}"


def _ms(ms: float) -> str:
    return f"{ms:,.0f}" if ms >= 10 else f"{ms:.2g}"
