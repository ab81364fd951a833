"""A definition that is wrong is refused with the line where it is wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phasegate.policies.errors import ProcessInvalid
from phasegate.policies.loader import parse_process
from phasegate.policies.yaml_lines import DEPTH_MAX, FILE_BYTES_MAX

# The lines below are numbered, because the refusals name them.
VALID = """\
process: small
version: 1
title: Small

phases:
  - name: A
    purpose: begin
    evidence:
      - name: a.md
        checks:
          - use: sections
            params: {required: [one]}
  - name: B
    purpose: go on
    evidence:
      - name: b.json
        origin: witnessed
        witness: runner
  - name: C
    purpose: end

forward:
  A: [B]
  B:
    - C

backtrack:
  C: [A, B]
"""


def refusal(text: str | bytes) -> ProcessInvalid:
    """How a definition is refused."""
    with pytest.raises(ProcessInvalid) as caught:
        parse_process(text if isinstance(text, bytes) else text.encode(), "small.yaml")
    assert str(caught.value).startswith(f"small.yaml:{caught.value.line}: ")
    return caught.value


def test_given_a_valid_definition_when_parsed_then_it_is_taken() -> None:
    process = parse_process(VALID.encode(), "small.yaml")

    assert tuple(process.order) == ("A", "B", "C")
    assert process.next_phases("B") == ("C",)


MUTATIONS = {
    # name: (text to replace, its replacement, line, words of the reason)
    "unreachable phase": ("  A: [B]\n", "  A: [C]\n", 13, "phase `B` cannot be reached"),
    "first phase that leads nowhere": ("  A: [B]\n", "", 13, "phase `B` cannot be reached"),
    "dangling forward edge": ("    - C\n", "    - D\n", 25, "no phase `D`"),
    "dangling forward source": ("  A: [B]\n", "  A: [B]\n  X: [B]\n", 24, "no phase `X`"),
    "dangling backtrack edge": ("  C: [A, B]", "  C: [A, X]", 28, "no phase `X`"),
    "dangling backtrack source": ("  C: [A, B]", "  C: [A, B]\n  Y: [A]", 29, "no phase `Y`"),
    "dangling source without edges": ("  C: [A, B]", "  C: [A, B]\n  Z: []", 29, "no phase `Z`"),
    "forward edge backward": ("    - C\n", "    - C\n    - A\n", 26, "must lead to a phase listed later"),
    "forward edge to itself": ("  A: [B]\n", "  A: [A, B]\n", 23, "must lead to a phase listed later"),
    "backtrack edge forward": ("  C: [A, B]", "  B: [C]", 28, "must lead to a phase listed earlier"),
    "backtrack edge to itself": ("  C: [A, B]", "  C: [C]", 28, "must lead to a phase listed earlier"),
    "edge given twice": ("    - C\n", "    - C\n    - C\n", 26, "stands twice"),
    "phase given twice": ("  - name: B\n", "  - name: A\n", 13, "phase `A` stands twice"),
    "artifact given twice": ("      - name: b.json\n", "      - name: a.md\n", 16, "artifact `a.md` stands twice"),
    "unknown validator": ("use: sections", "use: sectoins", 11, "no validator `sectoins`"),
    "commit of CI without a repository": ("use: sections\n            params: {required: [one]}", "use: ci_commit", 11, "give phase A `git:`"),
    "unknown top field": ("title: Small\n", "title: Small\nauthor: me\n", 4, "author"),
    "unknown phase field": ("    purpose: end\n", "    purpose: end\n    owner: me\n", 21, "owner: is no field of a process definition"),
    "unknown evidence field": ("        witness: runner\n", "        witness: runner\n        must: true\n", 19, "must"),
    "unknown check field": ("          - use: sections\n", "          - use: sections\n            when: never\n", 12, "when"),
    "duplicate key": ("title: Small\n", "title: Small\ntitle: Large\n", 4, "key `title` stands twice"),
    "duplicate nested key": ("    purpose: go on\n", "    purpose: go on\n    purpose: stop\n", 15, "stands twice"),
    "float": ("params: {required: [one]}", "params: {threshold: 0.5}", 12, "put the decimal `0.5` in quotes"),
    "float version": ("version: 1\n", "version: 1.0\n", 2, "put the decimal `1.0` in quotes"),
    "not a number": ("params: {required: [one]}", "params: {threshold: .nan}", 12, "floats do not hash"),
    "alias": ("  B:\n    - C\n", "  B: *x\n", 24, "aliases are not allowed"),
    "anchor and alias": ("  A: [B]\n  B:\n    - C\n", "  A: &x [B]\n  B: *x\n", 24, "aliases"),
    "merge key": ("title: Small\n", "title: Small\n<<: {a: 1}\n", 4, "`<<` must be an ASCII string"),
    "boolean key": ("            params: {required: [one]}", "            params: {on: [one]}", 12, "put it in quotes"),
    "key beyond ascii": ("            params: {required: [one]}", "            params: {größe: 1}", 12, "ASCII"),
    "mapping as a key": ("params: {required: [one]}", "params: {{a: 1}: 2}", 12, "a key must be a plain string"),
    "python tag": ("title: Small", "title: !!python/name:os.system ''", 3, "tag"),
    "python tag on a list": ("  C: [A, B]", "  C: !!python/object/apply:os.system [A]", 28, "tag"),
    "set": ("params: {required: [one]}", "params: !!set {one, two}", 12, "tag"),
    "own tag": ("title: Small", "title: !mine Small", 3, "tag"),
    "timestamp": ("title: Small", "title: 2026-01-31", 3, "tag"),
    "binary": ("title: Small", "title: !!binary aGk=", 3, "tag"),
    "integer beyond hashing": ("params: {required: [one]}", "params: {most: 9007199254740992}", 12, "2**53"),
    "integer that is none": ("version: 1", "version: !!int many", 2, "is not a valid int"),
    "boolean that is none": ("params: {required: [one]}", "params: {on_: !!bool maybe}", 12, "is not a valid bool"),
    "empty integer": ("version: 1", "version: !!int ''", 2, "is not a valid int"),
    "lone surrogate": ("title: Small", 'title: "\\ud800"', 3, "surrogate"),
    "list for a mapping": ("forward:\n  A: [B]\n  B:\n    - C\n", "forward: [A, B]\n", 22, "forward: must be a mapping"),
    "word for a list": ("  A: [B]\n", "  A: B\n", 23, "forward.A: must be a list"),
    "lower-case phase": ("  - name: C\n", "  - name: c\n", 19, "name"),
    "endless phase name": ("  - name: C\n", f"  - name: {'C' * 33}\n", 19, "name"),
    "hidden artifact": ("name: a.md", "name: .a.md", 9, "name"),
    "artifact with a path": ("name: a.md", "name: ../a.md", 9, "name"),
    "missing purpose": ("    purpose: end\n", "", 19, "purpose: is missing"),
    "empty purpose": ("purpose: end", "purpose: ''", 20, "purpose"),
    "version zero": ("version: 1", "version: 0", 2, "version"),
    "unknown origin": ("origin: witnessed", "origin: hearsay", 17, "origin"),
    "unknown witness": ("witness: runner", "witness: neighbour", 18, "witness"),
    "witnessed without a witness": ("        witness: runner\n", "", 16, "give both or neither"),
    "witness without witnessed": ("        origin: witnessed\n", "", 16, "give both or neither"),
    "no phases": ("phases:", "phases: []\nother:", 5, "phases"),
    "null phases": ("phases:", "phases:\nother:", 5, "phases"),
    "tab": ("title: Small", "\ttitle: Small", 3, "cannot start any token"),
    "open bracket": ("  C: [A, B]", "  C: [A, B", 29, "expected"),
    "second document": ("backtrack:", "---\nbacktrack:", 27, "another document"),
}  # fmt: skip


@pytest.mark.parametrize("fault", MUTATIONS)
def test_given_one_fault_when_parsed_then_its_line_is_named(fault: str) -> None:
    old, new, line, words = MUTATIONS[fault]
    assert VALID.count(old) == 1

    refused = refusal(VALID.replace(old, new))

    assert words in str(refused)
    assert refused.line == line


GOVERNED = """\
process: governed
version: 1
title: Governed
risks: [low, high]
loop: {same_kind_max: 3, no_progress_minutes: 90}
lease: {ttl_seconds: 600, window_seconds: 300}
milestones:
  - name: M1
  - name: M2
    supervisor: true

repository:
  documents:
    allow: ["docs/**"]
    keep: [tests/**]
    claims: false

phases:
  - name: A
    purpose: begin
    implements: true
    attestation: warn
    git: documents
    approvals:
      - role: reviewer
        signs: a.md
        risks: [high]
    evidence:
      - name: a.md
    tools: [Write, "mcp__repo__*"]
read_only_tools:
  - Read
  - "mcp__docs__*"
forward: {}
"""


def test_given_rules_for_repository_people_and_prompts_when_parsed_then_they_are_taken() -> None:
    process = parse_process(GOVERNED.encode(), "small.yaml")

    assert process.git_rules("A") == {"allow": ["docs/**"], "keep": ["tests/**"], "claims": False}
    assert process.phase("A").approvals[0].risks == ("high",)
    assert [rule.name for rule in process.milestones] == ["M1", "M2"]
    assert (process.phase("A").tools, process.read_only_tools) == (
        ("Write", "mcp__repo__*"),
        ("Read", "mcp__docs__*"),
    )


RULE_MUTATIONS = {
    "no such rules of the repository": ("git: documents", "git: sources", 23, "has no rules `sources`"),
    "unknown rule of the repository": ("    keep: [", "    kept: [", 15, "`kept` is no rule of a repository"),
    "patterns that are none": ('allow: ["docs/**"]', "allow: docs", 13, "`allow`"),
    "empty pattern": ('allow: ["docs/**"]', 'allow: [""]', 13, "`allow`"),
    "flag that is none": ("claims: false", "claims: 1", 13, "`claims`"),
    "rules that are no mapping": ("  documents:\n", "  documents: none\n  other:\n", 13, "must be a mapping"),
    "unknown risk of an approval": ("risks: [high]", "risks: [high, huge]", 27, "no risk class `huge`"),
    "approval that signs nothing": ("signs: a.md", "signs: b.md", 26, "`A` has no `b.md`"),
    "approval in no role": ("role: reviewer", "role: friend", 25, "role"),
    "unknown attestation": ("attestation: warn", "attestation: loud", 22, "attestation"),
    "implements that is no flag": ("implements: true", "implements: perhaps", 21, "must be true or false"),
    "loop without a bound": ("same_kind_max: 3", "same_kind_max: 0", 5, "same_kind_max"),
    "unknown loop rule": ("no_progress_minutes: 90", "idle: 90", 5, "idle: is no field"),
    "lease without time": ("ttl_seconds: 600", "ttl_seconds: 0", 6, "ttl_seconds"),
    "milestone given twice": ("  - name: M2", "  - name: M1", 9, "milestone `M1` stands twice"),
    "tools that are no list": ('tools: [Write, "mcp__repo__*"]', "tools: Write", 30, "tools: must be a list"),
    "tool given twice": ('"mcp__repo__*"]', "Write]", 30, "`Write` stands twice"),
    "any tool": ('"mcp__repo__*"]', '"*"]', 30, "phases.0.tools.1"),
    "pattern that is none": ('"mcp__repo__*"]', '"mcp__*__x"]', 30, "phases.0.tools.1"),
    "tool with a space": ('"mcp__repo__*"]', '"Edit "]', 30, "phases.0.tools.1"),
    "read-only tool given twice": ('  - "mcp__docs__*"', "  - Read", 33, "`Read` stands twice"),
    "read-only tool that is no name": ('  - "mcp__docs__*"', "  - caf\u00e9", 33, "read_only_tools.1"),
    "unknown milestone rule": ("supervisor: true", "boss: true", 10, "boss: is no field"),
}  # fmt: skip


@pytest.mark.parametrize("fault", RULE_MUTATIONS)
def test_given_one_fault_in_a_rule_when_parsed_then_its_line_is_named(fault: str) -> None:
    old, new, line, words = RULE_MUTATIONS[fault]
    assert GOVERNED.count(old) == 1

    refused = refusal(GOVERNED.replace(old, new))

    assert words in str(refused)
    assert refused.line == line


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n...\n"])
def test_given_an_empty_file_when_parsed_then_it_says_so(text: str) -> None:
    reason = refusal(text).reason

    assert reason in {"the file is empty", "the definition: must be a mapping"}


@pytest.mark.parametrize("text", ["just words", "- a\n- b\n", "42", "null", "''"])
def test_given_no_mapping_when_parsed_then_it_is_refused_at_its_first_line(text: str) -> None:
    refused = refusal(text)

    assert (refused.line, refused.reason) == (1, "the definition: must be a mapping")


def test_given_nesting_that_is_too_deep_when_parsed_then_its_line_is_named() -> None:
    deep = "[" * (DEPTH_MAX + 1) + "]" * (DEPTH_MAX + 1)

    refused = refusal(VALID.replace("{required: [one]}", f"{{required: {deep}}}"))

    assert refused.line == 12
    assert f"nested deeper than {DEPTH_MAX} levels" in refused.reason


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_given_nesting_without_end_when_parsed_then_it_is_refused_without_exhausting_the_stack(
    opening: str,
) -> None:
    assert refusal(opening * 100_000)


def test_given_a_file_that_is_too_large_when_parsed_then_it_is_not_read() -> None:
    refused = refusal(b"#" * (FILE_BYTES_MAX + 1))

    assert "larger than" in refused.reason


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\x00", b"title: \x00", b"a: \xc3\x28", b"\x80" * 10, b"a: \x07"]
)
def test_given_bytes_that_are_no_yaml_text_when_parsed_then_they_are_refused(content: bytes) -> None:
    assert "not readable" in refusal(content).reason or refusal(content).line == 1


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_given_any_bytes_when_parsed_then_nothing_but_a_refusal_comes_of_it(content: bytes) -> None:
    with pytest.raises(ProcessInvalid):
        parse_process(content, "any.yaml")


@pytest.mark.parametrize(
    ("use", "params"),
    [
        ("sections", "{requierd: [a]}"),
        ("sections", "{required: []}"),
        ("json_schema", "{schema: nope}"),
        ("json_schema", "{schema: ../../x}"),
        ("rubric", '{threshold: "seven"}'),
    ],
)
def test_given_parameters_that_keep_a_check_from_running_when_loaded_then_their_line_is_named(
    use, params
) -> None:
    text = f"""process: x
version: 1
title: t
phases:
  - name: A
    purpose: p
    evidence:
      - name: a.md
        checks:
          - use: {use}
            params: {params}
forward: {{}}
"""
    with pytest.raises(ProcessInvalid) as refused:
        parse_process(text.encode(), "x.yaml")
    assert refused.value.line == 11
