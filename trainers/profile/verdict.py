"""What a profile says to do: one sentence, derived from its figures alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import islice

from dataengine.forecast import shown_bytes
from trainers.profile.record import Profile

BOUND = ("compute", "storage", "decode", "augmentation", "shared", "inconclusive")
"""What a training can be bound by: the model, a stage of its input, or the device that both work on; "inconclusive"
where the figures do not bear a verdict."""

_MEND = "something else is at work on this machine; measure again when it is idle, or with more --rounds"

_NOISE = 0.05  # of a step: rounds differ by that much
_CALM = 1.1  # the slowest round over the fastest, on an idle machine
_NOISY = 1.3  # the same where a word on it is due; medians that contradict each other by as much bear nothing
_UNUSABLE = 2.0  # the same where a time may be off by all of it, not half, and so only its square is surely exceeded
_MARGIN = 1.1  # of the loader over the model, so that batches of unequal cost leave no wait
_MOST_READERS = 4  # threads a CPU that only wait for storage


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What bounds a training, and what to do about it."""

    bound: str
    """One of BOUND."""
    lost: float
    """Share of a step that input which costs nothing would save, in [0, 1); a guess where it is inconclusive."""
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Milliseconds a batch as they will be in a training, epoch after epoch."""

    model: float
    loader: float
    step: float
    stages: dict[str, float]

    @property
    def lost(self) -> float:
        """Share of a step that input which costs nothing would save."""
        return max(0.0, 1 - self.model / self.step)

    @property
    def culprit(self) -> str:
        """The stage that the loader spends most of its time on."""
        return max(self.stages, key=lambda name: self.stages[name])

    @property
    def shared(self) -> float:
        """What the step takes longer than the slower of the two alone: each takes from the other."""
        return self.step - max(self.model, self.loader)

    @property
    def contended(self) -> bool:
        """Whether they lose more to each other than the model loses to a slower loader."""
        return self.shared > max(0.0, self.loader - self.model)

    @property
    def effect(self) -> float:
        """The ratio that a verdict rests on: of step to model, or of model to loader where nothing is lost."""
        return self.step / self.model if self.lost > _NOISE else self.model / self.loader


def verdict(profile: Profile) -> Verdict:
    """Whether a loader could make this training faster, by how much, and what to change for it.

    A step is the model's own time, plus what a slower loader makes it wait, plus what both lose to each other on the
    same cores: the largest part decides. Where something has disturbed the figures by more than that ratio, they bear
    no verdict.
    """
    case = expected(profile)
    for sign in _signs(profile, case):
        if sign.factor > sign.borne:
            return Verdict(bound="inconclusive", lost=case.lost, sentence=f"inconclusive: {sign.words}, {_MEND}")
    if case.lost <= _NOISE:
        bound, said = "compute", _compute(profile, case)
    elif case.contended:
        bound, said = "shared", _shared(profile, case)
    else:
        bound, said = case.culprit, _input(profile, case)
    return Verdict(bound=bound, lost=case.lost, sentence=said + _first_epoch(profile))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sign:
    """That something disturbed the figures: by what factor, which one is noted, and which one a verdict bears."""

    factor: float
    plain: float
    borne: float
    words: str


def _signs(profile: Profile, case: Case) -> tuple[_Sign, ...]:
    """Two contradictions between medians, and the rounds' own spread.

    A median lies within half the spread of the truth, so that an effect beyond the spread of both its times is one.
    """
    step, cached, spread = profile.step.ms, profile.cached_step.ms, profile.spread
    effect = max(_CALM, case.effect)
    fed = f"the step took {_ms(step)} with the loader and {_ms(cached)} without it, which cannot be its doing"
    beyond = f"{_ms(step - case.step)} of a step are neither the model's nor the loader's"
    if spread < _UNUSABLE:
        rests = f"the verdict rests on a difference of {_percent(case.effect - 1)}"
        differ = f"rounds of the same work differ by up to {_percent(spread - 1)} ({rests})"
    else:
        differ = f"rounds of the same work differ up to {spread:.{0 if spread >= 10 else 1}f}-fold"
    borne = max(min(_UNUSABLE, effect), math.sqrt(effect))
    return (
        _Sign(factor=cached / step, plain=1 + _NOISE, borne=min(_NOISY, effect), words=fed),
        _Sign(factor=step / case.step, plain=1 + _NOISE, borne=min(_NOISY, effect), words=beyond),
        _Sign(factor=spread, plain=_NOISY, borne=borne, words=differ),
    )


def storage_note(profile: Profile) -> str:
    """Where the samples were read from, and whether they stay there."""
    first, again = (_ms(ms) for ms in (profile.first_read_ms, profile.storage.ms))
    held, room = ("local", "a local cache") if profile.remote else ("page", "memory")
    if profile.cold:
        source = "downloaded" if profile.remote else "read from storage"
        where = f"{source} ({first} a batch), then from the {held} cache ({again})"
    else:
        where = f"read from the {held} cache ({again} a batch), which says nothing of what lies behind it"
    stay = "stay" if profile.stays else "do not stay"
    samples, space = shown_bytes(profile.data_bytes), shown_bytes(profile.room_bytes)
    return f"{where}; the {samples} of samples {stay} in {space} of {room}"


def noise_note(profile: Profile) -> str:
    """What to hold of figures that something else has disturbed; "" where nothing has, or where the verdict says it."""
    if verdict(profile).bound == "inconclusive":
        return ""
    seen = (sign.words for sign in _signs(profile, expected(profile)) if sign.factor > sign.plain)
    return "".join(f"{words}, {_MEND}" for words in islice(seen, 1))


def expected(profile: Profile) -> Case:
    """What the figures make of every epoch but the first.

    Where storage was cold and the samples do not stay in memory, each epoch reads it anew: its time takes the place of
    the page cache's, under which the rounds were timed. On the CPU the loader can hold up the model by no more than all
    its threads' time; what a step took beyond that was not its doing.
    """
    return _case(profile, cold=profile.rereads)


def _case(profile: Profile, *, cold: bool) -> Case:
    stages, model, step = profile.stages, profile.cached_step.ms, profile.step.ms
    if not profile.on_gpu:
        step = min(step, model + profile.threads * profile.loader.ms)
    if cold:
        stages["storage"] = profile.first_read_ms
        step = max(step, sum(stages.values()))
    return Case(model=model, loader=sum(stages.values()), step=step, stages=stages)


def _compute(profile: Profile, case: Case) -> str:
    if case.model < _MARGIN * case.loader:
        return (
            f"compute-bound, barely: the loader takes {_ms(case.loader)} for a batch and the model "
            f"{_ms(case.model)}; a faster model would wait for it"
        )
    return (
        f"compute-bound: the loader could feed {case.model / case.loader:.1f} times faster than the model takes "
        f"({_ms(case.loader)} against {_ms(case.model)} a batch); nothing to gain from the input"
    )


def _input(profile: Profile, case: Case) -> str:
    name = {"storage": "storage-bound", "decode": "input-bound", "augmentation": "augmentation-bound"}[case.culprit]
    return f"{name}: {_percent(case.lost)} of each step waits for {case.culprit}; {_remedy(profile, case)}"


def _remedy(profile: Profile, case: Case) -> str:
    from_disk = case.culprit == "storage" and profile.cold
    needed, less = _threads(profile, case), _less_work(profile, case)
    if not profile.on_gpu:
        both = f"--threads {profile.cpus} would speed up loader and model alike, "
        alike = both if profile.threads < profile.cpus else ""
        return f"{alike}only less work for the loader makes the wait shorter: {less}"
    if profile.backend == "dali" and not from_disk:
        return f"it is decoded on the GPU, where threads change little: {less}"
    threads = f"{_counted(needed, 'thread')} instead of {profile.threads}"
    if from_disk and needed <= _MOST_READERS * profile.cpus:
        return f"{threads} would hide it if the storage can serve them at once, else {less}"
    if needed <= profile.cpus:
        return f"{threads} would hide it"
    left = max(0.0, 1 - case.model * profile.cpus / (case.loader * profile.threads))
    still = f" (they would leave {_percent(left)})" if profile.threads < profile.cpus else ""
    return f"hiding it would take {needed} threads, and this machine has {_counted(profile.cpus, 'CPU')}{still}: {less}"


def _shared(profile: Profile, case: Case) -> str:
    slower = "model" if case.model >= case.loader else "loader"
    more = _percent(case.step / max(case.model, case.loader) - 1)
    whole = f" ({_ms(profile.step.ms)} with other work)" if profile.step.ms > case.step else ""
    figures = (
        f"a step takes {_ms(case.step)}{whole}, {more} more than the {slower} alone (model {_ms(case.model)}, loader "
        f"{_ms(case.loader)})"
    )
    needed, less = _threads(profile, case), _less_work(profile, case)
    if not profile.on_gpu:
        return (
            f"shared cores: the loader and the model compete for {_counted(profile.cpus, 'CPU')}, so {figures}; more "
            f"threads do not help, less work for the loader would, by up to {_percent(case.lost)}: {less}, or a GPU "
            "for the model"
        )
    if profile.backend == "dali":
        return f"shared GPU: decode and the model take turns on it, so {figures}; try --backend cpu, or {less}"
    if needed < profile.threads:
        mend = f"{_counted(needed, 'thread')} instead of {profile.threads} can still feed it"
    else:
        mend = f"leave it a core with less work for the loader: {less}"
    return f"shared cores: the loader's threads hold up the one that drives the GPU, so {figures}; {mend}"


def _threads(profile: Profile, case: Case) -> int:
    """Threads with which the loader would be as fast as the model and a margin: its work divides among them."""
    return max(1, math.ceil(_MARGIN * profile.threads * case.loader / case.model))


def _less_work(profile: Profile, case: Case) -> str:
    if case.culprit == "storage" and profile.cold:
        return "copy the store to a disk of this machine" if profile.remote else "a faster disk, or more memory"
    ways = ["a smaller stored size (dfx shard --size)"]
    if case.culprit == "augmentation":
        ways.insert(0, f"fewer operations than --augment {profile.augment} has")
    if profile.on_gpu and profile.backend == "cpu":
        ways.append("decoding on the GPU (--backend dali)")
    return " or ".join(ways)


def _first_epoch(profile: Profile) -> str:
    if profile.cold and profile.stays:
        first = _case(profile, cold=True)
        if first.step > (1 + _NOISE) * profile.step.ms:
            what = "downloads" if profile.remote else "reads from storage"
            return f"; only the first epoch {what}, at {_ms(first.step)} a step"
    if not profile.cold and not profile.stays:
        return (
            f"; storage was not measured: these samples were in the {'local' if profile.remote else 'page'} cache, "
            f"where all {shown_bytes(profile.data_bytes)} do not stay"
        )
    return ""


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _ms(ms: float) -> str:
    return f"{ms:,.0f} ms" if ms >= 10 else f"{ms:.2g} ms"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count > 1)}"
