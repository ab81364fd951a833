"""`jsonschema`, imported without the grammars of `format: iri`, which no schema here asks for.

Where `rfc3987_syntax` happens to be installed (the extra `gates` brings it along), jsonschema imports it,
and that compiles 38 grammars: 0.8 s of every command. Whoever needs jsonschema imports it from here, or
after this.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

_GRAMMARS = "rfc3987_syntax"


@contextmanager
def _left_out(name: str) -> Iterator[None]:
    """Let an import that does without a module find it absent; one that is loaded already stays."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]  # how the import system is told of an absent module
    try:
        yield
    finally:
        del sys.modules[name]


with _left_out(_GRAMMARS):
    from jsonschema import Draft202012Validator

__all__ = ["Draft202012Validator"]
