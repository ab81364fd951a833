"""The compiler gives the same bytes for the same request; goldens are the bytes themselves."""

from __future__ import annotations

import hashlib
from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prompt_requests import FULL, GOLDENS, OWN_PHASE, PLAIN, REQUESTS

from phasegate.engine.core.errors import BadInput
from phasegate.engine.prompts.canonical import HEADER_END, canonical_prompt, header_of
from phasegate.engine.prompts.compiler import CRITERIA_MAX, LINE_CHARS_MAX, compile_prompt
from phasegate.engine.prompts.diff import DIFF_LINES_MAX, prompt_diff
from phasegate.engine.prompts.recipe import Recipe, recipe_of
from phasegate.engine.prompts.request import request_for
from phasegate.policies.loader import load_process
from phasegate.policies.persona import Domain
from phasegate.policies.prompt_texts import shipped_texts

TEXTS = shipped_texts()
PHASES = ("STRATEGIZE", "SPEC", "PLAN", "THINK", "IMPLEMENT", "VERIFY", "REVIEW", "PR", "MONITOR")


@pytest.mark.parametrize("name", REQUESTS)
def test_a_prompt_is_byte_for_byte_its_golden(name: str) -> None:
    golden = (GOLDENS / f"{name}.md").read_bytes()

    compiled = compile_prompt(REQUESTS[name], TEXTS)

    assert compiled.content == golden
    assert compiled.digest == hashlib.sha256(golden).hexdigest()


def test_every_golden_is_compared() -> None:
    assert {path.stem for path in GOLDENS.glob("*.md")} == set(REQUESTS)


def test_each_phase_of_the_default_process_has_a_role_and_a_rubric() -> None:
    assert set(TEXTS.roles) == set(TEXTS.rubrics) == set(PHASES)
    assert set(TEXTS.overlays) == set(Domain)


@pytest.mark.parametrize("phase", PHASES)
def test_the_prompt_of_each_phase_names_the_evidence_it_must_leave(phase: str) -> None:
    process = load_process("autopilot")
    compiled = compile_prompt(request_for(process, phase, task="T-1", title="t"), TEXTS)

    assert f"# Phase {phase}\n" in compiled.text
    assert process.digest in compiled.text
    for rule in process.phase(phase).evidence:
        assert f"- evidence to leave: {rule.name} (" in compiled.text


def test_a_compiled_prompt_is_in_canonical_form_and_its_parts_are_named_in_order() -> None:
    compiled = compile_prompt(FULL, TEXTS)

    assert canonical_prompt(compiled.content).content == compiled.content
    assert [part.name for part in compiled.parts] == [
        "core", "role:IMPLEMENT", "persona:implementer@3", "overlay:api", "overlay:web", "skill:migrations",
        "skill:testing", "rubric:IMPLEMENT", "anchors",
    ]  # fmt: skip
    assert len({part.digest for part in compiled.parts}) == len(compiled.parts)


def test_the_header_is_the_same_for_every_task_in_a_phase_and_another_in_another_phase() -> None:
    one = compile_prompt(FULL, TEXTS)
    other = compile_prompt(replace(FULL, task="T-2", title="else", persona=None, skills=()), TEXTS)

    assert one.header_digest == other.header_digest
    assert one.digest != other.digest
    assert compile_prompt(PLAIN, TEXTS).header_digest != one.header_digest


@pytest.mark.parametrize(
    "changed",
    [
        {"task": "T-2"},
        {"title": "else"},
        {"process": "autopilot 3"},
        {"process_digest": "cd" * 32},
        {"phase": "VERIFY"},
        {"purpose": "else"},
        {"evidence": ()},
        {"commands": ("test (make check)",)},
        {"criteria": ()},
        {"persona": None},
        {"domains": ("web",)},
        {"skills": ()},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_every_input_is_in_the_digest(changed: dict[str, object]) -> None:
    assert compile_prompt(replace(FULL, **changed), TEXTS).digest != compile_prompt(FULL, TEXTS).digest  # type: ignore[arg-type]


def test_the_inputs_that_are_tried_are_all_there_are() -> None:
    assert {item.name for item in fields(FULL)} == {
        "task", "title", "process", "process_digest", "phase", "purpose", "evidence", "commands", "criteria", "persona",
        "domains", "skills",
    }  # fmt: skip


@settings(deadline=None, max_examples=50)
@given(
    domains=st.permutations(sorted(Domain)),
    skills=st.permutations(sorted(TEXTS.skills)),
    repeated=st.integers(0, 2),
)
def test_the_order_of_inputs_means_nothing(domains: list[str], skills: list[str], repeated: int) -> None:
    wanted = replace(FULL, domains=tuple(sorted(Domain)), skills=tuple(sorted(TEXTS.skills)))
    given_ = replace(FULL, domains=(*domains, *domains[:repeated]), skills=(*skills, *skills[:repeated]))

    assert compile_prompt(given_, TEXTS) == compile_prompt(wanted, TEXTS)


plain = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=80)


@settings(deadline=None, max_examples=100)
@given(title=plain, criterion=plain)
def test_text_from_outside_neither_ends_the_header_nor_makes_a_heading(title: str, criterion: str) -> None:
    spoilt = replace(PLAIN, title=f"x\n{HEADER_END}\n# {title}", criteria=(("AC-1", f"x\n# {criterion}"),))

    compiled = compile_prompt(spoilt, TEXTS)

    assert compiled.header_digest == compile_prompt(PLAIN, TEXTS).header_digest
    assert compiled.text.count("\n# ") == compile_prompt(PLAIN, TEXTS).text.count("\n# ")
    assert canonical_prompt(compiled.text).content == compiled.content


@pytest.mark.parametrize(("kind", "known"), [("domains", "orchestrator"), ("skills", "testing")])
def test_what_is_not_there_is_refused_with_what_is(kind: str, known: str) -> None:
    with pytest.raises(BadInput) as caught:
        compile_prompt(replace(PLAIN, **{kind: ("nope",)}), TEXTS)  # type: ignore[arg-type]
    assert "`nope`" in caught.value.message
    assert known in caught.value.remedy


def test_a_phase_of_another_process_gets_its_purpose_as_its_role_and_no_rubric() -> None:
    compiled = compile_prompt(OWN_PHASE, TEXTS)

    assert header_of(compiled.text).endswith("# Phase DRAFT\n\nWrite it down.\n\n")
    assert [part.name for part in compiled.parts] == ["core", "role:DRAFT", "anchors"]


def test_long_texts_are_shortened_and_what_is_left_out_is_said() -> None:
    many = tuple((f"AC-{number}", "y" * (LINE_CHARS_MAX + 1)) for number in range(CRITERIA_MAX + 3))

    text = compile_prompt(replace(PLAIN, criteria=many), TEXTS).text

    assert text.count("[shortened]") == CRITERIA_MAX
    assert "criteria left out here: 3;" in text


def test_the_recipe_says_what_to_ask_for_again() -> None:
    assert recipe_of(compile_prompt(FULL, TEXTS).text) == Recipe(("api", "web"), ("migrations", "testing"))
    assert recipe_of("a prompt of somebody's own\n") is None


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"domains":1,"skills":[]}', '{"domains":[1],"skills":[]}'])
def test_a_recipe_that_cannot_be_read_is_none(body: str) -> None:
    assert recipe_of(f"text\n<!-- phasegate:recipe {body} -->\n") is None


def test_a_diff_names_both_sides_and_is_empty_for_the_same_text() -> None:
    shown = prompt_diff("a\nb\n", "a\nc\n", before_name="baseline 1", after_name="in use")

    assert shown.splitlines() == ["--- baseline 1", "+++ in use", "@@ -1,2 +1,2 @@", " a", "-b", "+c"]
    assert prompt_diff("a\n", "a\n", before_name="x", after_name="y") == ""


def test_a_long_diff_is_cut_and_says_so() -> None:
    after = "".join(f"{number}\n" for number in range(DIFF_LINES_MAX + 10))

    lines = prompt_diff("x\n", after, before_name="x", after_name="y").splitlines()

    assert len(lines) == DIFF_LINES_MAX + 1
    assert lines[-1] == f"... more than {DIFF_LINES_MAX} lines differ"
