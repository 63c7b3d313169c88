"""Profiles with chosen figures."""

from __future__ import annotations

from typing import Any

from trainers.profile.record import Profile, Timing

GB = 10**9


def timing(ms: float) -> Timing:
    return Timing(ms=ms, low=0.97 * ms, high=1.04 * ms, spread=1.04 / 0.97)


def made(
    *,
    storage: float = 1,
    decode: float = 30,
    loader: float = 40,
    model: float = 100,
    step: float | None = None,
    first: float | None = None,
    **settings: Any,
) -> Profile:
    """A GPU's, by 2 threads of 16, of 30 GB that lay in the page cache; the step is the slower of loader and model.

    `storage`, `decode` and `loader` are cumulative, as measured, in ms a batch.
    """
    step = max(loader, model) if step is None else step
    given: dict[str, Any] = {
        "data": ("shards/ff++",),
        "task": "attribution",
        "model": "resnet50",
        "loss": "ce",
        "augment": "crop",
        "size": 224,
        "batch": 64,
        "views": 1,
        "amp": "auto",
        "device": "cuda",
        "device_name": "a GPU",
        "backend": "cpu",
        "threads": 2,
        "cpus": 16,
        "remote": False,
        "data_bytes": 30 * GB,
        "room_bytes": 128 * GB,
        "first_read_ms": storage if first is None else first,
        "wait": timing(max(0, step - model)),
    }
    return Profile(
        **{**given, **settings},
        storage=timing(storage),
        decode=timing(decode),
        loader=timing(loader),
        cached_step=timing(model),
        step=timing(step),
    )
