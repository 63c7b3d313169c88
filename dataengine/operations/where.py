"""The language of `dfx filter --where`: an expression over the index's columns, parsed and never run as Python."""

from __future__ import annotations

import ast
import functools
import operator
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dataengine.errors import DfxError, unknown_name
from dataengine.records import INDEX_SCHEMA

_MOST_CHARS = 20_000
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], pc.Expression]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_MIRRORED: dict[type[ast.cmpop], type[ast.cmpop]] = {ast.Lt: ast.Gt, ast.LtE: ast.GtE, ast.Gt: ast.Lt, ast.GtE: ast.LtE}


def parse_where(text: str) -> pc.Expression:
    """An expression over INDEX_SCHEMA's columns, such as `width >= 128 and method in ('real', 'X')`.

    It knows column names, texts and numbers; `== != < <= > >=`, chained too, `in`, `not in`, `is None`, `is not None`;
    `and`, `or`, `not`, brackets. Each comparison is true or false: with a null it is false, `!=` and `not in` too, and
    `not` turns that round. Raises DfxError, naming the column, for anything else.
    """
    if len(text) > _MOST_CHARS:
        raise DfxError(f"--where has {len(text):,} characters, more than {_MOST_CHARS:,}; shorten it")
    try:
        parsed = ast.parse(text.strip(), mode="eval")
        return _condition(parsed.body)
    except SyntaxError as error:
        at = f" at character {error.offset}" if error.offset else ""
        raise DfxError(f"--where '{text[:80]}' is no expression ({error.msg}{at}); write it like {_EXAMPLE}") from None
    except (RecursionError, MemoryError, ValueError) as error:
        if isinstance(error, DfxError):
            raise
        raise DfxError(f"--where is nested too deeply, or holds a null byte; write it like {_EXAMPLE}") from None


_EXAMPLE = "\"split == 'train' and method in ('real', 'Face2Face')\""


def _condition(node: ast.expr) -> pc.Expression:
    match node:
        case ast.BoolOp(op=op, values=values):
            joined = operator.and_ if isinstance(op, ast.And) else operator.or_
            return functools.reduce(joined, map(_condition, values))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return ~_condition(operand)
        case ast.Compare(left=left, ops=ops, comparators=rights):
            pairs = zip([left, *rights[:-1]], ops, rights, strict=True)
            return functools.reduce(operator.and_, (_comparison(*pair) for pair in pairs))
        case ast.Name(id=name):
            _type_of(name)
            raise DfxError(f"--where takes the column '{name}' for true or false; compare it with a value")
    raise _refused(node)


def _comparison(left: ast.expr, op: ast.cmpop, right: ast.expr) -> pc.Expression:
    if isinstance(op, ast.In | ast.NotIn):
        found = _membership(left, right)
        return _certain(~found if isinstance(op, ast.NotIn) else found, left)
    if isinstance(op, ast.Is | ast.IsNot):
        if not (isinstance(left, ast.Name) and isinstance(right, ast.Constant) and right.value is None):
            raise DfxError("--where takes `is` and `is not` before None alone; use == and !=")
        _type_of(left.id)
        return pc.field(left.id).is_null() if isinstance(op, ast.Is) else pc.field(left.id).is_valid()
    if isinstance(right, ast.Name) and not isinstance(left, ast.Name):
        left, right, op = right, left, _MIRRORED.get(type(op), type(op))()
    if not isinstance(left, ast.Name):
        raise DfxError(f"--where compares {ast.unparse(left)} with {ast.unparse(right)}; one of them must be a column")
    kind = _type_of(left.id)
    if isinstance(right, ast.Name):
        if right.id not in INDEX_SCHEMA.names and pa.types.is_string(kind):
            raise DfxError(
                f"--where compares '{left.id}' with {right.id}, which is no column; a text is in quotes: '{right.id}'"
            )
        other = _type_of(right.id)
        if pa.types.is_string(kind) != pa.types.is_string(other):
            held = f"'{left.id}' holds {_words(kind)} and '{right.id}' holds {_words(other)}"
            raise DfxError(f"column {held}; compare like with like")
        if pa.uint64() in (kind, other) and kind != other:  # no type holds both
            raise DfxError(f"columns '{left.id}' and '{right.id}' cannot be compared: one is a hash of 64 bits")
        compared = _COMPARISONS[type(op)](pc.field(left.id), pc.field(right.id))
        return _certain(compared, left, right)
    return _certain(_COMPARISONS[type(op)](pc.field(left.id), _scalar(left.id, kind, right)), left)


def _membership(left: ast.expr, right: ast.expr) -> pc.Expression:
    if not isinstance(left, ast.Name):
        raise DfxError(f"--where has {ast.unparse(left)} before `in`; write a column there")
    kind = _type_of(left.id)
    if not isinstance(right, ast.Tuple | ast.List | ast.Set) or not right.elts:
        raise DfxError(f"column '{left.id}' is to be in {ast.unparse(right)}; write ('one', 'another') there")
    values = [_scalar(left.id, kind, element) for element in right.elts]
    wide = pa.float64() if any(pa.types.is_floating(value.type) for value in values) else values[0].type
    if pa.types.is_floating(kind):
        wide = kind
    field = pc.field(left.id) if wide == kind else pc.field(left.id).cast(wide)
    return field.isin(pa.array([value.as_py() for value in values], wide))


def _certain(compared: pc.Expression, *columns: ast.expr) -> pc.Expression:
    """False where a column is null, so that a condition and its `not` part the rows in two."""
    names = [column.id for column in columns if isinstance(column, ast.Name)]
    return functools.reduce(operator.and_, (pc.field(name).is_valid() for name in names)) & pc.coalesce(
        compared, pa.scalar(False)
    )


def _scalar(column: str, kind: pa.DataType, node: ast.expr) -> pa.Scalar:
    value = _constant(node)
    if isinstance(value, str) != pa.types.is_string(kind):
        raise DfxError(
            f"column '{column}' holds {_words(kind)}, and {ast.unparse(node)} is none; compare like with like"
        )
    if isinstance(value, str):
        return pa.scalar(value, kind)
    if pa.types.is_floating(kind):
        return pa.scalar(float(value), kind)  # rounded as the column's own values are: 0.9 finds 0.9
    if isinstance(value, float):
        if kind == pa.uint64():
            raise DfxError(f"column '{column}' holds hashes of 64 bits; compare it with whole numbers")
        return pa.scalar(value, pa.float64())
    try:
        return pa.scalar(value, kind if kind == pa.uint64() else pa.int64())
    except (OverflowError, pa.ArrowInvalid):
        raise DfxError(f"column '{column}' cannot hold {value}; give a number of its range") from None


def _constant(node: ast.expr) -> str | int | float:
    match node:
        case ast.Constant(value=value) if isinstance(value, str | int | float) and not isinstance(value, bool):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
    raise _refused(node)


def _type_of(name: str) -> pa.DataType:
    if name not in INDEX_SCHEMA.names:
        raise unknown_name("column", name, INDEX_SCHEMA.names)
    return INDEX_SCHEMA.field(name).type


def _words(kind: pa.DataType) -> str:
    return "texts" if pa.types.is_string(kind) else "numbers"


def _refused(node: ast.expr) -> DfxError:
    return DfxError(
        f"--where holds `{ast.unparse(node)[:60]}`, which is no comparison of a column with a text or a number; write "
        f"it like {_EXAMPLE}"
    )
