"""References: which store, and which of its rows."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dataengine.errors import StoreError, unknown_name
from dataengine.records import INDEX_SCHEMA
from dataengine.remote import is_url, refuse_credentials


@dataclass(frozen=True, slots=True)
class StoreRef:
    """A store and a selection of its rows, written `PATH@column=value,value@column=value`."""

    path: str
    """Of the store's folder, or its URL."""
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def __str__(self) -> str:
        return self.path + self.selection

    @property
    def shown(self) -> str:
        """The text for titles: a URL without its options."""
        return (self.path.partition("?")[0] if is_url(self.path) else self.path) + self.selection

    @property
    def selection(self) -> str:
        """The selection alone, "" for all rows."""
        return "".join(f"@{column}={','.join(values)}" for column, values in self.where)


def parse_ref(text: str) -> StoreRef:
    """Read `shards/ff++@method=real,Face2Face@split=train`; the order of columns and values does not matter.

    Raises StoreError for an unknown column, a selection without values, and a URL with credentials.
    """
    if is_url(text):
        refuse_credentials(text)  # before anything repeats the text
    # A folder's name may hold an '@' too: a selection begins at one that a column of the index follows.
    begin = re.search(rf"@(?:{'|'.join(INDEX_SCHEMA.names)})=", text)
    path, parts = (text[: begin.start()], text[begin.start() + 1 :].split("@")) if begin else (text, [])
    if stray := re.search(r"@(\w+)=[^/]*$", path):
        raise unknown_name("column in a store reference", stray[1], INDEX_SCHEMA.names)
    where = {}
    for part in parts:
        column, _, listed = part.partition("=")
        values = tuple(sorted({value.strip() for value in listed.split(",") if value.strip()}))
        if not path or not values:
            raise StoreError(f"'{text}' is no store reference; write PATH@column=value,value")
        if column not in INDEX_SCHEMA.names:
            raise unknown_name("column in a store reference", column, INDEX_SCHEMA.names)
        if column in where:
            raise StoreError(f"'{text}' selects by '{column}' twice; write its values once, separated by commas")
        where[column] = values
    return StoreRef(path, tuple(sorted(where.items())))
