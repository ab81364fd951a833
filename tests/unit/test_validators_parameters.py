"""Validators under other parameters, and the place and remedy each finding names."""

from __future__ import annotations

import pytest
from checked_artifacts import found, found_under
from valid_artifacts import MODIFIED

from phasegate.validators.interface import Severity


@pytest.mark.parametrize(
    ("validator", "params"),
    [
        ("sections", {}),
        ("sections", {"required": []}),
        ("sections", {"required": ["--"]}),
        ("sections", {"required": "problem"}),
        ("sections", {"required": ["problem"], "min_words": -1}),
        ("json_schema", {}),
        ("json_schema", {"schema": "../../etc/passwd"}),
        ("patch", {"modified_files": 3}),
        ("build_log", {"patterns": ["("]}),
        ("build_log", {"patterns": []}),
        ("build_log", {"refuse_empty": "yes"}),
        ("coverage", {"min_total": "much"}),
        ("rubric", {}),
        ("rubric", {"thresholds": {"security": 7}}),
        ("rubric", {"thresholds": 7}),
        ("quality", {}),
        ("pr_url", {"hosts": [1]}),
        ("evaluation.execution", {"allow_reduced": "yes"}),
    ],
)
def test_given_parameters_that_make_no_sense_when_checked_then_it_is_not_evaluated(validator, params):
    (finding,) = found_under(validator, params)
    assert (finding.code, finding.severity) == ("validator.bad_parameter", Severity.NOT_EVALUATED)
    assert finding.blocks
    assert validator in finding.place


def test_given_an_empty_log_when_only_then_refused_if_policy_says_so():
    assert found("build_log", " \n") == ()
    (finding,) = found("build_log", " \n", params={"refuse_empty": True})
    assert finding.code == "build_log.empty"


def test_given_an_error_line_when_it_is_excused_then_nothing_is_found():
    log = "note: error: known and harmless\n"
    assert found("build_log", log, params={"ignore": ["known and harmless"]}) == ()
    assert [f.place for f in found("build_log", log)] == ["line 1"]


def test_given_a_host_list_when_the_pull_request_is_elsewhere_then_it_is_found():
    (finding,) = found("pr_url", params={"hosts": ["git.example.org"]})
    assert finding.code == "pr_url.foreign_host"
    assert found("pr_url", params={"hosts": ["GitHub.com"]}) == ()


@pytest.mark.parametrize(
    "url",
    [
        "https://gitlab.com/group/sub/project/-/merge_requests/7",
        "https://bitbucket.org/team/repo/pull-requests/3/",
        "https://dev.azure.com/org/project/_git/repo/pullrequest/9",
        "https://codeberg.org/o/r/pulls/4",
    ],
)
def test_given_the_code_hosts_forms_of_address_when_checked_then_all_are_taken(url):
    assert found("pr_url", url) == ()


def test_given_two_missing_sections_when_checked_then_each_is_named_with_place_and_remedy():
    findings = found(
        "sections", "# Strategy\n## Problem\nReviews take long.\n", params={"required": ["scope", "risks"]}
    )
    assert [(f.code, f.place) for f in findings] == [
        ("sections.missing", "scope"),
        ("sections.missing", "risks"),
    ]
    assert all("add a heading" in f.remedy for f in findings)


def test_given_a_minimum_of_words_when_a_section_has_fewer_then_it_is_found():
    findings = found("sections", params={"required": ["non-goals"], "min_words": 4})
    assert [f.code for f in findings] == ["sections.too_short"]


def test_given_several_schema_violations_when_checked_then_each_has_its_json_pointer():
    document = {"files": [{"path": "a"}, {"path": 3}, {"change": "add"}, {"path": "b", "change": "x"}]}
    findings = found("json_schema", document)
    assert [(f.code, f.place) for f in findings] == [
        ("schema.type", "/files/1/path"),
        ("schema.required", "/files/2"),
        ("schema.enum", "/files/3/change"),
    ]


def test_given_a_patch_and_another_list_of_files_when_compared_then_each_difference_is_found():
    listed = {"files": [*MODIFIED["files"][1:], "src/z.py"]}
    findings = found("patch", modified_files=listed)
    assert [(f.code, f.place) for f in findings] == [
        ("patch.files_differ", "`src/a.py`"),
        ("patch.files_differ", "`src/z.py`"),
    ]


def test_given_the_old_name_of_a_rename_in_the_list_when_compared_then_it_may_stand_there():
    assert found("patch", modified_files={"files": [*MODIFIED["files"], "name one.py"]}) == ()


def test_given_no_list_of_files_when_compared_then_it_is_not_evaluated():
    (finding,) = found("patch", modified_files=None)
    assert (finding.code, finding.severity) == ("companion.missing", Severity.NOT_EVALUATED)
