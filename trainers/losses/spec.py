"""What a loss is called, and which settings it has."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dataengine.errors import DfxError, unknown_name

CLASSIFICATION = ("ce", "focal", "mse", "softmax-ce")
"""ce: cross-entropy. focal: Lin et al., ICCV 2017. mse: half the squared error of the probabilities. softmax-ce:
cross-entropy of probabilities that are taken for logits. `classification.py` has their formulas."""

CLASS_WEIGHTS = ("none", "balanced")


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A loss on the embedding: its defaults, and what it needs of a batch. Of a setting that is None it has none."""

    name: str
    source: str
    weight: float
    """Beside a classification loss. Centre's and patchwise's are their papers'; the others bring the term to the size
    of cross-entropy at the start of a training, between 0.4 and 3.5."""
    temperature: float | None = None
    margin: float | None = None
    margin_most: float = math.inf
    """The largest margin that means something."""
    scale: float | None = None
    views: bool = False
    """Images are shown in several views."""
    groups: bool = False
    """Batches must hold several samples of each class: a sample without another of its class adds nothing."""
    patches: bool = False
    """The views are patches cut out of the image."""
    learns: bool = False
    """It has class weights, proxies or centres of its own, which training moves."""
    projected: bool = True
    """It sees the projection, not the embedding itself."""


_ALL = (
    Term(
        name="supcon",
        source="Khosla et al., NeurIPS 2020",
        weight=0.5,
        temperature=0.07,
        views=True,
        groups=True,
    ),
    Term(name="ntxent", source="Chen et al., ICML 2020 (SimCLR)", weight=0.5, temperature=0.07, views=True),
    Term(
        name="triplet",
        source="Hermans et al., 2017 (batch-hard)",
        weight=1.0,
        margin=0.2,
        margin_most=2.0,
        groups=True,
    ),
    Term(name="npair", source="Sohn, NeurIPS 2016", weight=1.0, groups=True),
    Term(
        name="multisimilarity",
        source="Wang et al., CVPR 2019",
        weight=1.0,
        margin=0.5,
        margin_most=1.0,
        groups=True,
    ),
    Term(
        name="circle",
        source="Sun et al., CVPR 2020",
        weight=0.05,
        margin=0.4,
        margin_most=1.0,
        scale=80.0,
        groups=True,
    ),
    Term(
        name="arcface",
        source="Deng et al., CVPR 2019",
        weight=0.1,
        margin=0.5,
        margin_most=math.pi / 2,
        scale=64.0,
        learns=True,
        projected=False,
    ),
    Term(
        name="proxyanchor",
        source="Kim et al., CVPR 2020",
        weight=0.25,
        margin=0.1,
        margin_most=1.0,
        scale=32.0,
        learns=True,
        projected=False,
    ),
    Term(name="centre", source="Wen et al., ECCV 2016", weight=0.003, learns=True, projected=False),
    Term(
        name="patchwise",
        source="Yang et al., AAAI 2022 (DNA-Det)",
        weight=1.0,
        temperature=0.07,
        views=True,
        patches=True,
    ),
)

TERMS: dict[str, Term] = {term.name: term for term in _ALL}


@dataclass(frozen=True, slots=True, kw_only=True)
class LossSpec:
    """A loss and its settings.

    Raises DfxError for an unknown name, a setting that the loss has none of, and a value outside its range.
    """

    loss: str = "ce"
    """One of CLASSIFICATION, one of TERMS, or one of each in this order, joined by "+"."""
    weight: float | None = None
    """Of the term beside the classification loss. Here and below None is the term's own default."""
    temperature: float | None = None
    """By which a contrastive term divides its cosines."""
    margin: float | None = None
    """triplet: of distances on the unit sphere. circle, proxyanchor: of cosines. arcface: of angles, in radians.
    multisimilarity: the cosine about which pairs are weighed (the paper's lambda)."""
    scale: float | None = None
    """By which circle, arcface and proxyanchor multiply their cosines."""
    smoothing: float = 0.0
    """Of ce: the share of the target that all classes divide, in [0, 1) (Szegedy et al., CVPR 2016, section 7)."""
    gamma: float = 2.0
    """Of focal: how fast a sample's weight falls as it is learnt; at least 0."""
    class_weights: str = "none"
    """One of CLASS_WEIGHTS, for the classification loss."""
    learnt_weights: bool = False
    """Learn how the two losses are weighed, in place of `weight`."""

    def __post_init__(self) -> None:
        _check_names(self.loss)
        if self.class_weights not in CLASS_WEIGHTS:
            raise unknown_name("class weights", self.class_weights, CLASS_WEIGHTS)
        for name in ("weight", "temperature", "margin", "scale"):
            if getattr(self, name) is not None:
                self._check_term_has(name)
        if self.smoothing != 0 and self.classification != "ce":
            raise DfxError(f"smoothing is of ce, and the loss is '{self.loss}'; leave it out")
        if self.gamma != 2 and self.classification != "focal":
            raise DfxError(f"gamma is of focal, and the loss is '{self.loss}'; leave it out")
        if self.class_weights != "none" and self.classification is None:
            raise DfxError(
                f"class weights are of a classification loss, and '{self.loss}' has none; add one, as in ce+"
            )
        if self.learnt_weights and not self._is_pair:
            raise DfxError(f"learnt weights weigh two losses, and '{self.loss}' is one; join two, as in ce+supcon")
        if self.learnt_weights and self.weight is not None:
            raise DfxError(f"the weight is learnt, and {self.weight} is given too; give one of the two")
        self._check_ranges()

    @property
    def classification(self) -> str | None:
        """The loss on the logits, where there is one."""
        first = self.loss.split("+")[0]
        return first if first in CLASSIFICATION else None

    @property
    def term(self) -> Term | None:
        """The loss on the embedding, where there is one."""
        return TERMS.get(self.loss.split("+")[-1])

    def of_term(self, setting: str) -> float:
        """The term's weight, temperature, margin or scale: as given, or its default."""
        given = getattr(self, setting)
        value = getattr(self.term, setting) if given is None else given
        assert value is not None, f"{self.loss} has no {setting}"
        return float(value)

    @property
    def _is_pair(self) -> bool:
        return self.classification is not None and self.term is not None

    def _check_term_has(self, setting: str) -> None:
        term = self.term
        if term is None:
            raise DfxError(f"{setting} is of a loss on the embedding, and '{self.loss}' has none; leave it out")
        if setting == "weight" and self.classification is None:
            raise DfxError(f"the weight is of a term beside a classification loss, and '{self.loss}' stands alone")
        if getattr(term, setting) is None:
            with_it = ", ".join(name for name, other in TERMS.items() if getattr(other, setting) is not None)
            raise DfxError(f"{term.name} has no {setting}; leave it out (it is of {with_it})")

    def _check_ranges(self) -> None:
        for name in ("temperature", "scale"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise DfxError(f"{name} is {value}; give a number above 0")
        for name, value in (("weight", self.weight), ("gamma", self.gamma)):
            if value is not None and not 0 <= value < math.inf:
                raise DfxError(f"{name} is {value}; give a number of at least 0")
        if not 0 <= self.smoothing < 1:
            raise DfxError(f"smoothing is {self.smoothing}; give a share in [0, 1)")
        if self.margin is not None and self.term is not None and not 0 <= self.margin <= self.term.margin_most:
            most = f"{self.term.margin_most:.4g}" + (" radians" if self.term.name == "arcface" else "")
            raise DfxError(f"the margin of {self.term.name} is {self.margin}; give a number from 0 to {most}")


def _check_names(loss: str) -> None:
    parts = loss.split("+")
    for part in parts:
        if part not in CLASSIFICATION and part not in TERMS:
            raise unknown_name("loss", part, [*CLASSIFICATION, *TERMS])
    kinds = [part in TERMS for part in parts]
    if kinds not in ([False], [True], [False, True]):
        raise DfxError(
            f"the loss '{loss}' is no classification loss ({', '.join(CLASSIFICATION)}), term on the embedding, or one "
            "of each in this order; write it as ce+supcon"
        )
