"""The command as the user gave it, for messages that name another one like it."""

from __future__ import annotations

import shlex
from collections.abc import Collection

import typer


def given_again(context: typer.Context, *, without: Collection[str]) -> str:
    """The running command with all that was given on its command line, but for the parameters `without`; quoted for a
    shell."""
    words = ["dfx", context.command.name or ""]
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        if name in without or source is None or source.name != "COMMANDLINE":
            continue
        value = context.params[name]
        if parameter.param_type_name == "argument":
            words.append(str(value))
        elif isinstance(value, bool):
            words.append(parameter.opts[0])
        else:
            words += [parameter.opts[0], str(value)]
    return shlex.join(words)
