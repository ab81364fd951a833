"""Promise: what is printed suits a terminal, a pipe, a reader that leaves and somebody who interrupts."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import autopilot_artifacts as artifacts
from engine_drivers import NINE_PHASES, cli, cli_process

from phasegate.engine.app.engine import Engine

TASK = "IMP-6"
WAIT_S = 30
# Whatever the tests are run by may ignore interrupts, and a command started by it would go on ignoring them.
INTERRUPTIBLE = """
import signal
from phasegate.engine.cli import main

signal.signal(signal.SIGINT, signal.default_int_handler)
main()
"""


def _on_a_terminal(home: Path, **environ: str) -> bytes:
    """What `engine ledger show` writes to a terminal."""
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "phasegate.engine.cli", "ledger", "show", "--home", str(home)]
    kept = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "FORCE_COLOR"}}
    process = subprocess.Popen(
        command, stdout=follower, stdin=subprocess.DEVNULL, env={**kept, "TERM": "xterm-256color", **environ}
    )
    os.close(follower)
    written = b""
    try:
        while chunk := os.read(leader, 65_536):
            written += chunk
    except OSError:
        pass  # Linux ends a closed pseudo-terminal with an input/output error.
    finally:
        os.close(leader)
    assert process.wait(WAIT_S) == 0
    return written


def test_a_terminal_gets_colour_and_no_color_takes_it_away(in_spec: Path) -> None:
    cli("advance", TASK, "--home", str(in_spec))

    coloured, plain = _on_a_terminal(in_spec), _on_a_terminal(in_spec, NO_COLOR="1")

    assert b"\x1b[1;31m REFUSED" in coloured
    assert b"REFUSED" in plain
    for code in range(30, 38):
        assert f"[{code}m".encode() not in plain
        assert f";{code}m".encode() not in plain


def test_a_pipe_gets_no_escape_codes(in_spec: Path, tmp_path: Path) -> None:
    ran = cli_process("ledger", "show", "--home", str(in_spec), cwd=tmp_path)

    assert ran.code == 0
    assert "\x1b" not in ran.out


def test_follow_prints_entries_as_they_come_until_it_is_interrupted(in_spec: Path) -> None:
    command = [
        sys.executable, "-c", INTERRUPTIBLE, "ledger", "show", "--follow", "--format", "jsonl",
        "--limit", "1", "--home", str(in_spec),
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            first = json.loads(process.stdout.readline())
            with Engine.open(in_spec) as engine:
                engine.advance(TASK, "MONITOR")
            second = json.loads(process.stdout.readline())
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=WAIT_S)
        finally:
            process.kill()

    assert second["seq"] == first["seq"] + 1
    assert second["type"] == "violation.recorded"
    assert process.returncode == 130
    assert b"Traceback" not in err


def test_a_reader_that_leaves_early_ends_the_command_without_a_traceback(in_spec: Path) -> None:
    command = [
        sys.executable, "-m", "phasegate.engine.cli", "ledger", "show", "--follow", "--json", "--home",
        str(in_spec),
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        deadline = time.monotonic() + WAIT_S
        while process.poll() is None and time.monotonic() < deadline:
            with Engine.open(in_spec) as engine:
                engine.advance(TASK, "MONITOR")
        err = process.stderr.read() if process.stderr else b""

    assert process.returncode in {0, 1}
    assert err == b""


def test_the_engine_shows_a_witnessed_commands_output_on_standard_error(home: Path, tmp_path: Path) -> None:
    with Engine.open(home) as engine:
        engine.open_task(TASK, NINE_PHASES)
        artifacts.drive(engine, tmp_path, TASK, "VERIFY")
    command: list[Any] = [sys.executable, "-c", "print('seen while it runs')"]

    ran = cli_process(
        "witness", TASK, "-P", "VERIFY", "--json", "--home", str(home), "--", *command, cwd=tmp_path
    )

    assert ran.code == 0
    assert "seen while it runs" in ran.err
    assert ran.json["passed"] is True
