"""The order of a sweep's work, run here one trial at a time without Ray."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tune_spaces.attribution import SPACE
from tune_spaces.records import Trial
from tune_spaces.space import narrow
from tune_spaces.work import GridProposals, OptunaProposals, SourceWork, Work

SOURCES = ("dfd", "ff++")
SAMPLES, SEEDS = 14, 3
SMALL = narrow(SPACE, {"model": ("resnet18", "resnet26"), "loss": ()})


def work(known: Sequence[Trial] = (), *, samples: int = SAMPLES, seeds: int = SEEDS, search: str = "optuna") -> Work:
    def of(source: str) -> SourceWork:
        proposals = (
            OptunaProposals(SMALL, samples=samples, seed=0, source=source)
            if search == "optuna"
            else GridProposals(SMALL)
        )
        mine = [trial for trial in known if trial.source == source]
        return SourceWork(source, proposals, seeds=seeds, seed=0, known=mine)

    return Work([of(source) for source in SOURCES])


def ended(trial: Trial) -> Trial:
    """A trial's end as a function of what it is: most are done, some stopped early, some failed."""
    digest = hashlib.sha256(f"{trial.source}/{sorted(trial.settings.items())}/{trial.seed}".encode()).digest()
    score = digest[0] / 255
    if trial.stage == "search" and digest[1] < 40:
        return replace(trial, status="stopped", scores=(score,))
    return replace(trial, status="done", scores=(score / 2, score))


def finish(todo: Work, *, steps: int | None = None) -> Work:
    while steps != 0 and (trial := todo.next()) is not None:
        todo.end(ended(trial))
        steps = None if steps is None else steps - 1
    return todo


def facts(todo: Work) -> list[tuple[object, ...]]:
    return [(t.trial_id, t.stage, t.seed, t.status, t.scores, sorted(t.settings.items())) for t in todo.trials]


@pytest.fixture(scope="module")
def undisturbed() -> Work:
    return finish(work())


@settings(max_examples=12, deadline=None)
@given(cut=st.integers(0, 2 * SAMPLES + 8))
def test_a_sweep_cut_off_anywhere_goes_on_as_if_it_had_not_been(undisturbed: Work, cut: int) -> None:
    begun = finish(work(), steps=cut)
    if (trial := begun.next()) is not None:  # it was running when the sweep was cut off
        assert trial.status == "running"
    assert facts(finish(work(begun.trials))) == facts(undisturbed)


def test_no_finished_trial_is_given_out_again(undisturbed: Work) -> None:
    assert undisturbed.finished
    again = work(undisturbed.trials)
    assert again.finished
    assert again.next() is None
    assert again.total == len(undisturbed.trials)


def test_a_failed_trial_is_tried_again_first(undisturbed: Work) -> None:
    trials = undisturbed.trials
    trials[3] = replace(trials[3], status="failed", error="the disk is full", scores=())
    again = work(trials).next()
    assert again is not None
    assert (again.trial_id, again.status, again.error) == (trials[3].trial_id, "running", "")


def test_more_samples_go_on_where_the_search_stood() -> None:
    first = finish(work(samples=6, seeds=1))
    more = finish(work(first.trials, samples=9, seeds=1))
    for source in SOURCES:
        searched = [t for t in more.trials if t.source == source and t.stage == "search"]
        assert [t.number for t in searched] == list(range(9))
        assert searched[:6] == [t for t in first.trials if t.source == source and t.stage == "search"]


def test_sources_take_turns_and_have_searches_of_their_own() -> None:
    todo = work()
    first = [todo.next() for _ in range(4)]
    assert [trial.source for trial in first if trial] == ["dfd", "ff++", "dfd", "ff++"]
    assert first[0].settings != first[1].settings  # type: ignore[union-attr]


def test_every_backbone_ends_with_as_many_whole_trainings_of_its_best_settings_as_seeds(undisturbed: Work) -> None:
    for source in undisturbed.sources.values():
        for model, best in source.best().items():
            whole = [t for t in source.trials.values() if t.status == "done" and t.settings == best.settings]
            assert {t.seed for t in whole} == set(range(SEEDS)), model
            rivals = [t for t in source.trials.values() if t.stage == "search" and t.settings["model"] == model]
            assert best.score == max(t.score for t in rivals if t.status == best.status)  # type: ignore[type-var]


def test_seeds_wait_for_the_search_of_their_source() -> None:
    todo = work(samples=1, seeds=2)
    searching = [todo.next(), todo.next()]
    assert todo.next() is None
    assert not todo.finished
    assert searching[0] is not None
    todo.end(replace(searching[0], status="done", scores=(0.5,)))
    seed = todo.next()
    assert seed is not None
    assert (seed.source, seed.stage, seed.seed, seed.settings) == ("dfd", "seed", 1, searching[0].settings)


def test_a_grid_is_backbones_times_losses_for_each_source() -> None:
    todo = finish(work(search="grid", seeds=1))
    for source in SOURCES:
        points = [(t.settings["model"], t.settings["loss"]) for t in todo.trials if t.source == source]
        assert len(points) >= 4
        assert {("resnet18", "ce"), ("resnet18", "ce+supcon"), ("resnet26", "ce"), ("resnet26", "ce+supcon")} == set(
            points
        )


def test_targets_have_no_say_in_what_is_chosen(undisturbed: Work) -> None:
    def measured(value: float) -> list[Trial]:
        return [replace(t, targets={"celeb-df": {"detection_auc": value}}) for t in undisturbed.trials]

    chosen = [{m: t.trial_id for m, t in s.best().items()} for s in work(measured(0.1)).sources.values()]
    assert chosen == [{m: t.trial_id for m, t in s.best().items()} for s in undisturbed.sources.values()]
