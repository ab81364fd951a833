"""Observing a command: its end, its output in order, its reports, and where it ran."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from phasegate.engine.app.witnessing import running as module
from phasegate.engine.app.witnessing.observing import Job, Observation, observe
from phasegate.engine.core.errors import BadInput
from phasegate.policies.model import Witness


def job(folder: Path, line: str, *args: str, report: Path | None = None, echo: bool = False) -> Job:
    """A line of Python as a job."""
    reports = {Witness.JUNIT: report} if report else {}
    return Job((sys.executable, "-I", "-S", "-c", line, *args), folder, reports, echo)


def seen(folder: Path, line: str, *args: str, report: Path | None = None) -> Observation:
    """What is seen of a line of Python."""
    return observe(job(folder, line, *args, report=report))


def test_given_a_command_when_observed_then_both_streams_are_kept_apart_and_together(tmp_path) -> None:
    line = "import sys; print('out', flush=True); print('err', file=sys.stderr, flush=True)"

    found = seen(tmp_path, line)

    assert (found.ran.stdout, found.ran.stderr) == (b"out\n", b"err\n")
    assert sorted(found.ran.log.splitlines()) == [b"err", b"out"]
    assert (found.exit_code, found.problems, dict(found.reports)) == (0, (), {})
    assert found.cwd == str(tmp_path)
    assert found.argv[0] == sys.executable


@pytest.mark.parametrize(
    ("line", "code"), [("raise SystemExit(3)", 3), ("import os; os.kill(os.getpid(), 9)", -9), ("1/0", 1)]
)
def test_given_a_command_that_fails_when_observed_then_its_exit_code_is_kept(tmp_path, line, code) -> None:
    assert seen(tmp_path, line).exit_code == code


def test_given_bytes_that_are_no_text_when_observed_then_they_are_kept_as_they_are(tmp_path) -> None:
    line = "import sys; sys.stdout.buffer.write(bytes(range(256)))"

    assert seen(tmp_path, line).ran.stdout == bytes(range(256))


def test_given_output_beyond_the_bound_when_observed_then_it_is_cut_and_the_command_ends(
    tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(module, "OUTPUT_BYTES_MAX", 1_000)

    found = seen(tmp_path, "print('x' * 300_000)")

    assert (len(found.ran.stdout), len(found.ran.log), found.exit_code) == (1_000, 1_000, 0)


def test_given_a_command_that_reads_when_observed_then_its_input_is_empty(tmp_path) -> None:
    assert seen(tmp_path, "import sys; print(repr(sys.stdin.read()))").ran.stdout == b"''\n"


@pytest.mark.parametrize(
    "argv", [(), ("no-such-command-anywhere",), ("/",), ("a\x00b",), ("",), ("./not-executable",)], ids=repr
)
def test_given_a_command_that_cannot_be_started_when_observed_then_it_is_bad_input(tmp_path, argv) -> None:
    (tmp_path / "not-executable").write_text("x")

    with pytest.raises(BadInput) as caught:
        observe(Job(argv, tmp_path, {}, echo=False))
    assert caught.value.remedy


def test_given_a_folder_that_does_not_exist_when_observed_then_it_is_bad_input(tmp_path) -> None:
    with pytest.raises(BadInput):
        observe(job(tmp_path / "none", "pass"))


WRITE = "import sys; open(sys.argv[1], 'w').write(sys.argv[2])"


def test_given_a_report_the_command_writes_when_observed_then_its_bytes_are_kept(tmp_path) -> None:
    found = seen(tmp_path, WRITE, "r.xml", "fresh", report=Path("r.xml"))

    assert dict(found.reports) == {Witness.JUNIT: b"fresh"}
    assert found.asked_reports
    assert found.problems == ()


def test_given_an_old_report_the_command_overwrites_when_observed_then_the_new_bytes_are_kept(
    tmp_path,
) -> None:
    (tmp_path / "r.xml").write_text("stale")

    found = seen(tmp_path, WRITE, "r.xml", "fresh", report=tmp_path / "r.xml")

    assert dict(found.reports) == {Witness.JUNIT: b"fresh"}


@pytest.mark.parametrize("when", [0, 1, 4_000_000_000])
@pytest.mark.parametrize(
    "line", ["pass", "import os; os.utime('r.xml')", "import os; os.chmod('r.xml', 0o640)"]
)
def test_given_a_report_made_beforehand_when_observed_then_it_does_not_count(tmp_path, when, line) -> None:
    report = tmp_path / "r.xml"
    report.write_text("prepared")
    os.utime(report, (when, when))

    found = seen(tmp_path, line, report=report)

    assert not found.reports
    assert "was there before" in found.problems[0]


def test_given_a_report_that_is_written_again_with_the_same_bytes_then_the_remedy_is_to_remove_it(
    tmp_path,
) -> None:
    (tmp_path / "r.xml").write_text("same")

    first = seen(tmp_path, WRITE, "r.xml", "same", report=Path("r.xml"))
    (tmp_path / "r.xml").unlink()
    second = seen(tmp_path, WRITE, "r.xml", "same", report=Path("r.xml"))

    assert "remove it" in first.problems[0]
    assert dict(second.reports) == {Witness.JUNIT: b"same"}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("pass", "wrote no"),
        ("import os; os.mkdir('r.xml')", "cannot read"),
        ("import os; os.mkfifo('r.xml')", "not a regular file"),
        ("import os; os.symlink('r.xml', 'r.xml')", "cannot read"),
        ("import os; os.symlink('/dev/zero', 'r.xml')", "cannot read"),
    ],
)
def test_given_no_plain_file_as_a_report_when_observed_then_it_does_not_count(tmp_path, line, words) -> None:
    found = seen(tmp_path, line, report=Path("r.xml"))

    assert not found.reports
    assert words in found.problems[0]


def test_given_a_git_repository_when_observed_then_commit_and_changes_are_told(tmp_path) -> None:
    environ = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}

    def git(*args: str) -> str:
        who = ("-c", "user.name=Tester", "-c", "user.email=tester@example.org")
        done = subprocess.run(
            ["git", *who, *args], cwd=tmp_path, env=environ, check=True, capture_output=True
        )
        return done.stdout.decode().strip()

    before = seen(tmp_path, "pass")
    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "first")
    clean = seen(tmp_path, "pass")
    (tmp_path / "new.txt").write_text("x")
    dirty = seen(tmp_path, "pass")

    assert (before.before.commit, before.before.dirty) == ("", False)
    assert (clean.before.commit, clean.before.dirty) == (git("rev-parse", "HEAD"), False)
    assert dirty.before.dirty
    assert dirty.before.tree == dirty.after.tree != clean.after.tree


def test_given_another_environment_when_observed_then_its_digest_differs_and_no_value_is_kept(
    tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("LC_ALL", "one")
    one = seen(tmp_path, "pass")
    monkeypatch.setenv("LC_ALL", "other")
    other = seen(tmp_path, "pass")

    assert one.environment_digest != other.environment_digest
    assert "one" not in one.environment_digest


def test_given_credentials_when_observed_then_the_command_finds_none_of_them(tmp_path, monkeypatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".netrc").write_text("machine example.org password s3cret")
    for name in ("GITHUB_TOKEN", "MY_OWN_TOKEN", "SSH_AUTH_SOCK", "GIT_ASKPASS"):
        monkeypatch.setenv(name, "s3cret")
    monkeypatch.setenv("HOME", str(home))
    line = (
        "import os, pathlib; home = pathlib.Path('~').expanduser();"
        "print([*os.environ.values(), *(f.read_text() for f in home.iterdir())], home)"
    )

    found = seen(tmp_path, line)

    assert b"s3cret" not in found.ran.stdout
    assert str(home).encode() not in found.ran.stdout
    assert "GITHUB_TOKEN" in found.dropped


class _Deaf(io.TextIOBase):
    @property
    def buffer(self) -> io.RawIOBase:
        raise BrokenPipeError


@pytest.mark.parametrize("stream", [_Deaf(), io.StringIO()], ids=["closed", "without bytes"])
def test_given_nobody_who_reads_the_echo_when_observed_then_the_output_is_kept_all_the_same(
    tmp_path, monkeypatch, stream
) -> None:
    monkeypatch.setattr(sys, "stderr", stream)

    found = observe(job(tmp_path, "print('x' * 300_000)", echo=True))

    assert len(found.ran.stdout) == 300_001


@pytest.mark.parametrize(
    "line",
    [
        "import os; os.symlink('prepared.xml', 'r.xml')",
        "import os; os.link('prepared.xml', 'r.xml')",
        "import os; os.rename('prepared.xml', 'r.xml')",
        "open('r.xml', 'a').write('<!-- appended -->')",
        "import os; os.utime('r.xml')",
    ],
)
def test_given_a_prepared_report_when_a_command_only_puts_it_in_place_then_it_does_not_count(
    tmp_path, line
) -> None:
    (tmp_path / "prepared.xml").write_text("<testsuite/>")
    os.utime(tmp_path / "prepared.xml", (1, 1))
    if "'a'" in line or "utime" in line:
        (tmp_path / "prepared.xml").rename(tmp_path / "r.xml")

    found = seen(tmp_path, line, report=Path("r.xml"))

    assert not found.reports
    assert found.problems


def test_given_an_old_report_when_the_command_writes_it_anew_then_it_counts(tmp_path) -> None:
    (tmp_path / "r.xml").write_text("<testsuite name='old'/>")

    found = seen(tmp_path, "open('r.xml', 'w').write('<testsuite/>')", report=Path("r.xml"))

    assert list(found.reports.values()) == [b"<testsuite/>"]


def test_given_a_command_that_leaves_a_process_behind_when_it_ends_then_that_is_killed(tmp_path) -> None:
    # It makes itself a session of its own and keeps the output open: nothing would ever end otherwise.
    line = (
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        "        open('pid', 'w').write(str(os.getpid()))\n"
        "        time.sleep(600)\n"
        "    os._exit(0)\n"
        "while not os.path.exists('pid') or not open('pid').read(): time.sleep(0.01)"
    )

    assert seen(tmp_path, line).exit_code == 0

    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_given_a_command_that_takes_too_long_when_observed_then_it_is_killed(tmp_path) -> None:
    argv = (sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)")

    found = observe(Job(argv, tmp_path, {}, echo=False, limit_s=0.5))

    assert found.ran.timed_out
    assert found.exit_code != 0


def test_given_the_engine_is_killed_when_a_command_runs_then_it_is_killed_too(tmp_path) -> None:
    inner = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(600)"
    outer = (
        "import sys; from pathlib import Path\n"
        "from phasegate.engine.app.witnessing.observing import Job, observe\n"
        f"observe(Job((sys.executable, '-c', {inner!r}), Path.cwd(), {{}}, echo=False))"
    )
    engine = subprocess.Popen([sys.executable, "-c", outer], cwd=tmp_path)
    pid = _written(tmp_path / "pid")

    engine.kill()
    engine.wait()

    _wait_until_gone(pid)


def _written(path: Path) -> int:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if path.exists() and path.read_text():
            return int(path.read_text())
        time.sleep(0.02)
    raise AssertionError("the command never ran")


def _wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.02)
    raise AssertionError("the command outlived the engine")


def test_given_a_command_when_observed_then_what_it_used_is_told(tmp_path) -> None:
    found = seen(tmp_path, "sum(range(3_000_000)); x = bytearray(40_000_000)")

    assert found.ran.cpu_user_ms > 0
    assert found.ran.max_rss_kib > 40_000


def test_given_dash_as_report_when_observed_then_it_is_the_output(tmp_path) -> None:
    found = seen(tmp_path, "print('ok')", report=Path("-"))

    assert dict(found.reports) == {Witness.JUNIT: b"ok\n"}
