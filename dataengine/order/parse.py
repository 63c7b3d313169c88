"""Policies read from text, the form in which they stand on the command line, in a run's settings and in a state."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any, TypeVar

from dataengine.errors import DfxError, unknown_name
from dataengine.order.policy import Balanced, Blocked, Groups, Mixed, Policy, Sequential, Shuffled

POLICIES: dict[str, type[Policy]] = {
    policy.name: policy for policy in (Sequential, Shuffled, Blocked, Balanced, Groups, Mixed)
}
N = TypeVar("N", int, float)
_EXAMPLE = {"groups": "groups:classes=4,per_class=8", "mixed": "mixed:ff++=2,celeb-df=1/balanced"}


def parse_policy(text: str, *, by: tuple[str, ...] = ("method",)) -> Policy:
    """Read `NAME` or `NAME:SETTING=VALUE,SETTING=VALUE`, what `str(policy)` writes.

    `shuffled`, `blocked:window=4`, `balanced:by=method+dataset,frames_per_clip=4`, `groups:classes=4,per_class=8`;
    of `mixed` the settings are stores and their weights, and after a '/' follows the policy within each of them:
    `mixed:ff++=2,celeb-df=1/balanced:by=method`. `by` is the one of policies by class whose text names none.
    Raises DfxError for a name or setting that is none, naming near ones, and for values that cannot be.
    """
    name, _, listed = text.strip().partition(":")
    if name not in POLICIES:
        raise unknown_name("policy", name, POLICIES)
    listed, slash, within = listed.partition("/") if name == Mixed.name else (listed, "", "")
    given = _settings(name, listed)
    known = {field.name: field for field in fields(POLICIES[name]) if field.name not in ("weights", "within")}
    settings: dict[str, Any] = {"by": by} if "by" in known else {}
    weights: dict[str, float] = {}
    for key, value in given.items():
        if key in known:
            settings[key] = tuple(value.split("+")) if key == "by" else _number(name, key, value, int)
        elif name == Mixed.name:
            weights[key] = _number(name, key, value, float)
        else:
            raise unknown_name(f"setting of policy '{name}'", key, known)
    if missing := [key for key, field in known.items() if field.default is MISSING and key not in settings]:
        raise DfxError(f"policy '{text}' gives no {' and no '.join(missing)}; write it such as {_EXAMPLE[name]}")
    if name == Mixed.name:
        settings |= {"weights": weights}
        settings |= {"within": parse_policy(within, by=by)} if slash else {}
    return POLICIES[name](**settings)


def _settings(policy: str, listed: str) -> dict[str, str]:
    settings: dict[str, str] = {}
    for part in listed.split(",") if listed.strip() else []:
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not (key and equals and value):
            raise DfxError(f"policy '{policy}': '{part.strip()}' is no setting; write NAME=VALUE, separated by commas")
        if key in settings:
            raise DfxError(f"policy '{policy}' gives {key} twice; give it once")
        settings[key] = value
    return settings


def _number(policy: str, key: str, value: str, kind: type[N]) -> N:
    try:
        return kind(value)
    except ValueError:
        what = "a whole number" if kind is int else "a number"
        raise DfxError(f"policy '{policy}': {key} is '{value}'; give {what}") from None
