"""The report's first paragraph: what was asked, and the answer in two sentences computed from the numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from trainers.report.material import Row, Target
from trainers.report.tables import Cell, Matrix

QUESTION = {
    "attribution": "Does a model that tells which method made a fake still work on a dataset it has not seen?",
    "detection": "Does a model that tells real from fake still work on a dataset it has not seen?",
}


def number(value: float | None, interval: tuple[float, float] | None = None) -> str:
    """0.412 [0.353, 0.470], or "undefined"; where there is no interval, the number alone."""
    if value is None:
        return "undefined"
    return f"{value:.3f}" + (f" [{interval[0]:.3f}, {interval[1]:.3f}]" if interval else "")


def headline(rows: Sequence[Row], task: str, source: str) -> int | None:
    """The row that speaks for a source: the best by that source's validation split, never by a target."""
    mine = [i for i, row in enumerate(rows) if (row.task, row.source) == (task, source) and row.validation is not None]
    return max(mine, key=lambda i: rows[i].validation or 0.0, default=None)


def answers(rows: Sequence[Row], targets: Sequence[Target], matrices: Mapping[str, Matrix]) -> list[str]:
    """Two sentences for each source and task: on its own and on other datasets; then as a detector, methods unseen."""
    found = []
    for task, source in dict.fromkeys((row.task, row.source) for row in rows):
        i = headline(rows, task, source)
        if i is None:
            continue
        of = {name: {t: matrix[i, t] for t in targets if (i, t) in matrix} for name, matrix in matrices.items()}
        main = of[f"{task}_balanced_accuracy"]
        sentences = (_main(rows[i], main), _detection(main, of["detection_auc"]))
        found.append(" ".join(sentence for sentence in sentences if sentence))
    return found


def _main(row: Row, cells: Mapping[Target, Cell]) -> str:
    subject = f"Trained on {row.source}, the model that its validation split prefers ({row.model}) "
    does = "names the method" if row.task == "attribution" else "tells real from fake"
    told = [
        f"{number(cell.value, cell.interval)} on {'its own dataset ' if cell.own else ''}{target.label}"
        f"{_attributed(cell)}, {_against(cell)}"
        for target, cell in sorted(cells.items(), key=lambda item: not item[1].own)
        if cell.value is not None
    ]
    if not told:
        return f"{subject}was evaluated on no dataset on which this is defined."
    return f"{subject}{does} with a balanced accuracy of {_listed(told, '; and of ')}."


def _attributed(cell: Cell) -> str:
    return f" (its methods seen in training alone, {', '.join(cell.unseen)} left out)" if cell.unseen else ""


def _against(cell: Cell) -> str:
    if cell.interval is None:
        return f"{cell.verdict}; chance is {cell.chance:.3f}"
    return f"{cell.verdict} ({cell.chance:.3f})" if "chance" in cell.verdict else cell.verdict


def _detection(main: Mapping[Target, Cell], auc: Mapping[Target, Cell]) -> str:
    unseen = {target: cell for target, cell in auc.items() if main[target].all_unseen}
    if unseen:
        told = [
            f"{target.label} ({', '.join(cell.unseen)}) {number(cell.value, cell.interval)}, {_against(cell)}"
            for target, cell in unseen.items()
        ]
        return (
            "Where every fake is of a method that training never saw, no method can be named; as a detector "
            f"its AUC is on {_listed(told, '; on ')}."
        )
    told = [f"{number(cell.value, cell.interval)} on {target.label}" for target, cell in auc.items()]
    return f"As a detector its AUC is {_listed(told, ', ')} (chance 0.5)." if told else ""


def _listed(parts: Iterable[str], between: str) -> str:
    return between.join(parts)
