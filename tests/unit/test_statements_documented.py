"""What the documentation says of statements holds."""

from __future__ import annotations

import json
import re
from pathlib import Path

from phasegate.engine.statements import (
    PREDICATES,
    Approval,
    Fault,
    Statement,
    VerifyKey,
    parse_statement,
    verify,
)

DOC = (Path(__file__).parents[2] / "docs" / "statements.md").read_text("utf-8")


def examples() -> list[dict]:
    blocks = re.findall(r"```json\n(.*?)```", DOC, flags=re.DOTALL)
    return [json.loads(block) for block in blocks]


def test_the_documented_statements_are_statements():
    statements = [block for block in examples() if "_type" in block]
    assert {parse_statement(json.dumps(block).encode()).predicate.TYPE for block in statements} == set(
        PREDICATES
    )


def test_the_documented_envelope_verifies_with_the_documented_key():
    (envelope,) = [block for block in examples() if "payload" in block]
    key = VerifyKey.parse(next(line.strip() for line in DOC.splitlines() if line.startswith("    alice+")))
    statement = verify(json.dumps(envelope).encode(), {key.key_id: key}, expected_type=Approval)
    assert isinstance(statement, Statement)
    assert statement.to_dict() in examples()


def test_the_documentation_names_every_field_and_every_fault():
    for kind in PREDICATES.values():
        for name, field in kind.model_fields.items():
            assert f"`{field.alias or name}`" in DOC
    assert {fault for fault in Fault if f"`{fault}`" in DOC} == set(Fault)
