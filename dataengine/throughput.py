"""How fast a store is read, decoded and handed out, in one run, on the same samples, with the same output."""

from __future__ import annotations

import os
import platform
import statistics
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import simplejpeg
import torch

from dataengine.augment import augment_preset, draw
from dataengine.backends import Request
from dataengine.backends.cpu import JPEG, Scratch, decode_image
from dataengine.backends.slices import SlicePool, usable_cpus
from dataengine.errors import DfxError, MediaError, StoreError
from dataengine.fetch import Shards
from dataengine.loader import Loader
from dataengine.order import Order, Policy
from dataengine.store import Rows

REFERENCE = "bare_decode"
_PACKAGES = ("torch", "numpy", "simplejpeg", "opencv-python-headless", "nvidia-dali-cuda130")
_SEED, _EPOCH = 0, 1  # every round goes through the samples of the same epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What is measured."""

    size: int = 224
    batch: int = 64
    threads: int = field(default_factory=usable_cpus)
    augment: str = "crop"
    seconds: float = 1.0
    """A round is as many images as bare decoding does in this time: the others take longer for them."""
    rounds: int = 5

    def __post_init__(self) -> None:
        for name in ("size", "batch", "threads", "rounds"):
            if getattr(self, name) < 1:
                raise DfxError(f"{name} is {getattr(self, name)}; give at least 1")
        if not self.seconds > 0:
            raise DfxError(f"seconds is {self.seconds}; give more than 0")
        augment_preset(self.augment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One contender over all rounds."""

    name: str
    what: str
    images_per_s: float
    """Median of the rounds; `low` and `high` are the slowest and the fastest."""
    low: float
    high: float
    ratio: float
    """To bare decoding: median over the rounds of the two rates measured one after the other."""
    cpu_us: float
    """CPU time of the process an image, in microseconds, median: what a core is busy for, whatever else runs."""
    first_batch_s: float | None
    """From making the loader to its first batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was measured, and on what."""

    settings: Settings
    stores: list[str]
    num_images: int
    """In a round of each contender."""
    mean_bytes: float
    """Of an encoded image."""
    results: list[Result]
    skipped: dict[str, str]
    """Contender -> why it did not run."""
    machine: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Stable keys, for scripts."""
        return asdict(self)


def measure(rows: Rows, settings: Settings, *, on_round: Callable[[str, int, int], None] | None = None) -> Report:
    """Run every contender that can run here, `settings.rounds` times in turn, over the same samples of `rows`.

    Contenders: reading the bytes; decoding them with libjpeg-turbo into a reused buffer, the reference; and the
    loader to uint8 batches with its cpu backend, with DALI on the CPU, and with DALI on a GPU. A round of each begins
    and ends with nothing under way. `on_round(name, done, total)` hears of each.
    """
    with ExitStack() as open_ones:
        bare = open_ones.enter_context(closing(_Bare(rows, settings)))
        warm = 4 * settings.batch
        bare.load(warm)
        bare.decode(warm)
        rate = warm / _timed(lambda: bare.decode(warm)).wall_s
        num_images = max(4, round(rate * settings.seconds / settings.batch)) * settings.batch
        bare.load(num_images)
        contenders = [
            _Contender("raw_read", "reading bytes", lambda: bare.read(num_images)),
            _Contender(REFERENCE, "libjpeg-turbo alone", lambda: bare.decode(num_images)),
        ]
        skipped = {}
        for name, what, backend, device in _LOADERS:
            try:
                loader, first_batch_s = _open(rows, settings, num_images, backend, device)
            except DfxError as error:
                skipped[name] = str(error)
            else:
                open_ones.enter_context(loader)
                contenders.append(_Contender(name, what, partial(_drain, loader), first_batch_s))
        rounds: dict[str, list[_Round]] = {one.name: [] for one in contenders}
        turns = contenders * settings.rounds
        for done, one in enumerate(turns, start=1):
            rounds[one.name].append(_timed(one.run))
            if on_round:
                on_round(one.name, done, len(turns))
    return Report(
        settings=settings,
        stores=[str(ref) for ref in rows.refs],
        num_images=num_images,
        mean_bytes=float(rows.column("size").mean()),
        results=[_result(one, rounds[one.name], rounds[REFERENCE], num_images) for one in contenders],
        skipped=skipped,
        machine=machine(),
    )


@dataclass(frozen=True, slots=True)
class _Contender:
    name: str
    what: str
    run: Callable[[], None]
    first_batch_s: float | None = None


@dataclass(frozen=True, slots=True)
class _Round:
    wall_s: float
    cpu_s: float


def _timed(run: Callable[[], None]) -> _Round:
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return _Round(time.perf_counter() - wall, time.process_time() - cpu)


def _result(one: _Contender, rounds: list[_Round], reference: list[_Round], num_images: int) -> Result:
    rates = [num_images / each.wall_s for each in rounds]
    return Result(
        name=one.name,
        what=one.what,
        images_per_s=statistics.median(rates),
        low=min(rates),
        high=max(rates),
        ratio=statistics.median(bare.wall_s / own.wall_s for own, bare in zip(rounds, reference, strict=True)),
        cpu_us=statistics.median(each.cpu_s for each in rounds) / num_images * 1e6,
        first_batch_s=one.first_batch_s,
    )


_LOADERS = (
    ("cpu", "dfx, cpu", "cpu", "cpu"),
    ("dali_cpu", "dfx, DALI on CPU", "dali", "cpu"),
    ("dali_gpu", "dfx, DALI on GPU", "dali", "cuda"),
)


def _policy(num_images: int) -> Policy:
    return Policy(name="balanced", length=num_images)  # the one policy whose epochs may be longer than the store


def _open(rows: Rows, settings: Settings, num_images: int, backend: str, device: str) -> tuple[Loader, float]:
    if device == "cuda" and not torch.cuda.is_available():
        raise DfxError("no CUDA device")
    start = time.perf_counter()
    loader = Loader(
        rows,
        np.zeros(len(rows), dtype=np.int64),
        batch=settings.batch,
        mode="train",
        policy=_policy(num_images),
        augment=settings.augment,
        size=settings.size,
        seed=_SEED,
        device=device,
        backend=backend,
        threads=settings.threads,
        dtype=torch.uint8,
    )
    next(iter(loader))
    first_batch_s = time.perf_counter() - start
    loader.set_epoch(_EPOCH)
    return loader, first_batch_s


def _drain(loader: Loader) -> None:
    for batch in loader:
        on_gpu = batch.images.is_cuda
    if on_gpu:
        torch.cuda.synchronize()
    loader.set_epoch(_EPOCH)


class _Bare:
    """Reads, or only decodes, the rows that the loaders go through, with as many threads."""

    def __init__(self, rows: Rows, settings: Settings) -> None:
        self._rows, self._settings = rows, settings
        self._shards = Shards(rows)
        self._buffer_bytes = 3 * int((rows.column("width").astype(np.int64) * rows.column("height")).max())
        self._local = threading.local()
        self._bytes: dict[int, memoryview] = {}
        self._pool = SlicePool(threads=settings.threads, prefetch=2)

    def load(self, num_images: int) -> None:
        """Have their bytes at hand for `decode`. Raises StoreError for a damaged one: it would be no fair race."""
        for request in self._requests(num_images):
            for row in set(request.rows.tolist()) - self._bytes.keys():
                try:
                    self._bytes[row] = self._shards.read(row)
                except MediaError as error:
                    store = self._rows.stores[int(self._rows.column("store")[row])].root
                    raise StoreError(
                        f"{store} cannot be measured, a sample is damaged: {error}; see `dfx info {store} --verify`"
                    ) from None

    def read(self, num_images: int) -> None:
        """Their bytes, checked against the index."""
        deque(self._pool.ahead(self._requests(num_images), _no_target, self._read), maxlen=0)

    def decode(self, num_images: int) -> None:
        """Their pixels, from bytes that are at hand."""
        deque(self._pool.ahead(self._requests(num_images), _no_target, self._decode), maxlen=0)

    def close(self) -> None:
        """End the threads."""
        self._pool.close()
        self._shards.close()

    def _requests(self, num_images: int) -> Iterator[Request]:
        order = Order(_policy(num_images), self._rows, _SEED)
        side = np.ones(1, dtype=np.int64)
        nothing = draw(augment_preset("none"), 0, 0, side, 0, side, side)
        for start in range(0, num_images, self._settings.batch):
            yield Request(order.rows(np.arange(start, start + self._settings.batch), _EPOCH), nothing)

    def _read(self, request: Request, target: None, part: range) -> None:
        for i in part:
            self._shards.read(int(request.rows[i]))

    def _decode(self, request: Request, target: None, part: range) -> None:
        scratch: Scratch = self._local.__dict__.setdefault("scratch", Scratch())
        buffer = scratch.of(self._buffer_bytes)
        for i in part:
            data = self._bytes[int(request.rows[i])]
            if data[:2] == JPEG:
                simplejpeg.decode_jpeg(data, "RGB", buffer=buffer)
            else:
                decode_image(data, scratch)


def _no_target(request: Request) -> None:
    """Nothing is kept."""


def machine() -> dict[str, Any]:
    """The processor, the GPUs and the versions that a measurement depends on."""
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cpus": os.cpu_count(),
        "usable_cpus": usable_cpus(),
        "gpus": gpus,
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in _PACKAGES},
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as lines:
            return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
