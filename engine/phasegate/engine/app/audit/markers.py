"""Marks of unfinished work in production code: words such as those below, and functions that do nothing.

A file is code by its name, or, where the name has no suffix, by its first line (`#!`). Python is read as
Python: words count in comments and at the head of a docstring's line, and a function whose whole body (but
for a docstring) is `pass`, `...` or `raise NotImplementedError` is a stub, unless it is abstract, an
overload, or part of a `Protocol`. In other languages the words count wherever they stand, in files of
settings in comments and as values, and the usual spellings of "not implemented" count with them.
`marker_words` says which spellings of a word count. It opens no file: whoever calls hands in the bytes.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from phasegate.engine.app.audit.marker_words import words_in_docstring, words_in_line, words_in_setting
from phasegate.validators.globs import Globs
from phasegate.validators.interface import Finding, Severity
from phasegate.validators.quoting import quoted

WORD: Final = "markers.word"
STUB: Final = "markers.stub"
UNREADABLE: Final = "markers.not_evaluated"
FILE_BYTES_MAX: Final = 4 * 1024 * 1024
FINDINGS_MAX: Final = 1_000

WORDS: Final = ("TODO", "FIXME", "XXX", "HACK")
_SETTINGS: Final = ("*.yaml", "*.yml", "*.toml")
SOURCES: Final = (
    "Makefile", "makefile", "GNUmakefile", "*.mk", "Dockerfile", "Dockerfile.*", "*.dockerfile",
    "Containerfile", "Justfile", "justfile", "Rakefile", "Jenkinsfile", "Vagrantfile", "CMakeLists.txt",
    "*.cmake", "*.gradle", "*.bzl", "BUILD", "*.tf", "*.proto", *_SETTINGS,
    *(f"*.{ending}" for ending in (
        "py", "pyi", "js", "mjs", "cjs", "jsx", "ts", "tsx", "go", "rs", "java", "kt", "kts", "scala", "rb",
        "php", "c", "h", "cc", "cpp", "cxx", "hpp", "hh", "cs", "fs", "swift", "m", "mm", "dart", "ex", "exs",
        "erl", "hs", "lua", "pl", "pm", "r", "jl", "sh", "bash", "zsh", "ksh", "fish", "awk", "ps1", "sql",
        "vue", "svelte", "zig", "nim",
    )),
)  # fmt: skip
"""What counts as code."""
EXCLUDED: Final = (
    "test/**", "tests/**", "**/test/**", "**/tests/**", "**/testdata/**", "**/__tests__/**", "test_*.py",
    "*_test.py", "conftest.py", "*_test.go", "*.test.*", "*.spec.*", "*Test.java", "*Tests.cs", "*_spec.rb",
    "docs/**", "examples/**", "**/vendor/**", "vendor/**", "**/node_modules/**", "node_modules/**",
    "**/third_party/**", "third_party/**", "*.min.js",
    ".phasegate/**",
)  # fmt: skip
"""Tests, documentation and what others wrote are no production code of this repository."""

_NOT_IMPLEMENTED = re.compile(
    r"\b(?:unimplemented!|todo!|NotImplementedException|UnsupportedOperationException\(\s*\"not implemented"
    r"|throw new Error\(\s*['\"]not implemented|panic\(\s*\"not implemented)",
    re.IGNORECASE,
)
_INTERPRETER = b"#!"
_PYTHON = re.compile(rb"\bpython[0-9.]*\b")
_ABSTRACT = frozenset({"abstractmethod", "abstractproperty", "overload"})
_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class MarkerRules:
    """What is looked for, and where.

    Attributes:
        words: words that mark unfinished work, as whole words.
        sources: patterns of files that are code.
        excluded: patterns of those that are not production code.
        stubs: whether functions that do nothing count.
        scripts: whether a file without a suffix is code if its first line names an interpreter.
    """

    words: tuple[str, ...] = WORDS
    sources: tuple[str, ...] = SOURCES
    excluded: tuple[str, ...] = EXCLUDED
    stubs: bool = True
    scripts: bool = True

    def may_cover(self, path: str) -> bool:
        """Whether a file is production code by its name, or may be by its first line."""
        named = Globs(self.sources).matches(path) or (self.scripts and _has_no_suffix(path))
        return named and not Globs(self.excluded).matches(path)

    def covers(self, path: str, content: bytes) -> bool:
        """Whether a file is production code."""
        by_name = Globs(self.sources).matches(path)
        return self.may_cover(path) and (by_name or content.startswith(_INTERPRETER))


def marker_findings(files: Mapping[str, bytes], rules: MarkerRules) -> tuple[Finding, ...]:
    """Look for marks in files by path; at most `FINDINGS_MAX` findings, in the order of path and line.

    Findings: `markers.word`, `markers.stub`, and `markers.not_evaluated` for a file that cannot be read as
    what it is.
    """
    found: list[Finding] = []
    for path in sorted(files):
        if rules.covers(path, files[path]):
            found.extend(_file_findings(path, files[path], rules))
        if len(found) >= FINDINGS_MAX:
            break
    return tuple(found[:FINDINGS_MAX])


def _file_findings(path: str, content: bytes, rules: MarkerRules) -> list[Finding]:
    if len(content) > FILE_BYTES_MAX:
        return [_unreadable(path, f"it has more than {FILE_BYTES_MAX} bytes")]
    if not _is_python(path, content):
        return list(_text_marks(path, content.decode("utf-8", "replace"), rules))
    try:
        with warnings.catch_warnings():
            # An escape that Python will refuse one day is no matter of this check.
            warnings.simplefilter("ignore")
            tree = ast.parse(content)
        comments = list(_comments(content))
    except (SyntaxError, ValueError, RecursionError, MemoryError, tokenize.TokenError) as error:
        return [_unreadable(path, f"it is no Python that this interpreter reads: {error}")]
    marks = [_word(path, line, word) for line, text in comments for word in words_in_line(text, rules.words)]
    marks.extend(
        _word(path, line, word)
        for line, text in _docstring_lines(tree)
        for word in words_in_docstring(text, rules.words)
    )
    if rules.stubs and not path.endswith(".pyi"):
        marks.extend(_stub(path, function) for function in _stubs(tree))
    return sorted(marks, key=lambda mark: int(mark.place.rpartition(":")[2]))


def _comments(content: bytes) -> Iterator[tuple[int, str]]:
    for token in tokenize.tokenize(io.BytesIO(content).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def _docstring_lines(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | _Function):
            text = ast.get_docstring(node, clean=False) or ""
            yield from enumerate(text.splitlines(), node.body[0].lineno if text else 1)


def _has_no_suffix(path: str) -> bool:
    return "." not in path.rpartition("/")[2]


def _is_python(path: str, content: bytes) -> bool:
    interpreter = content.partition(b"\n")[0] if _has_no_suffix(path) else b""
    named = interpreter.startswith(_INTERPRETER) and _PYTHON.search(interpreter)
    return path.endswith((".py", ".pyi")) or bool(named)


def _text_marks(path: str, text: str, rules: MarkerRules) -> Iterator[Finding]:
    words_in = words_in_setting if Globs(_SETTINGS).matches(path) else words_in_line
    for number, line in enumerate(text.splitlines(), 1):
        for word in words_in(line, rules.words):
            yield _word(path, number, word)
        found = _NOT_IMPLEMENTED.search(line) if rules.stubs else None
        if found:
            yield _finding(STUB, path, number, f"{quoted(found[0])} stands where work is to be done")


def _stubs(tree: ast.Module) -> Iterator[_Function]:
    """Functions that do nothing; those of a protocol and abstract ones are not asked."""
    waiting: list[tuple[ast.AST, bool]] = [(tree, False)]
    while waiting:
        node, is_protocol = waiting.pop()
        for child in ast.iter_child_nodes(node):
            inside = is_protocol
            if isinstance(child, ast.ClassDef):
                inside = any(_name(base) == "Protocol" for base in child.bases)
            elif isinstance(child, _Function):
                if not is_protocol and _does_nothing(child) and not _is_abstract(child):
                    yield child
                inside = False
            waiting.append((child, inside))


def _does_nothing(function: _Function) -> bool:
    body = function.body
    first = body[0]
    if (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    ):
        body = body[1:]
    return bool(body) and all(_is_nothing(statement) for statement in body)


def _is_nothing(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Raise):
        raised = statement.exc.func if isinstance(statement.exc, ast.Call) else statement.exc
        return raised is not None and _name(raised) == "NotImplementedError"
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant) and statement.value.value is Ellipsis
    return isinstance(statement, ast.Pass)


def _is_abstract(function: _Function) -> bool:
    return any(_name(decorator) in _ABSTRACT for decorator in function.decorator_list)


def _name(node: ast.expr) -> str:
    """Last part of a possibly dotted, possibly subscripted name."""
    if isinstance(node, ast.Subscript):
        return _name(node.value)
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _word(path: str, line: int, word: str) -> Finding:
    return _finding(WORD, path, line, f"a comment or line is marked `{word}`")


def _stub(path: str, function: _Function) -> Finding:
    return _finding(STUB, path, function.lineno, f"the function `{function.name}` does nothing")


def _finding(code: str, path: str, line: int, message: str) -> Finding:
    remedy = "finish it, or take it out; what is no production code is excluded in the policy file"
    return Finding(code, path, f"{path}:{line}", message, remedy)


def _unreadable(path: str, reason: str) -> Finding:
    remedy = "mend the file, or exclude it in the policy file under `markers`"
    return Finding(UNREADABLE, path, f"{path}:1", reason, remedy, Severity.NOT_EVALUATED)
