"""Commands of the ledger, as they are run again on another machine."""

from __future__ import annotations

import shutil

import pytest

from phasegate.engine.app.audit import rerunning

GONE = "/no/such/place/bin/sh"


@pytest.mark.parametrize(
    ("recorded", "place"),
    [
        ((GONE, "-c", "true"), 0),
        (("env", "A=1", "B=/no/such/b", GONE, "-c", "true"), 3),
        (("/usr/bin/env", "-i", GONE, "-c", "true"), 2),
    ],
)
def test_a_program_that_lies_elsewhere_here_is_found_by_its_name(
    recorded: tuple[str, ...], place: int
) -> None:
    found = rerunning._runnable(recorded)

    assert found[place] == shutil.which("sh")
    assert (*found[:place], *found[place + 1 :]) == (*recorded[:place], *recorded[place + 1 :])


@pytest.mark.parametrize(
    "recorded", [("env", "-C", GONE, "make"), ("env", "A=1"), ("sh", GONE), ("env", "A=1", "make", GONE)]
)
def test_other_words_of_a_command_stay_as_they_are(recorded: tuple[str, ...]) -> None:
    assert rerunning._runnable(recorded) == recorded
