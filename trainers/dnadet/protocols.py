"""The paper's tests, told by labels: which methods of a store are tested, and which trained class each counts as.

Attribution by architecture calls it right when a picture of another generator of the same architecture is given that
architecture's class. So a test is a selection of a store (`shards/NAME@method=CramerGAN,SSGAN`) and a renaming of its
methods to the model's classes; `relabel` applies it to a table of predictions, which `trainers.metrics` then scores as
any other. Sets and classes: Yang et al., AAAI 2022, arXiv 2202.13843, and the authors' repository.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import pyarrow as pa
import pyarrow.compute as pc

from dataengine.errors import DfxError, unknown_name
from dataengine.records import REAL

ARCHITECTURES = ("ProGAN", "MMDGAN", "SNGAN", "InfoMaxGAN")
"""The classes of the CelebA and LSUN experiments, beside `real`."""
IMAGES = 2000
"""Of each method in the paper's tests."""
SEEDS = 9
"""Other seeds of ProGAN, v1 to v9; v0 is trained on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """One test set."""

    name: str
    changed: str
    """What is not as in training."""
    methods: tuple[str, ...]
    """Of the store that is tested on."""
    counts_as: Mapping[str, str] = field(default_factory=dict)
    """The trained class of each method that does not bear its class's own name."""

    @property
    def selection(self) -> str:
        """What a store reference carries: the methods."""
        return f"@method={','.join(self.methods)}"

    @property
    def options(self) -> tuple[str, ...]:
        """The mapping as METHOD=CLASS, which `parse_counts_as` reads."""
        return tuple(f"{method}={counted}" for method, counted in self.counts_as.items())


def _seed(number: int) -> str:
    return f"ProGAN-seed{number}"


PROTOCOLS: Mapping[str, Protocol] = MappingProxyType(
    {
        protocol.name: protocol
        for protocol in (
            Protocol(
                name="closed-set",
                changed="nothing: other pictures of the trained sources",
                methods=(REAL, *ARCHITECTURES),
            ),
            Protocol(
                name="cross-seed",
                changed="the seed of the generator's training",
                methods=tuple(_seed(number) for number in range(1, SEEDS + 1)),
                counts_as={_seed(number): "ProGAN" for number in range(1, SEEDS + 1)},
            ),
            Protocol(
                name="cross-loss",
                changed="the loss of the generator's training, on the same architecture",
                methods=("CramerGAN", "SSGAN"),
                counts_as={"CramerGAN": "MMDGAN", "SSGAN": "InfoMaxGAN"},
            ),
            Protocol(
                name="cross-finetune",
                changed="the generators are fine-tuned on other pictures (CelebA's elderly; LSUN's sofas)",
                methods=ARCHITECTURES,
            ),
            Protocol(
                name="cross-dataset",
                changed="the pictures that the generators learnt from (CelebA for LSUN, LSUN for CelebA)",
                methods=(REAL, *ARCHITECTURES),
            ),
        )
    }
)
"""By name. A store's methods are named by its class folders: `ProGAN-seed1` is a folder of that name."""


def parse_counts_as(options: Sequence[str]) -> dict[str, str]:
    """METHOD=CLASS, each, as a mapping. Raises DfxError for what is none, and for a method that is given twice."""
    counts_as: dict[str, str] = {}
    for option in options:
        method, sign, counted = (part.strip() for part in option.partition("="))
        if not (method and sign and counted):
            raise DfxError(f"'{option}' does not say what counts as what; write METHOD=CLASS, such as CramerGAN=MMDGAN")
        if method in counts_as:
            raise DfxError(f"{method} counts as {counts_as[method]} and as {counted}; give one class for each method")
        counts_as[method] = counted
    return counts_as


def relabel(predictions: pa.Table, counts_as: Mapping[str, str]) -> pa.Table:
    """The predictions with `method` the trained class that a row counts as; all else, metadata too, as it was.

    `counts_as` maps methods of the table to classes of the model; methods that it does not name keep their names.
    Raises DfxError for a method that the table has none of, a class that the model has not, and where a real would
    count as a fake or a fake as real: `label` would then contradict `method`.
    """
    there = sorted(set(predictions["method"].to_pylist()))
    classes = [name.removeprefix("p_") for name in predictions.column_names if name.startswith("p_")]
    for method, counted in counts_as.items():
        if method not in there:
            raise unknown_name("method", method, there)
        if counted not in classes:
            raise unknown_name("class", counted, classes)
        if (method == REAL) != (counted == REAL):
            raise DfxError(f"{method} cannot count as {counted}: one is real and the other a fake; name two fakes")
    encoded = pc.dictionary_encode(predictions["method"].combine_chunks())
    names = pa.array([counts_as.get(name, name) for name in encoded.dictionary.to_pylist()], pa.string())
    place = predictions.column_names.index("method")
    return predictions.set_column(place, "method", names.take(encoded.indices))
