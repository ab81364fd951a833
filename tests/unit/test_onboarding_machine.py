"""Programs of a profile's commands on this machine: there and known, there and anybody's, or missing."""

from __future__ import annotations

from pathlib import Path

import onboarded_repositories as repositories
import pytest
from onboarded_repositories import written

from phasegate.engine.app.onboarding.onboarding import onboard


def told(root: Path) -> dict[str, tuple[str, str]]:
    """What onboarding says of programs: message and remedy by code."""
    return {
        finding.code: (finding.message, finding.remedy)
        for finding in onboard(root).findings
        if finding.code in {"onboard.no_program", "onboard.unknown_program"}
    }


def test_a_program_that_is_missing_is_named_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _name, **_options: None)

    root = written(tmp_path / "cart", repositories.GO)

    missing = [one for one in onboard(root).findings if one.code == "onboard.no_program"]
    assert [one.message.partition(" ")[0] for one in missing].count("`go`") == 1
    assert all(one.place == "VERIFY" and one.remedy for one in missing)


def test_a_program_that_anybody_may_have_made_is_told_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = written(tmp_path / "own", {"pnpm": "#!/bin/sh\n"})
    (own / "pnpm").chmod(0o755)
    monkeypatch.setenv("PATH", str(own))

    message, remedy = told(written(tmp_path / "cart", repositories.VITEST))["onboard.unknown_program"]

    assert f"`{own}/pnpm`" in message
    assert f"{own}/pnpm".lstrip("/") in remedy


def test_programs_of_the_system_and_of_the_repository_are_nothing_to_tell(tmp_path: Path) -> None:
    assert told(written(tmp_path / "shop", repositories.UNITTEST)) == {}
    assert told(written(tmp_path / "cart", repositories.MAVEN)) == {}
