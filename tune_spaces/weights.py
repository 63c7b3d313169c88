"""The backbones' pre-trained weights, fetched once before a sweep's first trial."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from trainers.taxonomy import Taxonomy

_ANY = Taxonomy(task="detection", classes=("real", "fake"))  # weights do not depend on the classes


def fetch_weights(models: Iterable[str], weights: str, on_said: Callable[[str], None]) -> None:
    """Fetch what the trials would, where it is not here yet; `on_said` hears a line before each.

    Raises DfxError for weights that cannot be had: one error, and not one of each trial.
    """
    from trainers.models.catalogue import FETCHING, build, needs_fetching

    for model in models:
        if needs_fetching(model, weights):
            on_said(FETCHING.format(model))
            build(model, _ANY, weights=weights)
