"""One self-contained HTML page from run folders and a sweep's trials: nothing in it is fetched from anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from dataengine.errors import StateError
from trainers.checkpoint import write_whole
from trainers.evaluation.bootstrap import MIN_GROUPS
from trainers.metrics import Confusion
from trainers.report.answer import QUESTION, answers, headline, number
from trainers.report.figures import curves, generalisation
from trainers.report.material import Row, RunMaterial, Target, read_run, rows_of
from trainers.report.tables import (
    Cell,
    Matrix,
    matrix,
    pooled_confusion,
    read_trials,
    runs_of_trials,
    settings,
    shown,
    stores,
    targets_of,
)

TITLES = {
    "attribution_balanced_accuracy": "Naming the method: balanced accuracy",
    "detection_auc": "Real or fake: AUC",
    "detection_balanced_accuracy": "Real or fake: balanced accuracy",
}


def build_report(
    runs: Sequence[Path], out: Path, *, trials: Path | None = None, title: str = "Across datasets"
) -> Path:
    """Write the report of finished runs to `out` and give it back; a pure function of the files it is given.

    `trials` is a sweep's trials.parquet: its best trials are listed, and where `runs` is empty, the runs reported
    are those that `tables.runs_of_trials` takes. Runs that differ in nothing but the seed become one row. Raises
    StateError where a run isn't finished or none was evaluated.
    """
    folders = list(runs) or (runs_of_trials(trials) if trials else [])
    if not folders:
        raise StateError("no finished run to report; name run folders, or a sweep that has finished trials")
    rows = rows_of([read_run(folder) for folder in dict.fromkeys(folders)])
    targets = targets_of(rows)
    if not targets:
        raise StateError(
            f"{folders[0]} holds no predictions beyond its validation split; "
            f"run `dfx eval {folders[0]} --on STORE` first"
        )
    text = _template().render(**_content(rows, targets, trials, title))
    write_whole(out, lambda file: _write(file, text))
    return out


def _write(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")


def _template() -> Any:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["number"] = number
    environment.filters["setting"] = shown
    environment.filters["shade"] = shade
    return environment.from_string(files("trainers.report").joinpath("page.html.j2").read_text(encoding="utf-8"))


def _content(rows: Sequence[Row], targets: Sequence[Target], trials: Path | None, title: str) -> dict[str, Any]:
    tasks = {row.task for row in rows}
    metrics = [name for name in TITLES if name.startswith("detection") or "attribution" in tasks]
    if tasks == {"attribution"}:
        metrics.remove("detection_balanced_accuracy")
    matrices = {name: matrix(rows, targets, name) for name in TITLES}
    runs = [run for row in rows for run in row.runs]
    chosen = {headline(rows, task, source) for task, source in {(row.task, row.source) for row in rows}}
    cells = [cell for name in metrics for cell in matrices[name].values()]
    return {
        "title": title,
        "question": QUESTION["attribution" if "attribution" in tasks else "detection"],
        "answers": answers(rows, targets, matrices),
        "rows": rows,
        "targets": targets,
        "chosen": chosen,
        "matrices": [(name, TITLES[name], matrices[name], _heads(matrices[name], targets)) for name in metrics],
        "figure": generalisation(rows, targets, [(TITLES[name], matrices[name]) for name in metrics]),
        "curves": curves(rows),
        "rows_by_model": _by_model(rows),
        "tasks_of": {name: ("attribution",) if name.startswith("attribution") else tasks for name in metrics},
        "confusions": [(i, _confusions(row, targets)) for i, row in enumerate(rows)],
        "trials": read_trials(trials) if trials else None,
        "settings": settings(runs),
        "stores": stores(runs),
        "runs": runs,
        "versions": _versions(runs),
        "oracle": any(row.oracle for row in rows),
        "several_seeds": any(len(row.runs) > 1 for row in rows),
        "without_interval": any(cell.value is not None and cell.interval is None for cell in cells),
        "min_groups": MIN_GROUPS,
        "shared": [(run, target, num) for run in runs for target, num in run.shared.items()],
        "unreadable": sum(sum(run.unreadable.values()) for run in runs),
    }


def _by_model(rows: Sequence[Row]) -> list[tuple[str, list[tuple[int, Row]]]]:
    found: dict[str, list[tuple[int, Row]]] = {}
    for i, row in enumerate(rows):
        found.setdefault(row.model if row.task == "attribution" else f"{row.model} (detector)", []).append((i, row))
    return list(found.items())


def _heads(matrix: Matrix, targets: Sequence[Target]) -> list[tuple[Target, Cell | None, bool]]:
    """(target, a cell of its column, whether the whole column is of as many clips and has one chance level)."""
    heads = []
    for target in targets:
        column = [cell for (_, of), cell in matrix.items() if of == target]
        same = len({(cell.num_clips, cell.groups, None if cell.all_unseen else cell.chance) for cell in column}) == 1
        heads.append((target, column[0] if column else None, same))
    return heads


def _confusions(row: Row, targets: Sequence[Target]) -> list[tuple[Target, Confusion, bool]]:
    return [
        (target, pooled_confusion(row, target), target.fingerprint in row.runs[0].fingerprints)
        for target in targets
        if any(target in run.clips for run in row.runs)
    ]


def _versions(runs: Sequence[RunMaterial]) -> list[tuple[str, str]]:
    """Every version that a run was made with; several where runs differ."""
    found: dict[str, set[str]] = {}
    for run in runs:
        for name, version in {"dfx": run.config["dfx"], **run.config["versions"]}.items():
            found.setdefault(name, set()).add(str(version))
    return [(name, ", ".join(sorted(versions))) for name, versions in found.items()]


def shade(value: float | None, low: float = 0.0) -> str:
    """CSS colours for a value between `low` and 1: one hue, light to dark, so that no colour vision is needed."""
    if value is None:
        return "background:#f4f4f2"
    share = min(1.0, max(0.0, (value - low) / (1 - low)))
    light, dark = (246, 249, 252), (96, 156, 209)
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(light, dark, strict=True))
    return f"background:rgb({red},{green},{blue})"
