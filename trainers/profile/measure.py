"""Times a training's input and step: each stage alone, then together, in turns, on the same samples."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import chain, cycle, islice, repeat

import torch

from dataengine.augment import augment_preset
from dataengine.backends.slices import usable_cpus
from dataengine.batches import Batch
from dataengine.cache import user_cache
from dataengine.errors import DfxError
from dataengine.loader import Loader
from dataengine.place import is_remote, place_of
from dataengine.selection import select
from trainers.config import TrainConfig
from trainers.predict import pick_device, torch_threads
from trainers.problem import Methods
from trainers.profile.reading import Reader, fetched, memory_bytes
from trainers.profile.record import Profile, Timing
from trainers.readback import Readback
from trainers.stream import policy_of, train_loader
from trainers.taxonomy import taxonomy_of
from trainers.training import Training

OnRound = Callable[[str, int, int], None]
"""Called with (what was timed, rounds done, rounds in all)."""

_ENOUGH_S = 5.0  # a round of slow steps ends after this, with at least _FEWEST of them
_FEWEST = 2
_WARM_S = 2.0  # up to _WARM steps before each round: the loader's queue is then as full as it will stay
_WARM = 3
_CACHED = 3  # batches that are replayed: the step's time does not depend on what they show


def profile(config: TrainConfig, *, steps: int = 20, rounds: int = 3, on_round: OnRound | None = None) -> Profile:
    """Time the training that `config` describes, without training it: its weights are drawn, and nothing is written.

    Each round times, for up to `steps` batches from the start of the epoch: reading and hashing; the loader without
    augmentation; the loader as set; the step on batches held on the device; the step fed by the loader. Before the
    rounds the samples are read once by themselves, to tell storage from the page cache, and everything is warmed up.

    Raises DfxError for settings and stores that `fit` would refuse, and StoreError where the store is damaged.
    """
    for name, value in (("steps", steps), ("rounds", rounds)):
        if value < 1:
            raise DfxError(f"{name} is {value}; give at least 1")
    rows = select(config.data, split="train")
    taxonomy = taxonomy_of(config.task, rows)
    augment = augment_preset(config.augment)
    device = pick_device(config.device)
    threads = usable_cpus() if config.threads is None else config.threads
    data_bytes = int(rows.column("size").sum())
    remote = any(is_remote(place_of(ref.path)) for ref in rows.refs)
    with ExitStack() as opened:
        opened.enter_context(torch_threads(config.threads))
        # Not fresh: weights have no say in how long a step takes.
        training = opened.enter_context(Training(config, Methods(config, validated=False), fresh=False))
        training.learner.to_train()
        rows, fetch_ms = fetched(rows, config.batch) if remote else (rows, 0.0)
        plain = opened.enter_context(train_loader(config, taxonomy, rows, augment_preset("none")))
        full = opened.enter_context(train_loader(config, taxonomy, rows, augment))
        reader = opened.enter_context(
            Reader(rows, config, policy_of(config, len(taxonomy.classes)), steps=steps, threads=threads)
        )
        first_read_ms = fetch_ms + reader.first()
        bench = _Bench(training, device, steps)
        views = bench.warm_up(plain, full)
        turns: dict[str, Callable[[], float]] = {
            "storage": reader.again,
            "decode": lambda: bench.drain(plain),
            "augmentation": lambda: bench.drain(full),
            "cached step": bench.cached,
            "real step": lambda: bench.fed(full),
        }
        found: dict[str, list[float]] = {name: [] for name in turns}
        for done in range(rounds * len(turns)):
            name = list(turns)[done % len(turns)]
            found[name].append(turns[name]())
            if on_round:
                on_round(name, done + 1, rounds * len(turns))
        backend = full.backend
    return Profile(
        data=config.data,
        task=config.task,
        model=config.model,
        loss=config.loss,
        augment=config.augment,
        size=training.spec.size,
        batch=config.batch,
        views=views,
        amp=config.amp,
        device=str(device),
        device_name=torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU",
        backend=backend,
        threads=threads,
        cpus=usable_cpus(),
        remote=remote,
        data_bytes=data_bytes,
        room_bytes=user_cache().limit if remote else memory_bytes(),
        first_read_ms=first_read_ms,
        storage=Timing.of(found["storage"]),
        decode=Timing.of(found["decode"]),
        loader=Timing.of(found["augmentation"]),
        cached_step=Timing.of(found["cached step"]),
        step=Timing.of(found["real step"]),
        wait=Timing.of(bench.waits),
    )


class _Bench:
    """One round of each kind, in milliseconds a batch."""

    def __init__(self, training: Training, device: torch.device, steps: int) -> None:
        self._training, self._device, self._steps = training, device, steps
        self._cached: list[Batch] = []
        self._late: Readback | None = None
        self.waits: list[float] = []
        """Of each round of `fed`: how long the loader was waited for."""

    def warm_up(self, plain: Loader, full: Loader) -> int:
        """Start everything once and hold some batches; the number of views in them."""
        with _begun(plain) as batches:
            self._repeat(partial(next, batches), self._steps)
        with _begun(full) as batches:
            self._cached = list(islice(batches, _CACHED))
            self._repeat(partial(next, batches), self._steps)
        held = cycle(self._cached)
        self._repeat(lambda: self._step(next(held)), _WARM, enough_s=_WARM_S)  # a network may be compiled in the first
        images = self._cached[0].images
        return len(images) if images.dim() == 5 else 1

    def drain(self, loader: Loader) -> float:
        """The loader's batches, taken as fast as they come."""
        with _begun(loader) as batches:
            return self._round(partial(next, batches))[0]

    def cached(self) -> float:
        """The step on batches that lie on the device."""
        batches = cycle(self._cached)
        return self._round(lambda: self._step(next(batches)))[0]

    def fed(self, loader: Loader) -> float:
        """The step on the loader's batches."""
        with _begun(loader) as batches:
            ms, wait_ms = self._round(lambda: self._step(next(batches)), lambda: loader.wait_s)
        self.waits.append(wait_ms)
        return ms

    def _step(self, batch: Batch) -> None:
        total, _ = self._training.learner.learn(batch)
        late, self._late = self._late, Readback(total.detach()[None])
        if late is not None:  # as the training does: the GPU has a step to do while the loss before is read
            late.numbers()

    def _round(self, act: Callable[[], object], waited_s: Callable[[], float] = float) -> tuple[float, float]:
        """Milliseconds of `act`, and by how many `waited_s` grew, each time."""
        self._repeat(act, _WARM, fewest=1, enough_s=_WARM_S)
        began, waited = time.perf_counter(), waited_s()
        done = self._repeat(act, self._steps)
        return (time.perf_counter() - began) / done * 1000, (waited_s() - waited) / done * 1000

    def _repeat(self, act: Callable[[], object], most: int, fewest: int = _FEWEST, enough_s: float = _ENOUGH_S) -> int:
        """Do it `most` times, or fewer once the time is up; begins and ends with an idle device."""
        began, done = time.perf_counter(), 0
        while done < most and (done < fewest or time.perf_counter() - began < enough_s):
            act()
            done += 1
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return done


@contextmanager
def _begun(loader: Loader) -> Iterator[Iterator[Batch]]:
    """The loader's batches, epoch after epoch; afterwards nothing is under way, and it is where it was."""
    start = loader.state_dict()
    try:
        yield chain.from_iterable(repeat(loader))
    finally:
        loader.load_state_dict(start)
