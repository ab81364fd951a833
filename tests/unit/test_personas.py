"""Personas: a canonical form with a digest, an allowlist of tools, and refusals with the line."""

from __future__ import annotations

import hashlib
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from phasegate.policies.errors import PersonaNotFound, ProcessInvalid
from phasegate.policies.persona import PersonaSpec
from phasegate.policies.persona_loader import load_persona, parse_persona, shipped_personas, stored_persona

VALID = """\
name: writer
version: 2
role: implementer
purpose: Writes caf\u00e9 menus.
domains: [web, api]
tools: [read, engine.*]
constraints:
  - Spell it right.
  - Never guess.
"""


def test_the_shipped_personas_load_and_have_different_digests() -> None:
    assert {"implementer", "reviewer", "planner", "security_reviewer"} <= set(shipped_personas())
    personas = [load_persona(name) for name in shipped_personas()]
    assert [persona.name for persona in personas] == list(shipped_personas())
    assert len({persona.digest for persona in personas}) == len(personas)


def test_who_reviews_may_not_write() -> None:
    for name in ("reviewer", "security_reviewer"):
        persona = load_persona(name)
        assert persona.allows("read")
        assert not any(map(persona.allows, ["write", "edit", "bash"]))


def test_the_canonical_form_is_json_with_sorted_keys_and_sets() -> None:
    persona = parse_persona(VALID.encode(), "writer.yaml")

    assert persona.canonical().decode() == (
        '{"constraints":["Spell it right.","Never guess."],"domains":["api","web"],"name":"writer",'
        '"purpose":"Writes caf\u00e9 menus.","role":"implementer","tools":["engine.*","read"],"version":2}'
    )
    assert persona.digest == hashlib.sha256(persona.canonical()).hexdigest()
    assert stored_persona(persona.canonical()) == persona


@pytest.mark.parametrize(
    "text",
    [
        VALID.replace("[web, api]", "[api, web]"),
        VALID.replace("[read, engine.*]", "[engine.*, read]"),
        unicodedata.normalize("NFD", VALID),
        VALID.replace("Never guess.", "'  Never guess. '"),
    ],
)
def test_what_means_the_same_has_the_same_digest(text: str) -> None:
    assert parse_persona(text.encode(), "x").digest == parse_persona(VALID.encode(), "x").digest


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("writer", "editor"),
        ("version: 2", "version: 3"),
        ("implementer", "reviewer"),
        ("menus", "letters"),
        ("[web, api]", "[web]"),
        ("engine.*", "engine.a"),
        ("Never guess", "Guess"),
    ],
)
def test_every_field_is_in_the_digest(old: str, new: str) -> None:
    assert (
        parse_persona(VALID.replace(old, new).encode(), "x").digest
        != parse_persona(VALID.encode(), "x").digest
    )


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        ("name: writer", "name: Wri ter", 1, "name: "),
        ("version: 2", "version: two", 2, "version: must be a whole number"),
        ("version: 2", "version: 0", 2, "version: "),
        ("version: 2\n", "", 1, "version: is missing"),
        ("version: 2", "version: 2\nrule: x", 3, "rule: is no field of a persona"),
        ("purpose: Writes caf\u00e9 menus.", "purpose: '  '", 4, "purpose: must not be blank"),
        ("purpose: Writes caf\u00e9 menus.", 'purpose: "a\\nb"', 4, "purpose: must be one line"),
        ("[web, api]", "[web, game]", 5, "domains.1: "),
        ("[web, api]", "[web, web]", 5, "stands twice"),
        ("[read, engine.*]", "[read, read]", 6, "stands twice"),
        ("[read, engine.*]", "['*']", 6, "tools.0: "),
        ("[read, engine.*]", "[a*b]", 6, "tools.0: "),
        ("  - Never guess.", "  - 7", 9, "constraints.1: must be text"),
        ("version: 2", "version: 2\nversion: 2", 3, "stands twice"),
    ],
)
def test_one_fault_is_refused_with_its_line(old: str, new: str, line: int, reason: str) -> None:
    text = VALID.replace(old, new)
    assert text != VALID
    with pytest.raises(ProcessInvalid) as caught:
        parse_persona(text.encode(), "writer.yaml")
    assert (caught.value.source, caught.value.line) == ("writer.yaml", line), caught.value
    assert reason in caught.value.reason


def test_a_persona_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(VALID)
    assert load_persona(str(file)).name == "writer"


@pytest.mark.parametrize("name", ["nobody", "nobody.yaml", "a\0.yaml", "../personas/reviewer"])
def test_a_persona_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(PersonaNotFound, match="nobody|reviewer|null byte"):
        load_persona(name)


def test_a_persona_too_large_to_hash_is_refused() -> None:
    many = VALID + "".join(f"  - {'x' * 490}{number}\n" for number in range(200))
    with pytest.raises(ProcessInvalid, match="constraints"):
        parse_persona(many.encode(), "x.yaml")


def test_what_is_stored_as_a_persona_and_is_none_is_refused() -> None:
    with pytest.raises(ProcessInvalid):
        stored_persona(b"{}")


def test_a_persona_cannot_be_changed() -> None:
    persona = load_persona("reviewer")
    with pytest.raises(ValidationError):
        persona.version = 9  # type: ignore[misc]


tool = st.text("abc._", min_size=1, max_size=6).map(lambda text: f"t{text}")


@given(listed=st.lists(tool, unique=True, max_size=4), prefix=tool, asked=tool)
def test_only_what_is_listed_is_allowed(listed: list[str], prefix: str, asked: str) -> None:
    persona = PersonaSpec(name="x", version=1, role="x", purpose="x", tools=(*listed, f"{prefix}*"))

    assert persona.allows(asked) == (asked in listed or asked.startswith(prefix))
    assert not PersonaSpec(name="x", version=1, role="x", purpose="x").allows(asked)
