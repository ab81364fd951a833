"""Side effects in a process definition: what they may be, and what is refused."""

from __future__ import annotations

import pytest

from phasegate.policies.errors import PolicyError
from phasegate.policies.loader import parse_process
from phasegate.policies.model import Process

YAML = """
process: effects
version: 1
title: A process with side effects
phases:
  - name: REVIEW
    purpose: to be left
    evidence:
      - name: pull_request.json
    effects: {effects}
forward: {{}}
"""


def parsed(effects: str) -> Process:
    return parse_process(YAML.format(effects=effects).encode(), "effects.yaml")


def test_side_effects_stand_in_the_yaml_and_in_the_digest() -> None:
    plain = parsed("[]")
    process = parsed(
        "[{effect: open_pr, destination: 'https://example.org/pulls', body: pull_request.json},"
        " {effect: webhook, destination: 'https://example.org/pulls'}]"
    )

    assert [rule.effect for rule in process.phase("REVIEW").effects] == ["open_pr", "webhook"]
    assert process.digest != plain.digest


@pytest.mark.parametrize(
    ("effects", "said"),
    [
        ("[{effect: open_pr, destination: nowhere}]", "destination"),
        ("[{effect: open_pr, destination: 'file:///etc/passwd'}]", "destination"),
        ("[{effect: open_pr, destination: 'https://a b/'}]", "destination"),
        ("[{effect: Open PR, destination: 'https://example.org/'}]", "effect"),
        ("[{effect: x, destination: 'https://example.org/', body: other.json}]", "has no `other.json`"),
        ("[{effect: x, destination: 'https://a/'}, {effect: x, destination: 'https://a/'}]", "stands twice"),
        ("[{effect: x, destination: 'https://a/', token: secret}]", "token"),
    ],
)
def test_what_is_refused(effects: str, said: str) -> None:
    with pytest.raises(PolicyError, match=said):
        parsed(effects)
