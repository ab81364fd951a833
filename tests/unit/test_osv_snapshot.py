"""Which versions a record of the OSV schema is about, and which packages an inventory lists."""

from __future__ import annotations

import json
from typing import Any

import pytest

from phasegate.validators.errors import MalformedReportError
from phasegate.validators.inventories import INVENTORIES, Component, component_of, read_inventory
from phasegate.validators.osv import NotComparable, affects


def record(ecosystem: str, *events: dict[str, str], kind: str = "ECOSYSTEM", **more: Any) -> dict[str, Any]:
    """A record about `means`."""
    affected = {
        "package": {"ecosystem": ecosystem, "name": "Means_X"},
        "ranges": [{"type": kind, "events": list(events)}],
    }
    return {"id": "OSV-1", "affected": [{**affected, **more}]}


@pytest.mark.parametrize(
    ("version", "is_affected"),
    [("0.9", False), ("1.0", True), ("1.2rc1", True), ("1.2", False), ("1.2.post1", False), ("1.10", False),
     ("3.0", True), ("3.5", True), ("3.5.0", True), ("3.6", False), ("1.11.5", True)],
)  # fmt: skip
def test_versions_between_introduced_and_fixed_are_affected(version: str, *, is_affected: bool) -> None:
    about = record(
        "PyPI", {"introduced": "1.0"}, {"fixed": "1.2"}, {"introduced": "3.0"}, {"last_affected": "3.5"},
        versions=["1.11.5"],
    )  # fmt: skip
    assert affects(about, Component("means-x", version, "PyPI")) is is_affected


@pytest.mark.parametrize(
    ("version", "is_affected"),
    [("v1.0.0", True), ("1.0.0-rc.1", True), ("1.2.0", False), ("1.2.0-rc.2", True), ("1.2.0-rc.10", False)],
)
def test_pre_releases_come_before_their_release(version: str, *, is_affected: bool) -> None:
    about = record("Go", {"introduced": "0"}, {"fixed": "1.2.0-rc.3"}, kind="SEMVER")
    about["affected"][0]["package"]["name"] = "means"
    assert affects(about, Component("means", version, "Go")) is is_affected


def test_other_packages_ecosystems_and_withdrawn_records_do_not_count() -> None:
    about = record("PyPI", {"introduced": "0"})
    assert affects(about, Component("means-x", "1", "PyPI"))
    assert not affects(about, Component("means-y", "1", "PyPI"))
    assert not affects(about, Component("Means_X", "1", "npm"))
    assert not affects({**about, "withdrawn": "2026-01-01T00:00:00Z"}, Component("means-x", "1", "PyPI"))


@pytest.mark.parametrize(("ecosystem", "version"), [("Maven", "1.0"), ("PyPI", "one"), ("npm", "1.x")])
def test_what_cannot_be_compared_is_not_guessed(ecosystem: str, version: str) -> None:
    about = record(ecosystem, {"introduced": "0"}, {"fixed": "2.0.0"})
    with pytest.raises(NotComparable):
        affects(about, Component("Means_X", version, ecosystem))


@pytest.mark.parametrize(
    "wrong", [[], {"affected": []}, {"id": "x", "affected": {}}, {"id": 3, "affected": []}]
)
def test_what_is_no_record_is_refused(wrong: Any) -> None:
    with pytest.raises(MalformedReportError):
        affects(wrong, Component("means", "1", "PyPI"))


INVENTORY: dict[str, tuple[Any, tuple[Component, ...]]] = {
    "cyclonedx": (
        {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [
            {"type": "library", "name": "means", "version": "1", "purl": "pkg:pypi/means@1", "licenses": [{"license": {"id": "MIT"}}]},
            {"type": "library", "name": "open", "purl": "pkg:pypi/open", "licenses": [{"expression": "MIT OR GPL-3.0"}]},
            {"type": "file", "name": "a.py"}]},
        (Component("means", "1", "PyPI", ("MIT",)), Component("open", "", "PyPI", ("MIT OR GPL-3.0",))),
    ),
    "syft": (
        {"artifacts": [{"name": "means", "version": "v1.0.0", "purl": "pkg:golang/example.org/means@v1.0.0",
                        "licenses": [{"value": "MIT", "type": "declared"}]}]},
        (Component("example.org/means", "v1.0.0", "Go", ("MIT",)),),
    ),
    "pip-licenses": (
        [{"Name": "means", "Version": "1", "License": "MIT License; BSD License"}],
        (Component("means", "1", "PyPI", ("MIT License", "BSD License")),),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(INVENTORIES))
def test_an_inventory_is_read(name: str) -> None:
    report, components = INVENTORY[name]
    assert read_inventory(name, json.dumps(report).encode()) == components


@pytest.mark.parametrize("name", [*INVENTORIES, "no-such-tool"])
@pytest.mark.parametrize(
    "report", [b"", b"{}", b"null", b"\xff", b'{"artifacts": 1, "bomFormat": "SPDX"}', b"[1]"]
)
def test_what_is_no_inventory_is_refused(name: str, report: bytes) -> None:
    with pytest.raises(MalformedReportError):
        read_inventory(name, report)


@pytest.mark.parametrize(
    ("purl", "component"),
    [
        ("pkg:npm/%40means/core@1.0.0?x=y#z", Component("@means/core", "1.0.0", "npm")),
        ("pkg:maven/org.example/means@1", Component("org.example:means", "1", "Maven")),
        ("pkg:deb/debian/means@1", Component("debian/means", "1", "")),
        ("means", None),
    ],
)
def test_a_package_url_names_a_package(purl: str, component: Component | None) -> None:
    assert component_of(purl) == component
