"""Which trial comes next: the order of a sweep's work, as a function of the trials that were.

One queue serves all sources, one after the other in turn, so that a machine stays busy while any of them has work:
a search for each source, which sees that source's trials only, and after it the further seeds of its best settings.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, Protocol

from dataengine.errors import DfxError
from tune_spaces.records import Trial
from tune_spaces.space import Choice, Dimension, Setting, Settings, Space, draw, grid

if TYPE_CHECKING:
    import optuna

Search = Literal["optuna", "grid"]
SEARCHES: tuple[Search, ...] = ("optuna", "grid")
GRID = ("model", "loss")
"""What `grid` crosses: a cross-dataset matrix compares backbones and losses, with all else equal."""


class Proposals(Protocol):
    """Settings for the trials of one source, by their number."""

    total: int

    def propose(self, number: int) -> Settings:
        """The settings of trial `number`, which is asked for once, in order."""

    def recall(self, trial: Trial) -> None:
        """Take in a trial of an earlier session, in order, as if it had been proposed now."""

    def learn(self, trial: Trial) -> None:
        """Take in how a trial ended."""


class GridProposals:
    """Every combination of backbone and loss, in order; learns nothing."""

    def __init__(self, space: Space) -> None:
        self._points = grid(space, GRID)
        self.total = len(self._points)

    def propose(self, number: int) -> Settings:
        """The settings of trial `number`."""
        return self._points[number]

    def recall(self, trial: Trial) -> None:
        """Nothing: the grid is fixed."""

    def learn(self, trial: Trial) -> None:
        """Nothing: the grid is fixed."""


class OptunaProposals:
    """Optuna's tree-structured Parzen estimator: random for the first ten trials, then near what did well.

    The sampler is seeded anew for each trial from (seed, source, number): what a trial gets depends on the trials
    before it, never on whether the sweep was killed and taken up again in between. With several trials at once it
    also depends on which of them ended first.
    """

    def __init__(self, space: Space, *, samples: int, seed: int, source: str) -> None:
        try:
            import optuna
        except ImportError as error:
            raise DfxError(f"this search needs Optuna ({error}); pip install optuna, or use --search grid") from None
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.total = samples
        self._space, self._seed, self._source = space, seed, source
        self._study = optuna.create_study(direction="maximize")
        self._open: dict[int, optuna.trial.Trial] = {}

    def propose(self, number: int) -> Settings:
        """The settings of trial `number`."""
        import optuna

        digest = hashlib.sha256(f"{self._seed}/{self._source}/{number}".encode()).digest()
        # constant_liar: trials that still run count as poor, so that trials at once do not crowd one spot.
        self._study.sampler = optuna.samplers.TPESampler(seed=int.from_bytes(digest[:4]), constant_liar=True)
        asked = self._study.ask()
        self._open[number] = asked
        return draw(self._space, lambda name, dimension: _suggest(asked, name, dimension))

    def recall(self, trial: Trial) -> None:
        """Take in a trial of an earlier session, in order."""
        self._study.enqueue_trial(dict(trial.settings))
        self.propose(trial.number)
        if trial.status in ("done", "stopped"):
            self.learn(trial)

    def learn(self, trial: Trial) -> None:
        """Take in how a trial ended; a stopped one counts by how far it came."""
        import optuna

        asked = self._open.pop(trial.number)
        if trial.status == "failed" or trial.score is None:
            self._study.tell(asked, state=optuna.trial.TrialState.FAIL)
        elif trial.status == "stopped":
            for epoch, score in enumerate(trial.scores, start=1):
                asked.report(score, epoch)
            self._study.tell(asked, state=optuna.trial.TrialState.PRUNED)
        else:
            self._study.tell(asked, trial.score)


def _suggest(asked: optuna.trial.Trial, name: str, dimension: Dimension) -> Setting:
    if isinstance(dimension, Choice):
        value: Setting = asked.suggest_categorical(name, dimension.options)
        return value
    return float(asked.suggest_float(name, dimension.low, dimension.high, log=dimension.log))


class SourceWork:
    """The trials of one source: its search, then the further seeds of the best settings of each backbone."""

    def __init__(self, source: str, proposals: Proposals, *, seeds: int, seed: int, known: Sequence[Trial]) -> None:
        """`known`: the source's trials of an earlier session. Those that ended well are not repeated; those that
        were cut off or failed are taken up first."""
        self.source = source
        self._proposals, self._seeds, self._seed = proposals, seeds, seed
        self.trials = {trial.trial_id: trial for trial in known}
        searched = sorted((t for t in known if t.stage == "search"), key=lambda t: t.number)
        for trial in searched:
            proposals.recall(trial)
        self._next = len(searched)
        self._again = [t for t in known if t.status in ("running", "failed")]
        self._open: set[str] = set()

    def next(self) -> Trial | None:
        """The trial to start now; None where there is none, for now or for good (`finished`)."""
        trial = self._take()
        if trial is not None:
            self.trials[trial.trial_id] = trial
            self._open.add(trial.trial_id)
        return trial

    def _take(self) -> Trial | None:
        if self._again:
            return replace(self._again.pop(0), status="running", error="", scores=(), targets=None)
        if self._next < self._proposals.total:
            number, self._next = self._next, self._next + 1
            settings = self._proposals.propose(number)
            name = f"{self.source}-{number:03d}"
            return Trial(
                trial_id=name, source=self.source, stage="search", number=number, settings=settings, seed=self._seed
            )
        if any(self.trials[name].stage == "search" for name in self._open):
            return None
        return next((t for t in self._seed_trials() if t.trial_id not in self.trials), None)

    def end(self, trial: Trial) -> None:
        """Take in how a trial ended."""
        self._open.discard(trial.trial_id)
        self.trials[trial.trial_id] = trial
        if trial.stage == "search":
            self._proposals.learn(trial)

    @property
    def finished(self) -> bool:
        """Nothing runs, and nothing is left to start."""
        left = self._again or self._next < self._proposals.total or self._open
        return not left and all(t.trial_id in self.trials for t in self._seed_trials())

    def best(self) -> dict[str, Trial]:
        """For each backbone, the search trial with the best score; one that ran to its end where there is any."""
        ended = [t for t in self.trials.values() if t.stage == "search" and t.score is not None]
        ended = [t for t in ended if t.status in ("done", "stopped")]
        found: dict[str, Trial] = {}
        for trial in sorted(ended, key=lambda t: (t.status != "done", -(t.score or 0.0), t.number)):
            found.setdefault(str(trial.settings.get("model")), trial)
        return found

    def _seed_trials(self) -> list[Trial]:
        """Each backbone's best settings with every seed that they lack a whole training for."""
        return [
            Trial(
                trial_id=f"{self.source}-{best.number:03d}-seed{seed}",
                source=self.source,
                stage="seed",
                number=best.number,
                settings=best.settings,
                seed=seed,
            )
            for best in self.best().values()
            for seed in range(self._seed, self._seed + self._seeds)
            if seed != self._seed or best.status == "stopped"
        ]

    @property
    def total(self) -> int:
        """How many trials there will be, as far as is known now."""
        return self._proposals.total + len(self._seed_trials())


class Work:
    """The work of all sources, served in turn."""

    def __init__(self, sources: Sequence[SourceWork]) -> None:
        self.sources = {source.source: source for source in sources}
        self._turn = list(sources)

    def next(self) -> Trial | None:
        """The trial to start now; None where there is none, for now or for good (`finished`)."""
        for i, source in enumerate(self._turn):
            if (trial := source.next()) is not None:
                self._turn = self._turn[i + 1 :] + self._turn[: i + 1]
                return trial
        return None

    def update(self, trial: Trial) -> None:
        """Take in how far a trial is that runs."""
        self.sources[trial.source].trials[trial.trial_id] = trial

    def end(self, trial: Trial) -> None:
        """Take in how a trial ended."""
        self.sources[trial.source].end(trial)

    @property
    def finished(self) -> bool:
        """Nothing runs, and nothing is left to start."""
        return all(source.finished for source in self.sources.values())

    @property
    def total(self) -> int:
        """How many trials there will be, as far as is known now."""
        return sum(source.total for source in self.sources.values())

    @property
    def trials(self) -> list[Trial]:
        """Every trial so far, by source and in the order of their numbers."""
        every = [trial for source in self.sources.values() for trial in source.trials.values()]
        return sorted(every, key=lambda t: (t.source, t.number, t.stage, t.seed))
