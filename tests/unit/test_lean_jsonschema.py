"""No command waits for grammars that no schema asks for."""

from __future__ import annotations

import subprocess
import sys

import pytest

LOADED = """
import sys
{first}
print(sorted(name for name in ("jsonschema", "lark", "rfc3987_syntax") if name in sys.modules))
"""


def loaded(first: str) -> str:
    """Which of the modules in question a new interpreter has after some lines."""
    command = [sys.executable, "-c", LOADED.format(first=first)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize(
    "first",
    [
        "from phasegate.validators.schema_store import compiled; compiled('file_map')",
        "import phasegate.policies.rego.document",
        "import phasegate.engine.mcp.server",
    ],
)
def test_given_the_grammars_are_installed_then_nothing_of_ours_compiles_them(first: str) -> None:
    if "mcp" in first:
        pytest.importorskip("mcp", reason="needs the extra `mcp`")
    assert loaded(first) == "['jsonschema']"


def test_whoever_wants_the_grammars_has_them_afterwards() -> None:
    pytest.importorskip("rfc3987_syntax", reason="comes with the extra `gates`")

    told = loaded("import phasegate.validators.lean_jsonschema, rfc3987_syntax")

    assert told == "['jsonschema', 'lark', 'rfc3987_syntax']"
