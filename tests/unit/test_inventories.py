"""Bills of materials and lists of licences become one list of packages; OSV records are held against them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from phasegate.validators.errors import MalformedReportError
from phasegate.validators.inventories import INVENTORIES, Component, component_of, plain_name, read_inventory
from phasegate.validators.osv import NotComparable, affects


def read(name: str, report: object) -> list[Component]:
    return list(read_inventory(name, json.dumps(report).encode()))


def cyclonedx(*components: dict[str, Any]) -> dict[str, Any]:
    """A bill of materials."""
    return {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": list(components)}


def test_a_cyclonedx_bill_lists_packages_with_licences_and_those_they_are_made_of() -> None:
    inner = {"type": "library", "name": "inner", "version": "2", "purl": "pkg:npm/%40scope/inner@2"}
    outer = {
        "type": "library", "name": "PyYAML", "version": "6.0", "purl": "pkg:pypi/pyyaml@6.0",
        "licenses": [{"license": {"id": "MIT"}}, {"license": {"name": "Own"}}], "components": [inner],
    }  # fmt: skip
    other = {"type": "library", "name": "right", "licenses": [{"expression": "MIT OR GPL-3.0-only"}]}
    file = {"type": "file", "name": "notes.txt"}

    found = read("cyclonedx", cyclonedx(outer, file, other))

    assert found == [
        Component("pyyaml", "6.0", "PyPI", ("MIT", "Own")),
        Component("@scope/inner", "2", "npm"),
        Component("right", "", "", ("MIT OR GPL-3.0-only",)),
    ]


def test_a_report_of_syft_lists_packages_with_licences() -> None:
    artifacts = [
        {
            "name": "github.com/a/b", "version": "v1.2.3", "purl": "pkg:golang/github.com/a/b@v1.2.3",
            "licenses": [{"value": "MIT", "type": "declared"}],
        },
        {"name": "core", "version": "1", "purl": "pkg:maven/org.a/core@1", "licenses": ["Apache-2.0"]},
    ]  # fmt: skip

    assert read("syft", {"artifacts": artifacts}) == [
        Component("github.com/a/b", "v1.2.3", "Go", ("MIT",)),
        Component("org.a:core", "1", "Maven", ("Apache-2.0",)),
    ]


def test_pip_licenses_lists_every_licence_that_is_told() -> None:
    listed = [{"Name": "helper", "Version": "1.0", "License": "MIT License; BSD License"}]

    assert read("pip-licenses", listed) == [
        Component("helper", "1.0", "PyPI", ("MIT License", "BSD License"))
    ]


@pytest.mark.parametrize("name", INVENTORIES)
@pytest.mark.parametrize(
    "report",
    [b"", b"{}", b"null", b'{"components": []}', b'[{"Name": ""}]', b'{"artifacts": [{"version": 1}]}'],
)
def test_what_is_no_report_of_the_tool_is_refused_and_not_read_as_empty(name: str, report: bytes) -> None:
    with pytest.raises(MalformedReportError) as refused:
        read_inventory(name, report)

    assert refused.value.remedy


@pytest.mark.parametrize("purl", ["", "requests", "pkg:pypi", "pkg:npm/@scope/a@1"])
def test_a_url_that_names_no_package_names_none(purl: str) -> None:
    assert component_of(purl) is None


def test_spellings_of_one_python_package_are_one() -> None:
    assert plain_name("PyPI", "Py_YAML.x") == plain_name("PyPI", "py-yaml-x")
    assert plain_name("npm", "Left") != plain_name("npm", "left")


def record(ecosystem: str, *events: dict[str, str], **said: Any) -> dict[str, Any]:
    """An OSV record about the package `means`."""
    ranges = [{"type": "ECOSYSTEM", "events": list(events)}] if events else []
    item = {"package": {"ecosystem": ecosystem, "name": "means"}, "ranges": ranges, **said}
    return {"id": "OSV-1", "affected": [item]}


FROM_TO = ({"introduced": "1.0"}, {"fixed": "1.5"})


@pytest.mark.parametrize(
    ("ecosystem", "events", "affected", "clean"),
    [
        ("PyPI", FROM_TO, ["1.0", "1.0.0", "1.4.post1", "1.5rc1"], ["0.9", "1.0rc1", "1.5", "2.0"]),
        ("PyPI", ({"introduced": "0"}, {"last_affected": "1.2"}), ["0.1a1", "1.2", "1.2.0"], ["1.2.1"]),
        ("PyPI", ({"introduced": "0"},), ["0", "99"], []),
        (
            "PyPI",
            ({"introduced": "0"}, {"fixed": "1.0"}, {"introduced": "1.0"}, {"fixed": "2.0"}),
            ["0.5", "1.0", "1.5"],
            ["2.0"],
        ),
        ("PyPI", ({"fixed": "1.0"}, {"introduced": "0"}), ["0.9"], ["1.0"]),
        ("npm", FROM_TO, ["1.0.0", "1.4.9", "1.5.0-beta.1"], ["1.0.0-rc.1", "1.5.0", "1.10.0"]),
        ("npm", ({"introduced": "1.0.0-alpha.2"}, {"fixed": "1.0.0-alpha.10"}), ["1.0.0-alpha.9"], ["1.0.0"]),
        ("Go", FROM_TO, ["v1.0.0", "v1.4.0+incompatible"], ["v1.5.0", "v0.1.0"]),
        ("crates.io", FROM_TO, ["1.0.0"], ["1.5.0"]),
        ("npm", ({"introduced": "0"}, {"limit": "1.0"}), ["0.9.0"], ["1.0.0"]),
    ],
)
def test_a_version_is_affected_between_its_events(
    ecosystem: str, events: tuple[dict[str, str], ...], affected: list[str], clean: list[str]
) -> None:
    told = record(ecosystem, *events)

    assert [one for one in affected if not affects(told, Component("means", one, ecosystem))] == []
    assert [one for one in clean if affects(told, Component("means", one, ecosystem))] == []


def test_versions_that_a_record_lists_are_affected_however_they_are_written() -> None:
    told = record("PyPI", versions=["1.0"])

    assert affects(told, Component("Means", "1.0.0", "PyPI"))
    assert not affects(told, Component("means", "1.1", "PyPI"))


def test_a_record_that_names_no_version_is_about_all() -> None:
    assert affects(record("PyPI"), Component("means", "1.0", "PyPI"))


def test_a_withdrawn_record_and_one_of_another_package_or_ecosystem_say_nothing() -> None:
    told = record("PyPI", {"introduced": "0"})

    assert not affects({**told, "withdrawn": "2026-01-01T00:00:00Z"}, Component("means", "1.0", "PyPI"))
    assert not affects(told, Component("mean", "1.0", "PyPI"))
    assert not affects(told, Component("means", "1.0.0", "npm"))


@pytest.mark.parametrize(
    ("told", "version"),
    [
        (record("Maven", *FROM_TO), "1.0"),
        (record("PyPI", *FROM_TO), "one"),
        (record("npm", *FROM_TO), "^1.0.0"),
        (record("PyPI", ranges=[{"type": "GIT", "events": [{"introduced": "0"}]}]), "1.0"),
    ],
    ids=["order not known", "no version of PyPI", "a range", "commits alone"],
)
def test_what_cannot_be_compared_is_said_and_not_guessed(told: dict[str, Any], version: str) -> None:
    ecosystem = told["affected"][0]["package"]["ecosystem"]

    with pytest.raises(NotComparable):
        affects(told, Component("means", version, ecosystem))


@pytest.mark.parametrize(
    "told",
    [
        {"affected": []},
        {"id": "OSV-1", "affected": {}},
        record("PyPI", {"fixed": "1.0"}),
        record("PyPI", ranges=[{"type": "ECOSYSTEM"}]),
        record("PyPI", ranges=[{"events": []}]),
    ],
)
def test_what_is_no_record_is_refused(told: dict[str, Any]) -> None:
    with pytest.raises(MalformedReportError):
        affects(told, Component("means", "1.0", "PyPI"))
