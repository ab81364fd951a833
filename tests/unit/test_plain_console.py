"""What a task's texts hold is shown, and never sent to the terminal as a command."""

from __future__ import annotations

import pytest

from phasegate.engine.cli.options import Format
from phasegate.engine.cli.output import print_findings, print_rows, say
from phasegate.validators.interface import Finding

ESCAPE, OVERRIDE = "\x1b[2J", "\u202e"


@pytest.mark.parametrize("terminal", [True, False])
def test_given_control_characters_in_a_file_name_when_tabled_then_they_are_escaped(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *, terminal: bool
) -> None:
    if terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
    name = f"a{ESCAPE}b{OVERRIDE}c\nd\r\te\udcff"

    print_rows(Format.TABLE, [{"file": name}], ["file"])

    said = capsys.readouterr().out
    assert "a\\x1b[2Jb\\u202ec\\nd\\r\\te\\udcff" in said
    assert ESCAPE not in said
    assert OVERRIDE not in said
    assert said.count("\n") == 2


def test_given_control_characters_in_a_finding_when_told_then_they_are_escaped(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_findings([Finding("a.b", f"x{ESCAPE}", f"y{OVERRIDE}", f"z{ESCAPE}", "mend it")])
    say(f"error: `{ESCAPE}`\nremedy: none")

    told = capsys.readouterr()
    assert ESCAPE not in told.out + told.err
    assert OVERRIDE not in told.out
    assert "x\\x1b[2J" in told.out
    assert told.err == "error: `\\x1b[2J`\nremedy: none\n"


def test_given_letters_of_any_script_when_told_then_they_stand_as_they_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_rows(Format.TABLE, [{"file": "größe \u8868 \u00a0x"}], ["file"])

    assert "größe \u8868 \u00a0x" in capsys.readouterr().out
