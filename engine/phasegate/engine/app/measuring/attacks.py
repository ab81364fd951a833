"""The attacks on enforcement as one batch: the tests marked `attack`, run by pytest, and what came of each.

The attacks lie beside the source and not in the wheel, so they run from a checkout. An attack that got
through, broke, or was skipped shows nothing in favour of the rule it tries to break; it needs an entry in the
triage file that says why, and who looks after it. An entry that no attack needs any more has to go, or the
next breach of that rule would pass unseen.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from phasegate.engine.app.git.running import GitUnavailable, run_git
from phasegate.engine.core.errors import BadInput, NotEvaluated
from phasegate.policies.errors import PolicyError
from phasegate.policies.yaml_lines import read_yaml
from phasegate.validators.errors import ValidatorError
from phasegate.validators.junit import junit_to_test_results

MARKER: Final = "attack"
BATCH_SECONDS_MAX: Final = 7_200
OUTPUT_BYTES_MAX: Final = 4 * 1024 * 1024
TRIAGE: Final = Path("tests") / "triage.yaml"
SCHEMA_ID: Final = "phasegate/integrity-batch/v1"
_BESIDE: Final = (Path("pyproject.toml"), Path("tests") / "acceptance")
_HELD: Final = "passed"
_COMPLETE: Final = frozenset({0, 1})
_NOTHING_FOUND: Final = 5
_OWN: Final = ("PHASEGATE_", "PYTEST_")
_FIELDS: Final = frozenset({"reason", "owner"})


@dataclass(frozen=True, slots=True)
class Triage:
    """Why an attack is known not to hold, and who looks after it."""

    reason: str
    owner: str


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack: the test's id, its outcome (`passed` means the rule held), and its triage if it has one."""

    id: str
    outcome: str
    triage: Triage | None

    @property
    def held(self) -> bool:
        """Whether the rule it attacks held."""
        return self.outcome == _HELD


@dataclass(frozen=True, slots=True)
class Batch:
    """All attacks, run once.

    Attributes:
        attacks: every one of them, in the order they ran.
        stale: ids the triage file names though their attacks held or do not exist.
        commit: commit of the checkout; empty when git could not say.
        dirty: whether the checkout differed from it.
        results: the report, in the shape of test results.
        output: what pytest printed; its end, if it was long.
    """

    attacks: tuple[Attack, ...]
    stale: tuple[str, ...]
    commit: str
    dirty: bool
    results: Mapping[str, Any]
    output: str

    @property
    def triaged(self) -> tuple[Attack, ...]:
        """Attacks that did not hold, and are accounted for."""
        return tuple(attack for attack in self.attacks if not attack.held and attack.triage)

    @property
    def untriaged(self) -> tuple[Attack, ...]:
        """Attacks that did not hold, and nobody has accounted for."""
        return tuple(attack for attack in self.attacks if not attack.held and not attack.triage)

    @property
    def passed(self) -> bool:
        """Whether there are attacks, each held or is accounted for, and no triage is left over."""
        return bool(self.attacks) and not self.untriaged and not self.stale

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "schema": SCHEMA_ID,
            "passed": self.passed,
            "commit": self.commit,
            "dirty": self.dirty,
            "results": dict(self.results),
            "triaged": [
                {"id": attack.id, "outcome": attack.outcome, "reason": known.reason, "owner": known.owner}
                for attack in self.triaged
                if (known := attack.triage)
            ],
            "untriaged": [{"id": attack.id, "outcome": attack.outcome} for attack in self.untriaged],
            "stale": list(self.stale),
        }


def run_attacks(checkout: Path, triage: Path | None = None) -> Batch:
    """Run all attacks of a checkout.

    Args:
        checkout: its root.
        triage: the triage file; `tests/triage.yaml` of the checkout by default, where there is one.

    Raises:
        BadInput: the triage file cannot be read.
        NotEvaluated: it is no checkout, or the batch did not run to its end.
    """
    missing = [str(part) for part in _BESIDE if not (checkout / part).exists()]
    if missing:
        raise NotEvaluated(
            f"`{checkout}` has no {' and no '.join(missing)}; "
            "the attacks lie beside the source, not in the wheel",
            "run it from a checkout of the source, or name one with `--checkout DIR`",
        )
    known = read_triage(triage or checkout / TRIAGE, required=triage is not None)
    with tempfile.TemporaryDirectory(prefix="phasegate-attacks-") as folder:
        report = Path(folder) / "junit.xml"
        code, output = _pytest(checkout, report)
        results = _results(report, code, output)
    commit, dirty = _commit(checkout)
    return judged(results, known, commit=commit, dirty=dirty, output=output)


def judged(
    results: Mapping[str, Any],
    known: Mapping[str, Triage],
    *,
    commit: str = "",
    dirty: bool = False,
    output: str = "",
) -> Batch:
    """Hold test results against the triage."""
    cases: Sequence[Mapping[str, Any]] = results["cases"]
    attacks = tuple(Attack(case["id"], case["outcome"], known.get(case["id"])) for case in cases)
    needed = {attack.id for attack in attacks if not attack.held}
    stale = tuple(sorted(set(known) - needed))
    return Batch(attacks, stale, commit, dirty, results, output)


def read_triage(file: Path, *, required: bool) -> dict[str, Triage]:
    """Read a triage file: test ids, each with `reason` and `owner`.

    Raises:
        BadInput: it is not there though it is required, or not of that shape.
    """
    if not file.exists() and not required:
        return {}
    try:
        data = read_yaml(file.read_bytes(), str(file)).data
    except OSError as error:
        raise BadInput(f"cannot read `{file}`: {error.strerror}", "name a triage file that exists") from error
    except PolicyError as error:
        raise BadInput(str(error), "write each test id with its reason and owner") from error
    if not isinstance(data, dict):
        raise BadInput(f"`{file}` is no mapping of test ids", "write each test id with its reason and owner")
    return {name: _triage(file, name, item) for name, item in data.items()}


def _triage(file: Path, name: str, item: Any) -> Triage:
    texts = isinstance(item, dict) and all(isinstance(text, str) and text.strip() for text in item.values())
    if not texts or set(item) != _FIELDS:
        raise BadInput(
            f"`{file}`: `{name}` needs a reason and an owner, in words", "write both, and nothing else"
        )
    return Triage(item["reason"], item["owner"])


def _pytest(checkout: Path, report: Path) -> tuple[int, str]:
    """Run the attacks with nothing of this home or of an outer pytest in their environment."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(_OWN)}
    argv = [
        sys.executable, "-m", "pytest", "tests", "-m", MARKER, "-q", "-p", "no:cacheprovider",
        "-o", "junit_family=xunit2", f"--junitxml={report}",
    ]  # fmt: skip
    try:
        done = subprocess.run(
            argv,
            cwd=checkout,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=BATCH_SECONDS_MAX,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise NotEvaluated(
            f"the attacks took longer than {BATCH_SECONDS_MAX} s", "run them on a machine that has time"
        ) from error
    except OSError as error:
        raise NotEvaluated(
            f"pytest cannot be run: {error}", "install the package with its `dev` extra"
        ) from error
    return done.returncode, done.stdout[-OUTPUT_BYTES_MAX:].decode("utf-8", "replace")


def _results(report: Path, code: int, output: str) -> Mapping[str, Any]:
    last = output.strip().rpartition("\n")[2][:300]
    if code not in _COMPLETE | {_NOTHING_FOUND}:
        raise NotEvaluated(
            f"pytest ended with exit code {code}: {last}",
            "run `pytest tests -m attack` and mend what stops it",
        )
    try:
        results = junit_to_test_results(report.read_bytes())
    except (OSError, ValidatorError) as error:
        raise NotEvaluated(f"pytest left no report that can be read: {error}", "run it again") from error
    if (results["failed"] + results["errors"] > 0) != (code == 1):
        raise NotEvaluated(
            f"pytest ended with exit code {code}, and its report says otherwise: {last}",
            "run `pytest tests -m attack` and see what changes its report",
        )
    return results


def _commit(checkout: Path) -> tuple[str, bool]:
    try:
        commit = run_git(["-C", str(checkout), "rev-parse", "HEAD"], {}).decode("ascii").strip()
        changed = run_git(["-C", str(checkout), "status", "--porcelain"], {})
    except (GitUnavailable, UnicodeDecodeError):
        return "", False
    return commit, bool(changed.strip())
