"""A task at each of gates 0 to 5, with all that its checks want, for tests that then plant one fault."""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from small_repository import CHANGED, CHANGED_TESTS, SOURCE, TESTS, SmallRepository

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.people.deciding import Decision
from phasegate.engine.app.people.keys import Role, create_key
from phasegate.policies.extending import shipped_bundles
from phasegate.policies.gate_model import GateBundle
from phasegate.policies.loader import parse_process
from phasegate.policies.model import Process

TASK = "IMP-27"
BUNDLES: Mapping[int, GateBundle] = {bundle.gate: bundle for bundle in shipped_bundles()}
NAMES = {0: "onboarding", 1: "moderation", 2: "grounding", 3: "change", 4: "supply", 5: "merge"}

BASE = {
    "pyproject.toml": "[project]\nname = 'means'\nversion = '1.0'\n",
    "requirements.txt": "packaging==26.0\n",
    "src/means.py": SOURCE,
    "tests/test_means.py": TESTS,
    ".github/workflows/ci.yml": "on: push\n",
    ".phasegate/process.yaml": "extends: autopilot\nprocess: own\n",
    "CODEOWNERS": "* @rita\n",
    ".gitignore": "__pycache__/\nbuild/\nstate/\n.venv/\n",
}
"""Files of the base commit."""

# What a coverage tool would report of `src/means.py`, with `MISSED` lines that no test ran.
COBERTURA = """import re, sys
source = open("src/means.py").read().splitlines()
missed = {"missed"}
lines = "".join(f'<line number="{n}" hits="{int(n not in missed)}"/>' for n in range(1, len(source) + 1))
with open(sys.argv[1], "w") as file:
    file.write(f'<coverage><sources><source>.</source></sources><packages><package><classes>'
               f'<class name="means" filename="src/means.py"><lines>{lines}</lines></class>'
               f'</classes></package></packages></coverage>')
"""
# A run of tests: JUnit's report, and a coverage report with a given share of lines.
RUN = """import json, sys
junit, coverage, covered = sys.argv[1], sys.argv[2], int(sys.argv[3])
with open(junit, "w") as file:
    file.write('<testsuite tests="1"><testcase classname="means" name="mean"/></testsuite>')
summary = {"num_statements": 100, "covered_lines": covered}
lines = {"executed_lines": list(range(1, covered + 1)), "missing_lines": list(range(covered + 1, 101))}
with open(coverage, "w") as file:
    json.dump({"files": {"src/means.py": {"summary": summary, **lines}}, "totals": summary}, file)
"""
RECORD = {
    "id": "OSV-2026-1",
    "summary": "markers are run as code",
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "packaging"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "26.0"}]}],
        }
    ],
}
TEMPLATE = "# A mean of nothing\n\n## Labels\n\n- {labels}\n"


@cache
def _people() -> tuple[Path, dict[str, str]]:
    """Keys of three people, made once."""
    folder = Path(tempfile.mkdtemp(prefix="gated-keys-"))
    names = ("olga", "rita", "sam")
    return folder, {name: create_key(folder / f"{name}.key", name).public_vkey for name in names}


class Gated:
    """A task in the phase that a gate's report is asked for at; nothing but that report is missing.

    Args:
        folder: an empty folder.
        gate: number of the gate.

    Attributes:
        base: files of the base commit; change them before `open`.
        encodings: encodings of files of the change that are not UTF-8.
        documents: artifacts that are handed in.
        params: parameters by rule, beside the shipped ones.
        risk: risk class of the task.
        signers: who approves.
        off: rules that are switched off.
        own: checks of a bundle of its own, instead of the shipped one's.
        keys: folder of the private keys of three people.
        covered: lines of a hundred that the witnessed tests run.
        hermetic: whether they run without network.
    """

    def __init__(self, folder: Path, gate: int) -> None:
        self.folder, self.gate, self.bundle = folder, gate, BUNDLES[gate]
        self.base = dict(BASE)
        self.change = {"src/means.py": CHANGED, "tests/test_means.py": CHANGED_TESTS} if gate >= 3 else {}
        self.encodings: dict[str, str] = {}
        self.documents = dict(_documents(gate))
        self.params: dict[str, dict[str, Any]] = {}
        self.off: set[str] = set()
        self.own: list[dict[str, Any]] = []
        self.risk = "low"
        self.signers = {"rita": Role.REVIEWER}
        self.covered, self.hermetic = 95, True
        self.home = folder / "home"
        self.keys, self._vkeys = _people()
        self.snapshot(RECORD)
        self.scorer("0.9")
        self.cover()
        self.licences(helper="MIT License")
        self.params["coverage.kept"] = {"baseline": "90"}

    def scorer(self, score: str) -> None:
        """A scorer that always gives one score."""
        command = [sys.executable, "-I", "-c", f'print(\'{{"score": "{score}"}}\')']
        self.params["reward.score"] = {"command": command}

    def cover(self, *missed: int) -> None:
        """A test command whose report leaves lines out."""
        text = COBERTURA.replace('{"missed"}', repr(set(missed)))
        self.params["change.coverage"] = {"command": [sys.executable, "-I", "-c", text, "{report}"]}

    def snapshot(self, *records: Mapping[str, Any]) -> None:
        """A pinned snapshot of OSV records, as osv.dev publishes them."""
        place = self.folder / "osv.zip"
        with zipfile.ZipFile(place, "w") as archive:
            for record in records:
                archive.writestr(f"{record['id']}.json", json.dumps(record))
        digest = hashlib.sha256(place.read_bytes()).hexdigest()
        self.params["supply.vulnerabilities"] = {"snapshot": str(place), "sha256": digest}

    def inventory(self, version: str) -> None:
        """A bill of materials that was made elsewhere, of one package; empty for no version."""
        purl = f"pkg:pypi/packaging{version and '@'}{version}"
        bom = {
            "bomFormat": "CycloneDX",
            "components": [{"type": "library", "name": "packaging", "purl": purl}],
        }
        _write(self.folder / "bom.json", json.dumps(bom))
        self.params["supply.vulnerabilities"]["report"] = str(self.folder / "bom.json")

    def licences(self, **names: str) -> None:
        """A virtual environment beside the working tree, with packages under these licences."""
        packages = self.folder / "repository/.venv/lib/python/site-packages"
        for package, licence in names.items():
            metadata = f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\nLicense: {licence}\n"
            _write(packages / f"{package}-1.0.dist-info/METADATA", metadata)
        script = f'#!/bin/sh\nPYTHONPATH={packages} exec {sys.executable} -S "$@"\n'
        python = self.folder / "repository/.venv/bin/python"
        python.parent.mkdir(parents=True, exist_ok=True)
        python.write_text(script)
        python.chmod(0o755)

    def process(self, only: str = "") -> Process:
        """A process of two phases whose first asks for the gate; all rules, or one alone."""
        rules = [check.rule for check in self.bundle.checks]
        off = {rule for rule in rules if only and rule != only} | self.off
        changes = {
            rule: {"mode": "off"} if rule in off else {"params": self.params.get(rule, {})} for rule in rules
        }
        evidence: list[Any] = [{"name": name} for name in self.documents]
        if self.gate == 4:
            reports = {"test_results.json": "junit", "coverage_report.json": "coverage"}
            evidence += [
                {"name": name, "origin": "witnessed", "witness": kind} for name, kind in reports.items()
            ]
        definition = {
            "process": "gated", "version": 1, "title": "One gate", "risks": ["low", "medium", "high"],
            "repository": {"change": {"allow": ["**"], "deny": [".github/**"]}},
            "gates": [self._own() if self.own else {"use": NAMES[self.gate], "set": changes}],
            "phases": [
                {"name": self.bundle.leaving, "purpose": "to be left", "git": "change", "evidence": evidence},
                {"name": "LATER", "purpose": "to be reached", "git": "change", "implements": True},
            ],
            "forward": {self.bundle.leaving: ["LATER"]},
        }  # fmt: skip
        return parse_process(json.dumps(definition).encode(), "gated.yaml")

    def _own(self) -> dict[str, Any]:
        return {"gate": self.gate, "title": "Own", "leaving": self.bundle.leaving, "checks": self.own}

    def open(self, only: str = "") -> Engine:
        """The engine, with the task at its gate; close it."""
        root = self.folder / "repository"
        repository = SmallRepository.__new__(SmallRepository)
        repository.root = root
        for path, text in self.base.items():
            _write(root / path, text)
        repository.git("init", "-q", "-b", "main")
        repository.commit("A mean")
        engine = Engine.init(self.home)
        engine.registrations.register(self._vkeys["olga"], Role.OPERATOR)
        for name, role in (("rita", Role.REVIEWER), ("sam", Role.SUPERVISOR)):
            engine.registrations.register(self._vkeys[name], role, key=self.keys / "olga.key")
        process = self.process(only)
        assert engine.open_task(TASK, process, "Means", repository=root, risk=self.risk).accepted
        for path, text in self.change.items():
            _write(root / path, text, self.encodings.get(path, "utf-8"))
        self._hand_in(engine, repository)
        for name, role in self.signers.items() if self.gate == 5 else ():
            key = self.keys / f"{name}.key"
            assert engine.people.decide(TASK, Decision.APPROVE, "read it", key, role).accepted
        return engine

    def _hand_in(self, engine: Engine, repository: SmallRepository) -> None:
        place = self.folder / "documents"
        place.mkdir()
        if "git_diff.patch" in self.documents:
            repository.git("add", "-AN")
            self.documents["git_diff.patch"] = repository.git("diff")
        for name, text in self.documents.items():
            _write(place / name, text)
        if self.documents:
            assert engine.add_evidence(TASK, [place / name for name in self.documents]).accepted
        if self.gate == 4:
            self.witness(engine)

    def witness(self, engine: Engine) -> None:
        """Let the engine run the tests."""
        root = self.folder / "repository"
        where = "{scratch}" if self.hermetic else str(self.folder)
        reports = [f"{where}/junit.xml", f"{where}/coverage.json"]
        seen = engine.witness(
            TASK, "", [sys.executable, "-I", "-S", "-c", RUN, *reports, str(self.covered)],
            junit=Path(reports[0]), coverage=Path(reports[1]), cwd=root, hermetic=self.hermetic,
        )  # fmt: skip
        assert seen.passed, seen


def _documents(gate: int) -> dict[str, str]:
    spec = "# Spec\n\nMeans are taken as before; change `src/means.py:4` alone.\n"
    files = json.dumps({"files": [{"path": "src/means.py", "action": "modify"}]})
    return {
        0: {"strategy.md": "# Strategy\n"},
        1: {"spec.md": spec},
        2: {
            "edge_cases.md": "# Edge cases\n\n- Nothing to take, see `src/means.py:4-6`\n",
            "file_map.json": files,
        },
        3: {"git_diff.patch": "", "plan.md": "# Plan\n\n## Work items\n\n- W-1: take means of nothing\n"},
        4: {},
        5: {"pr_template_filled.md": TEMPLATE.format(labels="feature")},
    }[gate]


def _write(place: Path, text: str, encoding: str = "utf-8") -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text, encoding)
