"""What tells the store that lies somewhere from the one that would be written there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_OPTIONS = {"form": "--from", "quality": "--quality", "splits": "--splits", "name": "--name"}


def difference(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """In words; each is what dataset.json or an unfinished store's plan tells: what was asked for comes before what the
    tree held."""
    if there.get("layout") != here["layout"]:
        return f"layout {there.get('layout')}, not {here['layout']}"
    asked, asks = there.get("options") or here["options"], here["options"]
    chosen = [
        f"{_given(option, asked.get(key))} there, {_given(option, asks[key])} here"
        for key, option in _OPTIONS.items()
        if asked.get(key) != asks[key]
    ]
    old, new = _flat(there.get("settings", {})), _flat(here["settings"])
    changed = [f"{name} {old.get(name)}, not {value}" for name, value in new.items() if old.get(name) != value]
    if chosen or changed:
        return "; ".join([*chosen, *changed])
    if there.get("clips") != here["clips"]:
        return f"made from {there.get('clips')} clips, where the tree now has {here['clips']}"
    return "made from other clips, splits or names than the tree now has"


def _given(option: str, value: object) -> str:
    return f"{option} {value}" if value else f"no {option}"


def _flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {**settings, **settings.get("extract", {}), "extract": None}
