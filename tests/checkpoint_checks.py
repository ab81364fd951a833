"""What checks of a checkpoint are asked with in tests, and what they found."""

from __future__ import annotations

from checkpoint_work import CheckpointWork
from engine_drivers import Ran


def terms(work: CheckpointWork) -> list[str]:
    """Key and policy as of the base branch, and the repository."""
    return ["--repo", str(work.root), "--base", "base", "--key", "engine.vkey", "--policy", "policy.yaml"]


def codes(ran: Ran) -> set[str]:
    """Codes of all findings."""
    body = ran.json
    found = [*body["findings"], *(finding for task in body.get("tasks", ()) for finding in task["findings"])]
    assert all(finding["remedy"] for finding in found)
    return {finding["code"] for finding in found}
