"""Whatever an agent hands in, a validator answers with findings and never with an exception."""

from __future__ import annotations

import copy
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from valid_artifacts import COMPANIONS, VALID, as_bytes, companions

from phasegate.validators.cargo_test import cargo_test_to_results
from phasegate.validators.cobertura_xml import cobertura_to_report
from phasegate.validators.contracts import CONTRACTS, propose_repair
from phasegate.validators.coverage_json import coverage_json_to_report
from phasegate.validators.errors import ValidatorError
from phasegate.validators.go_test import go_test_to_results
from phasegate.validators.interface import Artifact, Context
from phasegate.validators.jest_json import jest_json_to_results
from phasegate.validators.junit import junit_to_test_results
from phasegate.validators.lcov import lcov_to_report
from phasegate.validators.patch import parse_patch
from phasegate.validators.quoting import quoted
from phasegate.validators.registry import REGISTRY, resolve
from phasegate.validators.sarif import sarif_to_static_analysis
from phasegate.validators.unittest_text import unittest_text_to_results

CONVERTERS = (
    junit_to_test_results, coverage_json_to_report, cobertura_to_report, lcov_to_report, sarif_to_static_analysis,
    unittest_text_to_results, go_test_to_results, cargo_test_to_results, jest_json_to_results,
)  # fmt: skip

QUICK = settings(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)

# Validators that look at other artifacts too.
COMPARING = (
    "patch", "plan", "file_map", "edge_cases", "rollback_plan", "test_history", "changed_coverage", "coverage",
    "reviewer", "ci_commit", "kpis", "policy_pack",
    *sorted(name for name in VALID if name.startswith("evaluation.")),
)  # fmt: skip

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["1e999", "-0", "NaN", "1" * 31, "ab" * 32, "TBD", "\ud800", 10**400, 1.5, 2.0, -1])
)  # fmt: skip
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=8,
)


def check(name, content, others):
    """Run a validator outside the registry's net."""
    findings = resolve(name)(Artifact("a", content), Context(VALID[name].params, others))
    for finding in findings:
        assert finding.code
        assert finding.place
        assert finding.remedy
        for text in (finding.place, finding.message, finding.remedy):
            assert text.isprintable()
            assert text.encode()
        assert max(len(finding.place), len(finding.remedy)) <= 300
        assert len(finding.message) <= 600
    return findings


def places(document, at=()):
    """Paths of all values in a document, its own first."""
    yield at
    children = (
        document.items()
        if isinstance(document, dict)
        else enumerate(document)
        if isinstance(document, list)
        else ()
    )
    for step, child in children:
        yield from places(child, (*at, step))


def mutated(document, path, value):
    if not path:
        return value
    copied = copy.deepcopy(document)
    target = copied
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    return copied


@pytest.mark.parametrize("name", sorted(REGISTRY))
@QUICK
@given(content=st.binary(max_size=200), other=st.binary(max_size=60))
def test_given_any_bytes_when_checked_then_there_are_findings_and_no_exception(name, content, other):
    check(name, content, dict.fromkeys(COMPANIONS, other))


@pytest.mark.parametrize(
    "name", sorted(name for name, valid in VALID.items() if not isinstance(valid.content, str))
)
@QUICK
@given(data=st.data())
def test_given_any_value_anywhere_in_a_valid_document_when_checked_then_there_is_no_exception(name, data):
    document = VALID[name].content
    path = data.draw(st.sampled_from(list(places(document))))
    check(name, as_bytes(mutated(document, path, data.draw(JSON))), companions())


@pytest.mark.parametrize("name", COMPARING)
@QUICK
@given(data=st.data())
def test_given_any_value_anywhere_in_a_companion_when_checked_then_there_is_no_exception(name, data):
    other = data.draw(st.sampled_from(sorted(COMPANIONS)))
    path = data.draw(st.sampled_from(list(places(COMPANIONS[other]))))
    changed = mutated(COMPANIONS[other], path, data.draw(JSON))
    check(name, as_bytes(VALID[name].content), companions() | {other: as_bytes(changed)})


@pytest.mark.parametrize(
    "name", sorted(name for name, valid in VALID.items() if isinstance(valid.content, str))
)
@QUICK
@given(data=st.data())
def test_given_a_text_cut_and_spliced_when_checked_then_there_is_no_exception(name, data):
    content = as_bytes(VALID[name].content)
    start, end = sorted(data.draw(st.lists(st.integers(0, len(content)), min_size=2, max_size=2)))
    check(name, content[:start] + data.draw(st.binary(max_size=6)) + content[end:], companions())


@QUICK
@given(
    content=st.binary(max_size=200)
    | st.text(alphabet="<>/testsuicaernm='\"!&; \n", max_size=80).map(str.encode)
)
def test_given_any_bytes_when_converted_then_only_the_documented_errors_come(content):
    for convert in CONVERTERS:
        try:
            json.dumps(convert(content))
        except ValidatorError as error:
            assert error.remedy  # noqa: PT017 - that no other error comes is the point


@QUICK
@given(lines=st.lists(st.sampled_from([
    b"diff --git a/x b/x", b"--- a/x", b"+++ b/x", b"--- /dev/null", b"+++ /dev/null", b"@@ -1 +1 @@", b"@@ -1,2 +0,0 @@", b"-a", b"+b", b" c",
    b"\\ No newline at end of file", b"", b"rename from x", b"rename to y", b"copy to z", b"new file mode 100644",
    b"GIT binary patch", b'"a/\\303\\251" b/z', b"junk",
]), max_size=12))  # fmt: skip
def test_given_lines_of_patches_in_any_order_when_parsed_then_it_ends_and_problems_have_lines(lines):
    parsed = parse_patch(b"\n".join(lines))
    assert all(0 <= number <= len(lines) + 1 for number, _ in parsed.problems)


@QUICK
@given(value=JSON | st.text())
def test_given_any_input_when_quoted_then_it_is_one_short_printable_line(value):
    text = quoted(value)
    assert text.isprintable()
    assert len(text) <= 122
    assert text.count("`") == 2
    assert text.encode("utf-8")


@QUICK
@given(name=st.sampled_from(sorted(CONTRACTS)), data=st.data())
def test_given_any_value_anywhere_when_a_repair_is_proposed_then_it_never_raises_and_tells_every_change(
    name, data
):
    document = VALID["contract"].content
    path = data.draw(st.sampled_from(list(places(document))))
    content = as_bytes(mutated(document, path, data.draw(JSON)))
    proposal = propose_repair(name, content)
    assert bool(proposal.edits) == (proposal.document not in {content, None})
    assert proposal.fulfils == (proposal.document is not None and not proposal.remaining)
