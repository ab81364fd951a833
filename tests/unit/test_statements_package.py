"""What the package of statements offers and what importing it costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from phasegate.engine.core.errors import EngineError
from phasegate.engine.statements import StatementError


def test_errors_are_the_engines_and_exit_with_integrity():
    assert issubclass(StatementError, EngineError)


def test_signing_and_verifying_statements_does_not_import_securesystemslib():
    code = (
        "import sys; import phasegate.engine.statements as s; print('pydantic' in sys.modules);"
        "from phasegate.engine.statements.dsse import sign, verify; import phasegate.engine.app.people.keys;"
        "print([n for n in ('securesystemslib', 'cryptography', 'jsonschema') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["False", "[]"]


def test_every_name_the_package_offers_can_be_imported_from_it():
    import phasegate.engine.statements as package

    assert {name for names in package._HOMES.values() for name in names} == set(package.__all__)
    assert all(getattr(package, name) for name in package.__all__)
    with pytest.raises(AttributeError):
        package.nothing  # noqa: B018
