"""From a raw completion to the module source that is run.

What a model sends is one of: the continuation of the prompt, the function again from its header (perhaps with
imports, helpers or the whole prompt), or either of these in a Markdown fence with talk around it. The rules:

1.  If the prompt followed by the text parses and defines the entry point, that is the program, byte for byte:
    what the HumanEval harness runs (Chen et al. 2021), so verdicts agree with it.
2.  Otherwise, if the text has Markdown fences (CommonMark 0.31, section 4.5), the code is taken out of them.
3.  Code that is a module of its own and defines the entry point replaces the head of the function: it runs
    after what the prompt says before that head, with its `__future__` imports moved to the top where they
    must be.
4.  Anything else is joined to the prompt as it stands, and fails with its own syntax error.

Nothing is ever repaired: no re-indentation, no missing import, no cutting of trailing text outside a fence.
Parsing is all that happens here; nothing is compiled to code or run.
"""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from phasegate.engine.runners.suites import Problem

COMPLETION_MAX_CHARS = 1_000_000

_FENCE = re.compile(r"^(?P<indent>[ \t]*)(?P<mark>`{3,}|~{3,})(?P<info>[^`\r\n]*)\r?$")
_INDENTED = re.compile(r"(?:[ \t]*\r?\n)*[ \t]+[^\s]")
_PYTHON_INFO = frozenset({"", "python", "py", "python3", "py3", "{python}", "{.python}"})
_FUTURE = "__future__"


@dataclass(frozen=True, slots=True)
class _Block:
    """A fenced block: its code and the first word after the opening fence, lowercase."""

    code: str
    info: str


def assemble(problem: Problem, completion: str) -> str:
    """The module source to run for one completion of one problem.

    Args:
        problem: the problem; only its prompt and entry point are used.
        completion: the text as the model gave it.

    Returns:
        Source that, if it is valid at all, defines the entry point. Malformed or oversized (over
        `COMPLETION_MAX_CHARS`) completions come back joined to the prompt as they are and fail when they run.
    """
    joined = problem.prompt + completion
    if len(completion) > COMPLETION_MAX_CHARS or not _may_differ(problem, completion):
        return joined
    if _continues(problem, completion):
        return joined
    code = _unfenced(problem, completion)
    if code is not None and _continues(problem, code):
        return problem.prompt + code
    code = completion if code is None else code
    module = _module(code)
    if module is not None and _defines(module, problem.entry_point):
        return _standing_alone(problem, code, module)
    return problem.prompt + code


def _may_differ(problem: Problem, completion: str) -> bool:
    """Whether any rule but plain joining can apply; spares most continuations the parse."""
    own = re.compile(rf"^(?:async\s+def|def|class)?\s*{re.escape(problem.entry_point)}\b", re.MULTILINE)
    return "```" in completion or "~~~" in completion or own.search(completion) is not None


def _continues(problem: Problem, code: str) -> bool:
    """Whether the prompt followed by `code` is a module that defines the entry point.

    A `__future__` import below the top makes it none; a prompt that ends within a comment swallows a header.
    """
    module = _module(problem.prompt + code)
    return module is not None and _defines(module, problem.entry_point) and not _late_future_import(module)


def _module(source: str) -> ast.Module | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a strange escape in a model's answer is not our warning
        try:
            return ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
            return None


def _late_future_import(module: ast.Module) -> bool:
    head = True
    for index, statement in enumerate(module.body):
        is_future = isinstance(statement, ast.ImportFrom) and statement.module == _FUTURE
        if is_future and not head:
            return True
        head = head and (is_future or (index == 0 and _is_text(statement)))
    return False


def _is_text(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _defines(module: ast.Module, name: str) -> bool:
    return any(name in _bound_names(statement) for statement in module.body)


def _bound_names(statement: ast.stmt) -> Iterator[str]:
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.Assign(targets=targets):
            yield from (target.id for target in targets if isinstance(target, ast.Name))
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr()):
            yield name


def _has_body(module: ast.Module, name: str) -> bool:
    """Whether `name` is more than a restated head: more than a docstring, `pass` or `...`."""
    for statement in module.body:
        if name not in _bound_names(statement):
            continue
        if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            return True
        if not all(isinstance(line, ast.Pass) or _is_constant(line) for line in statement.body):
            return True
    return False


def _is_constant(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _standing_alone(problem: Problem, code: str, module: ast.Module) -> str:
    """The prompt up to the entry point's head, then `code`; `__future__` imports first, on the top line.

    The import is repeated at the top and blanked out where it stood, so that line numbers of `code` stay.
    """
    preamble = _preamble(problem)
    futures = [
        statement
        for statement in module.body
        if isinstance(statement, ast.ImportFrom) and statement.module == _FUTURE
    ]
    if not futures:
        return preamble + code
    names = sorted({alias.name for statement in futures for alias in statement.names})
    return f"from {_FUTURE} import {', '.join(names)}\n{preamble}{_blanked(code, futures)}"


def _preamble(problem: Problem) -> str:
    head = re.compile(rf"^(?:async\s+)?def\s+{re.escape(problem.entry_point)}\b", re.MULTILINE)
    found = head.search(problem.prompt)
    if found is None:
        return problem.prompt.rstrip() + "\n\n"
    before = problem.prompt[: found.start()]
    # A decorator belongs to the head that is being replaced; left alone it would not parse.
    return re.sub(r"(?:^@[^\n]*\n)+\Z", "", before, flags=re.MULTILINE)


def _blanked(code: str, statements: list[ast.ImportFrom]) -> str:
    # The parser counts every kind of line end and gives columns in UTF-8 bytes.
    lines = code.replace("\r\n", "\n").replace("\r", "\n").encode().split(b"\n")
    for statement in statements:
        first, last = statement.lineno - 1, (statement.end_lineno or statement.lineno) - 1
        head, tail = lines[first][: statement.col_offset], lines[last][statement.end_col_offset or 0 :]
        for line in range(first, last + 1):
            lines[line] = b""
        lines[first] = head + b"pass" + tail
    return b"\n".join(lines).decode()


def _unfenced(problem: Problem, completion: str) -> str | None:
    """The code inside the fences of `completion` that answers the problem; None if there is no fence.

    Preference: the first block that defines the entry point with a body; then the first that defines it at
        all;
    then text before a lone closing fence (the opening one was in the prompt that the model was given);
    then the first block that continues the prompt; then the first Python block; then the first block.
    """
    leading, blocks = _split_fences(completion)
    if not blocks:
        return None
    modules = [(block.code, _module(block.code)) for block in blocks]
    defining = [(code, tree) for code, tree in modules if tree and _defines(tree, problem.entry_point)]
    for code, tree in defining:
        if _has_body(tree, problem.entry_point):
            return code
    if defining:
        return defining[0][0]
    if _INDENTED.match(leading) and _continues(problem, leading):
        return leading
    python = [block.code for block in blocks if block.info in _PYTHON_INFO] or [
        block.code for block in blocks
    ]
    return next((code for code in python if code.strip() and _continues(problem, code)), python[0])


def _split_fences(text: str) -> tuple[str, list[_Block]]:
    """Text before the first fence, and the blocks; an unclosed block runs to the end."""
    leading: list[str] = []
    blocks: list[_Block] = []
    opened: re.Match[str] | None = None
    inside: list[str] = []
    for line in text.split("\n"):
        fence = _FENCE.match(line)
        if opened is None and fence is None:
            if not blocks:
                leading.append(line)
        elif opened is None:
            opened, inside = fence, []
        elif fence is not None and _closes(opened, fence):
            blocks.append(_block(opened, inside))
            opened = None
        else:
            inside.append(line)
    if opened is not None:
        blocks.append(_block(opened, inside))
    return "\n".join([*leading, ""]), blocks


def _closes(opened: re.Match[str], fence: re.Match[str]) -> bool:
    same_kind = fence["mark"][0] == opened["mark"][0]
    return same_kind and len(fence["mark"]) >= len(opened["mark"]) and not fence["info"].strip()


def _block(opened: re.Match[str], lines: list[str]) -> _Block:
    """A block's code, freed of as much leading space as its opening fence has (a fence in a list item)."""
    indent = len(opened["indent"])
    freed = [line[min(indent, len(line) - len(line.lstrip())) :] for line in lines]
    words = opened["info"].split()
    return _Block("\n".join([*freed, ""]), words[0].lower() if words else "")
