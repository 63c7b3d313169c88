"""What a profile says to do."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.trainers.profile.made import GB, made, timing
from trainers.profile.record import Profile, Timing
from trainers.profile.verdict import BOUND, expected, noise_note, storage_note, verdict

ON_CPU = {"device": "cpu", "device_name": "CPU", "cpus": 2}

SAID = [
    (
        made(model=128),
        "compute-bound: the loader could feed 3.2 times faster than the model takes (40 ms against 128 ms a batch); "
        "nothing to gain from the input",
    ),
    (
        made(model=40, loader=41, decode=38),
        "compute-bound, barely: the loader takes 41 ms for a batch and the model 40 ms; a faster model would wait for "
        "it",
    ),
    (
        made(decode=135, loader=145),
        "input-bound: 31 % of each step waits for decode; 4 threads instead of 2 would hide it",
    ),
    (
        made(decode=70, loader=180),
        "augmentation-bound: 44 % of each step waits for augmentation; 4 threads instead of 2 would hide it",
    ),
    (
        made(decode=300, loader=400, cpus=6),
        "input-bound: 75 % of each step waits for decode; hiding it would take 9 threads, and this machine has 6 CPUs "
        "(they would leave 25 %): a smaller stored size (dfx shard --size) or decoding on the GPU (--backend dali)",
    ),
    (
        made(decode=100, loader=400, cpus=2, augment="forensic"),
        "augmentation-bound: 75 % of each step waits for augmentation; hiding it would take 9 threads, and this "
        "machine has 2 CPUs: fewer operations than --augment forensic has or a smaller stored size (dfx shard --size) "
        "or decoding on the GPU (--backend dali)",
    ),
    (
        made(decode=140, loader=150, backend="dali"),
        "input-bound: 33 % of each step waits for decode; it is decoded on the GPU, where threads change little: "
        "a smaller stored size (dfx shard --size)",
    ),
    (
        made(first=200, data_bytes=2000 * GB),
        "storage-bound: 58 % of each step waits for storage; 6 threads instead of 2 would hide it if the storage can "
        "serve them at once, else a faster disk, or more memory",
    ),
    (
        made(first=9000, data_bytes=2000 * GB),
        "storage-bound: 99 % of each step waits for storage; hiding it would take 199 threads, and this machine has 16 "
        "CPUs (they would leave 91 %): a faster disk, or more memory",
    ),
    (
        made(first=2000, data_bytes=2000 * GB, remote=True, threads=16),
        "storage-bound: 95 % of each step waits for storage; hiding it would take 359 threads, and this machine has 16 "
        "CPUs: copy the store to a disk of this machine",
    ),
    (
        made(first=300),
        "compute-bound: the loader could feed 2.5 times faster than the model takes (40 ms against 100 ms a batch); "
        "nothing to gain from the input; only the first epoch reads from storage, at 339 ms a step",
    ),
    (
        made(first=300, remote=True),
        "compute-bound: the loader could feed 2.5 times faster than the model takes (40 ms against 100 ms a batch); "
        "nothing to gain from the input; only the first epoch downloads, at 339 ms a step",
    ),
    (
        made(data_bytes=2000 * GB),
        "compute-bound: the loader could feed 2.5 times faster than the model takes (40 ms against 100 ms a batch); "
        "nothing to gain from the input; storage was not measured: these samples were in the page cache, where all "
        "2.0 TB do not stay",
    ),
    (
        made(model=7000, decode=1500, loader=2100, step=9000, **ON_CPU),
        "shared cores: the loader and the model compete for 2 CPUs, so a step takes 9,000 ms, 29 % more than the model "
        "alone (model 7,000 ms, loader 2,100 ms); more threads do not help, less work for the loader would, by up to "
        "22 %: a smaller stored size (dfx shard --size), or a GPU for the model",
    ),
    (
        made(decode=300, loader=390, step=400, threads=1, **ON_CPU),
        "input-bound: 75 % of each step waits for decode; --threads 2 would speed up loader and model alike, only less "
        "work for the loader makes the wait shorter: a smaller stored size (dfx shard --size)",
    ),
    (
        made(decode=60, loader=70, step=150, backend="dali"),
        "shared GPU: decode and the model take turns on it, so a step takes 150 ms, 50 % more than the model alone "
        "(model 100 ms, loader 70 ms); try --backend cpu, or a smaller stored size (dfx shard --size)",
    ),
    (
        made(decode=30, loader=40, step=130, threads=16),
        "shared cores: the loader's threads hold up the one that drives the GPU, so a step takes 130 ms, 30 % more "
        "than the model alone (model 100 ms, loader 40 ms); 8 threads instead of 16 can still feed it",
    ),
    (
        made(decode=4, loader=5, step=130, threads=8),
        "shared cores: the loader's threads hold up the one that drives the GPU, so a step takes 130 ms, 30 % more "
        "than the model alone (model 100 ms, loader 5 ms); 1 thread instead of 8 can still feed it",
    ),
]


@pytest.mark.parametrize(("profile", "sentence"), SAID, ids=[said.partition(":")[0] for _, said in SAID])
def test_the_sentence_says_what_to_change(profile: Profile, sentence: str) -> None:
    assert verdict(profile).sentence == sentence


MS = st.floats(0.01, 1e5)


@given(
    storage=MS,
    decode=MS,
    loader=MS,
    model=MS,
    step=MS,
    first=MS,
    threads=st.integers(1, 64),
    cpus=st.integers(1, 64),
    data_bytes=st.integers(1, 10**14),
    remote=st.booleans(),
    place=st.sampled_from([("cuda", "dali"), ("cuda:1", "cpu"), ("cpu", "cpu"), ("cpu", "dali")]),
)
def test_any_figures_give_one_line_whose_loss_is_a_share(place: tuple[str, str], **figures: float) -> None:
    profile = made(device=place[0], backend=place[1], **figures)
    said = verdict(profile)
    assert said.bound in BOUND
    assert 0 <= said.lost < 1
    assert "\n" not in said.sentence
    assert sum(profile.stages.values()) == pytest.approx(profile.loader.ms)


@given(loader=st.floats(110, 1e4), threads=st.integers(1, 8))
def test_the_threads_that_are_named_feed_the_model(loader: float, threads: int) -> None:
    sentence = verdict(made(decode=loader - 5, loader=loader, threads=threads, cpus=10**6)).sentence
    named = int(sentence.partition(" threads instead of")[0].rpartition(" ")[2])
    assert loader * threads / named <= 100


def test_a_cold_read_that_does_not_stay_in_memory_takes_the_place_of_the_page_cache() -> None:
    case = expected(made(first=200, data_bytes=2000 * GB))
    assert (case.loader, case.step) == (239, 239)
    assert expected(made(first=200)).loader == 40


def test_opening_files_is_not_taken_for_cold_storage() -> None:
    assert not made(storage=0.5, first=1.2, threads=1).cold
    assert not made(storage=50, first=60).cold
    assert made(storage=0.5, first=3, threads=1).cold


def test_the_note_tells_storage_from_the_page_cache() -> None:
    held = "the 30 GB of samples stay in 128 GB of memory"
    assert storage_note(made()) == (
        f"read from the page cache (1 ms a batch), which says nothing of what lies behind it; {held}"
    )
    cold = made(first=20)
    assert storage_note(cold) == f"read from storage (20 ms a batch), then from the page cache (1 ms); {held}"
    remote = dataclasses.replace(cold, remote=True, room_bytes=10 * GB)
    assert storage_note(remote) == (
        "downloaded (20 ms a batch), then from the local cache (1 ms); the 30 GB of samples do not stay in 10 GB of a "
        "local cache"
    )


def test_what_the_loader_cannot_have_done_is_not_blamed_on_it() -> None:
    profile = made(model=6000, loader=80, step=7800, **ON_CPU)
    assert expected(profile).step == 6160
    assert verdict(profile).bound == "compute"
    assert noise_note(profile).startswith("1,640 ms of a step are neither the model's nor the loader's")


def test_rounds_that_differ_much_are_noted() -> None:
    assert noise_note(made()) == ""
    restless = spread(made(), 1.5)
    assert verdict(restless).bound == "compute"
    assert noise_note(restless).startswith("rounds of the same work differ by up to 50 % (the verdict rests on a ")


def spread(profile: Profile, factor: float) -> Profile:
    """The same medians, of rounds that differ."""
    return dataclasses.replace(profile, step=dataclasses.replace(profile.step, spread=factor))


def test_rounds_that_differ_manifold_settle_nothing_however_large_the_effect() -> None:
    said = verdict(spread(made(model=2509, storage=1, decode=18, loader=20), 78))
    assert said.bound == "inconclusive"
    assert said.sentence == (
        "inconclusive: rounds of the same work differ up to 78-fold, something else is at work on this machine; "
        "measure again when it is idle, or with more --rounds"
    )


def test_a_step_that_is_faster_when_fed_is_inconclusive_unless_the_loader_is_faster_still() -> None:
    said = verdict(made(model=100, loader=90, step=81))
    assert said.sentence.startswith(
        "inconclusive: the step took 81 ms with the loader and 100 ms without it, which cannot be its doing, something"
    )
    assert noise_note(made(model=100, loader=90, step=81)) == ""
    clear = made(model=100, loader=20, decode=15, step=81)
    assert verdict(clear).bound == "compute"
    assert noise_note(clear).startswith("the step took 81 ms with the loader and 100 ms without it")


def test_time_that_is_no_ones_is_inconclusive_where_it_is_more_than_the_effect() -> None:
    said = verdict(made(model=600, decode=40, loader=54, step=1066, **ON_CPU))
    assert said.sentence.startswith("inconclusive: 358 ms of a step are neither the model's nor the loader's")


def test_other_work_that_was_taken_off_a_step_is_named() -> None:
    said = verdict(made(model=600, decode=100, loader=200, step=1200, **ON_CPU))
    assert said.bound == "shared"
    assert "so a step takes 1,000 ms (1,200 ms with other work), 67 % more than the model" in said.sentence


@given(effect=st.floats(1.11, 4), doubt=st.floats(1, 100))
def test_a_loss_is_trusted_where_rounds_differ_by_less(effect: float, doubt: float) -> None:
    assume(abs(effect - doubt) > 1e-6)
    profile = spread(made(model=100, decode=100 * effect - 5, loader=100 * effect), doubt)
    trusted = profile.spread <= min(2, effect)
    assert (verdict(profile).bound != "inconclusive") == trusted


@given(rounds=st.lists(st.floats(0.01, 1e5), min_size=1, max_size=12))
def test_a_timing_is_one_of_its_rounds(rounds: list[float]) -> None:
    timing = Timing.of(rounds)
    assert timing.ms in rounds
    assert 1 <= timing.spread <= timing.high / timing.low


def test_a_round_that_is_the_odd_one_out_of_four_does_not_count() -> None:
    assert Timing.of([100, 300]).ms == 100
    assert Timing.of([100, 300, 101]).spread == 3
    assert Timing.of([100, 300, 101, 102]).spread == pytest.approx(1.02, rel=0.01)


def test_a_stage_that_adds_less_than_rounds_differ_by_is_known() -> None:
    assert made().drowned == ()
    assert made(decode=39.5, loader=40).drowned == ("augmentation",)
    assert made(decode=50, loader=40).drowned == ("augmentation",)


@pytest.mark.parametrize(
    ("times", "why"),
    [
        ({"cached_step": timing(2509), "step": timing(467)}, "its doing"),
        ({"step": Timing(ms=130, low=50, high=500, spread=10)}, "rounds of the same work differ up to 10-fold"),
    ],
)
def test_figures_that_cannot_be_right_bear_no_verdict(times: dict[str, Timing], why: str) -> None:
    found = verdict(dataclasses.replace(made(model=128), **times))
    assert found.bound == "inconclusive"
    assert why in found.sentence


def test_a_margin_beyond_the_spread_of_rounds_bears_a_verdict() -> None:
    noisy = dataclasses.replace(made(model=4000), step=Timing(ms=4100, low=3000, high=9000, spread=3))
    assert verdict(noisy).bound == "compute"
