"""Mutants of a reference solution: valid Python that differs from it in one small way.

Six operators of the classical set (DeMillo, Lipton and Sayward 1978; Offutt et al. 1996): comparison (ROR),
arithmetic (AOR), boundary (an index, slice or range end off by one), constant, return value, and statement
deletion (SDL). A mutant may by chance behave as the reference does (an equivalent mutant); whether it does
can only be seen by running it.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from phasegate.engine.runners.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random


class Operator(StrEnum):
    """Which small way."""

    COMPARISON = "comparison"
    ARITHMETIC = "arithmetic"
    BOUNDARY = "boundary"
    CONSTANT = "constant"
    RETURN = "return"
    DELETED_STATEMENT = "deleted_statement"


@dataclass(frozen=True, slots=True)
class Mutant:
    """A changed function.

    Attributes:
        operator: the kind of change.
        line: line of the change in the source that was mutated, from 1.
        source: the changed function, with whatever top-level code came after it.
    """

    operator: Operator
    line: int
    source: str


@dataclass(frozen=True, slots=True)
class _Site:
    """A place where an operator applies: the number of the node in walking order, and what to do to it."""

    operator: Operator
    node: int
    change: Callable[[Any], None]


_Change = tuple[Operator, Callable[[Any], None]]

_COMPARISONS: tuple[type[ast.cmpop], ...] = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq)
_OPPOSITE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_ARITHMETIC: tuple[type[ast.operator], ...] = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod)
_NEVER_DELETED = (
    *(ast.Pass, ast.While, ast.FunctionDef, ast.AsyncFunctionDef),
    *(ast.ClassDef, ast.Import, ast.ImportFrom),
)


def mutate(source: str, entry_point: str, rng: Random) -> Mutant:
    """One mutant of `entry_point` in `source`; `rng` draws first the operator, then place and change.

    Args:
        source: a module that defines the function; it is parsed, never run.
        entry_point: name of the function to change.
        rng: a seeded generator; only `random()` is drawn from, whose sequence Python keeps from version to
            version.

    Returns:
        The mutant; its source holds the function without its docstring, and the top-level code after it.

    Raises:
        ModelError: the source does not parse, lacks the function, or the function has nothing to change.
    """
    module = _tail(source, entry_point)
    reference = ast.dump(module)
    sites = list(_sites(module))
    while sites:
        operators = sorted({site.operator for site in sites})
        operator = operators[_draw(rng, len(operators))]
        candidates = [site for site in sites if site.operator is operator]
        site = candidates[_draw(rng, len(candidates))]
        changed, line = _apply(module, site)
        if ast.dump(changed) != reference and _is_valid(changed):
            return Mutant(operator, line, ast.unparse(changed) + "\n")
        sites.remove(site)
    raise ModelError(
        f"the reference solution of `{entry_point}` has nothing to mutate",
        remedy="use a suite whose functions do something, or replay recorded completions",
    )


def _draw(rng: Random, count: int) -> int:
    return int(rng.random() * count)


def _tail(source: str, entry_point: str) -> ast.Module:
    """The module from the entry point's definition on, without that function's docstring."""
    try:
        module = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ModelError(
            f"the reference solution of `{entry_point}` does not parse",
            remedy="correct it in the suite's file",
        ) from error
    for index, statement in enumerate(module.body):
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef) and statement.name == entry_point:
            if len(statement.body) > 1 and ast.get_docstring(statement, clean=False) is not None:
                del statement.body[0]
            module.body = module.body[index:]
            return module
    raise ModelError(
        f"the reference solution does not define `{entry_point}`", remedy="correct it in the suite's file"
    )


def _apply(module: ast.Module, site: _Site) -> tuple[ast.Module, int]:
    changed = copy.deepcopy(module)
    node = list(ast.walk(changed))[site.node]
    line = getattr(node, "lineno", 1)
    site.change(node)
    return ast.fix_missing_locations(changed), line


def _is_valid(module: ast.Module) -> bool:
    try:
        compile(ast.unparse(module), "<mutant>", "exec")
    except (SyntaxError, ValueError, RecursionError):
        return False
    return True


def _sites(module: ast.Module) -> Iterator[_Site]:
    frozen = _loop_drivers(module)
    for number, node in enumerate(ast.walk(module)):
        if id(node) in frozen:
            continue
        yield from (_Site(operator, number, change) for operator, change in _changes(node))


def _loop_drivers(module: ast.Module) -> set[int]:
    """Every node of a `while` loop: one that no longer ends costs a time budget and shows nothing more."""
    loops = [node for node in ast.walk(module) if isinstance(node, ast.While)]
    return {id(node) for loop in loops for node in ast.walk(loop) if not isinstance(node, ast.Return)}


def _changes(node: ast.AST) -> Iterator[_Change]:
    for kind, changes in _CHANGES_BY_NODE.items():
        if isinstance(node, kind):
            yield from changes(node)
    if not isinstance(node, ast.Module):
        yield from _deletions(node)


def _comparison_changes(node: ast.Compare) -> Iterator[_Change]:
    for index, operator in enumerate(node.ops):
        for other in _other_comparisons(type(operator)):
            yield Operator.COMPARISON, _set_comparison(index, other)


def _arithmetic_changes(node: ast.BinOp | ast.AugAssign) -> Iterator[_Change]:
    if isinstance(node.op, _ARITHMETIC):
        for other in _ARITHMETIC:
            if not isinstance(node.op, other):
                yield Operator.ARITHMETIC, _set_arithmetic(other)


def _boundary_changes(node: ast.Subscript | ast.Call) -> Iterator[_Change]:
    is_range = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range"
    if isinstance(node, ast.Subscript) or (is_range and node.args):
        for step in (1, -1):
            yield Operator.BOUNDARY, _shift_end(step)


def _constant_changes(node: ast.Constant) -> Iterator[_Change]:
    if isinstance(node.value, bool | int | float | str):
        yield Operator.CONSTANT, _raise_constant


def _return_changes(node: ast.Return) -> Iterator[_Change]:
    if node.value is None:
        return
    yield Operator.RETURN, _set_return(ast.Constant(value=None))
    if not isinstance(node.value, ast.Constant | ast.JoinedStr):
        yield Operator.RETURN, _negate_return


def _deletions(node: ast.AST) -> Iterator[_Change]:
    for block in ("body", "orelse"):
        statements = getattr(node, block, None)
        if isinstance(statements, list):
            for index, statement in enumerate(statements):
                if not isinstance(statement, _NEVER_DELETED):
                    yield Operator.DELETED_STATEMENT, _delete(block, index)


def _other_comparisons(current: type[ast.cmpop]) -> tuple[type[ast.cmpop], ...]:
    if current in _OPPOSITE:
        return (_OPPOSITE[current],)
    return tuple(other for other in _COMPARISONS if other is not current)


def _set_comparison(index: int, other: type[ast.cmpop]) -> Callable[[Any], None]:
    def change(node: ast.Compare) -> None:
        node.ops[index] = other()

    return change


def _set_arithmetic(other: type[ast.operator]) -> Callable[[Any], None]:
    def change(node: ast.BinOp | ast.AugAssign) -> None:
        node.op = other()

    return change


def _shift_end(step: int) -> Callable[[Any], None]:
    """Shift the index, the slice's end or, failing that, start, or the end of a range by `step`."""

    def change(node: ast.Subscript | ast.Call) -> None:
        if isinstance(node, ast.Call):
            end = min(1, len(node.args) - 1)
            node.args[end] = _shifted(node.args[end], step)
        elif not isinstance(node.slice, ast.Slice):
            node.slice = _shifted(node.slice, step)
        elif node.slice.upper is not None:
            node.slice.upper = _shifted(node.slice.upper, step)
        else:
            node.slice.lower = _shifted(node.slice.lower or ast.Constant(value=0), step)

    return change


def _shifted(expression: ast.expr, step: int) -> ast.expr:
    return ast.BinOp(expression, ast.Add() if step > 0 else ast.Sub(), ast.Constant(value=abs(step)))


def _raise_constant(node: Any) -> None:
    """A boolean turns over, a number grows by one, a text by one character."""
    if isinstance(node.value, bool):
        node.value = not node.value
    elif isinstance(node.value, str):
        node.value += "x"
    else:
        node.value += 1


def _set_return(value: ast.expr) -> Callable[[Any], None]:
    def change(node: ast.Return) -> None:
        node.value = value

    return change


def _negate_return(node: Any) -> None:
    node.value = ast.UnaryOp(ast.Not(), node.value)


def _delete(block: str, index: int) -> Callable[[Any], None]:
    def change(node: Any) -> None:
        statements = getattr(node, block)
        del statements[index]
        if not statements and block == "body":
            statements.append(ast.Pass())

    return change


_CHANGES_BY_NODE: dict[type[ast.AST], Callable[[Any], Iterator[_Change]]] = {
    ast.Compare: _comparison_changes,
    ast.BinOp: _arithmetic_changes,
    ast.AugAssign: _arithmetic_changes,
    ast.Subscript: _boundary_changes,
    ast.Call: _boundary_changes,
    ast.Constant: _constant_changes,
    ast.Return: _return_changes,
}
