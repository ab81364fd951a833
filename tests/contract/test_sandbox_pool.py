"""What a pool promises its callers: right verdicts, nothing lost, no more isolation claimed than held."""

from __future__ import annotations

import os
import resource
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from phasegate.engine.runners.sandbox import (
    Limits,
    Outcome,
    Pool,
    Program,
    Property,
    SandboxUnavailableError,
    SandboxUsageError,
    Verdict,
    WorkerError,
    launch,
)
from phasegate.engine.runners.sandbox.self_checking import processes

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox's full isolation is Linux only")

LIMITS = Limits(wall_ms=1_500)
PLUS_ONE = "def check(candidate):\n    assert candidate(1) == 2\n    assert candidate(41) == 42\n"


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool(2, LIMITS) as opened:
        yield opened


def program(
    source: str, test: str = PLUS_ONE, *, prompt: str = "", key: str = "k", entry: str = "f"
) -> Program:
    return Program(key, prompt, source, test, entry)


def run_one(pool: Pool, source: str, test: str = PLUS_ONE, *, prompt: str = "", entry: str = "f") -> Outcome:
    (outcome,) = pool.run([program(source, test, prompt=prompt, entry=entry)])
    return outcome


@pytest.mark.parametrize(
    ("source", "verdict", "detail"),
    [
        ("def f(x): return x + 1", "passed", ""),
        ("f = lambda x: x + 1", "passed", ""),
        ("class f(int):\n    def __new__(cls, x): return int.__new__(cls, x + 1)", "passed", ""),
        ("def f(x): return x", "failed", "AssertionError"),
        ("def f(x): return None", "failed", "AssertionError"),
        ("def f(x): return 1 / 0", "error", "ZeroDivisionError: division by zero"),
        ("def f(x): assert False, 'mine'", "error", "AssertionError: mine"),
        ("def f(:", "error", "SyntaxError: invalid syntax"),
        ("import nowhere_to_be_found", "error", "ModuleNotFoundError: No module named"),
        ("x = 1", "error", "NameError: the solution does not define `f`"),
        ("if __name__ == '__main__':\n    raise SystemExit\ndef f(x): return x + 1", "passed", ""),
        ("def f(x): print('noise' * 100); return x + 1", "passed", ""),
        ("import os\ndef f(x): open('own', 'w').write('x'); os.remove('own'); return x + 1", "passed", ""),
        ("import random, math, hashlib, decimal, json, datetime\ndef f(x): return x + 1", "passed", ""),
        ("\0", "error", "source code string cannot contain null bytes"),
    ],
)
def test_given_a_solution_when_run_then_its_verdict_says_what_happened(
    pool: Pool, source: str, verdict: str, detail: str
) -> None:
    outcome = run_one(pool, source)
    assert outcome.verdict == verdict, outcome
    assert detail in outcome.detail
    assert outcome.max_rss_kib > 0
    assert 0 <= outcome.wall_ms < LIMITS.wall_ms + 1_000


@pytest.mark.parametrize(
    ("test", "verdict", "detail"),
    [
        ("def check(candidate):\n    assert candidate(1) ==", "checker_error", "cannot be compiled"),
        ("x = 1", "checker_error", "does not define `check`"),
        ("def check(candidate): pass", "checker_error", "never called"),
        ("def check(candidate): raise ValueError('own')", "checker_error", "ValueError: own"),
        ("def check(candidate):\n    candidate(1)\n    missing()", "checker_error", "NameError"),
        (
            "def check(candidate):\n    candidate(1)\n    import nowhere",
            "checker_error",
            "ModuleNotFoundError",
        ),
        ("def check(candidate):\n    candidate(1)\n    raise SystemExit(0)", "checker_error", "SystemExit"),
        (
            "import os\ndef check(candidate):\n    os._exit(0)",
            "checker_error",
            "ended with status 0 and no verdict",
        ),
        ("def check(candidate): candidate(object())", "checker_error", "type `object` cannot be passed"),
        ("def check(candidate):\n    assert abs(candidate(1) - 'x') < 1", "failed", "TypeError"),
        ("def check(candidate):\n    while True: pass", "timeout", "1500 ms"),
    ],
)
def test_given_a_test_at_fault_when_run_then_it_is_never_a_pass(
    pool: Pool, test: str, verdict: str, detail: str
) -> None:
    outcome = run_one(pool, "def f(x): return x + 1", test)
    assert outcome.verdict == verdict, outcome
    assert detail in outcome.detail


def test_given_a_test_that_expects_a_raise_when_the_solution_raises_it_then_it_passes(pool: Pool) -> None:
    test = (
        "def check(candidate):\n    for bad, kind in (('x', ValueError), (None, KeyError)):\n        try:\n"
        "            candidate(bad)\n        except kind as error:\n            assert error.args[0] == bad\n"
        "        else:\n            assert False\n"
    )
    source = "class Own(ValueError): pass\ndef f(x):\n    raise (KeyError if x is None else Own)(x)"
    assert run_one(pool, source, test).verdict == Verdict.PASSED


def test_given_a_test_that_uses_prompt_helpers_and_the_entry_point_by_name_when_run_then_both_are_there(
    pool: Pool,
) -> None:
    prompt = "import math\ndef helper(x):\n    return math.floor(x) * 2\n\ndef f(x):\n    '''Doubles.'''\n"
    test = "def check(candidate):\n    assert candidate(3) == helper(3.5) == f(3)\n"
    assert run_one(pool, prompt + "    return x * 2\n", test, prompt=prompt).verdict == Verdict.PASSED
    cheat = prompt + "    return 0\ndef helper(x): return 0\n"
    assert run_one(pool, cheat, test, prompt=prompt).verdict == Verdict.FAILED


def test_given_a_solution_that_changes_its_argument_when_run_then_the_test_s_value_stays(pool: Pool) -> None:
    test = "def check(candidate):\n    given = [3, 1]\n    assert candidate(given) == [1, 3]\n    assert given == [3, 1]\n"
    assert run_one(pool, "def f(x):\n    x.sort()\n    return x", test).verdict == Verdict.PASSED


def test_given_a_solution_with_state_when_called_again_then_it_kept_it_but_not_for_the_next_program(
    pool: Pool,
) -> None:
    source = "seen = []\ndef f(x):\n    seen.append(x)\n    return len(seen)"
    test = "def check(candidate):\n    assert [candidate(0) for _ in range(3)] == [1, 2, 3]\n"
    assert [o.verdict for o in pool.run([program(source, test)] * 4)] == [Verdict.PASSED] * 4


def test_given_keyword_arguments_and_many_types_when_called_then_they_arrive(pool: Pool) -> None:
    test = (
        "def check(candidate):\n    value = [None, True, -1, 1 << 99, 2.5, 1j, 'ä\\ud800', b'x', (1,), {2: [3]}, {4}]\n"
        "    assert candidate(value, key=range(3)) == [range(3), value]\n"
    )
    assert run_one(pool, "def f(x, *, key): return [key, x]", test).verdict == Verdict.PASSED


@pytest.mark.parametrize(
    "result", ["map(int, '12')", "reversed([2, 1])", "range(1, 3)", "iter((1, 2))", "{1: 0, 2: 0}.keys()"]
)
def test_given_an_iterable_result_when_the_test_walks_it_then_it_gives_its_items(
    pool: Pool, result: str
) -> None:
    test = (
        "def check(candidate):\n    assert list(candidate(0)) == [1, 2]\n    assert candidate(0) != [1, 2]\n"
    )
    assert run_one(pool, f"def f(x): return {result}", test).verdict == Verdict.PASSED


def test_given_hashes_of_strings_when_run_in_different_workers_then_sets_have_one_order(pool: Pool) -> None:
    source = "def f(x): return ''.join(set('abcdefghijklmnop'))"
    test = "def check(candidate):\n    raise AssertionError(candidate(0))\n"
    assert len({outcome.detail for outcome in pool.run([program(source, test)] * 8)}) == 1


def test_given_many_programs_when_run_then_each_has_one_outcome_and_work_is_taken_only_as_needed(
    pool: Pool,
) -> None:
    taken = 0

    def endless() -> Iterator[Program]:
        nonlocal taken
        while True:
            taken += 1
            yield program("def f(x): return x + 1", key=str(taken))

    outcomes = pool.run(endless())
    keys = [next(outcomes).key for _ in range(40)]
    outcomes.close()  # type: ignore[attr-defined]

    assert len(set(keys)) == 40
    assert taken <= 40 + 2 * 2 + 2
    assert run_one(pool, "def f(x): return x + 1").verdict == Verdict.PASSED


def test_given_large_sources_when_run_then_pipes_neither_block_nor_mix_them_up(pool: Pool) -> None:
    padding = "# " + "x" * 300_000 + "\n"
    programs = [
        program(padding + f"def f(x): return x + {n % 2}", padding + PLUS_ONE, key=str(n)) for n in range(8)
    ]
    verdicts = {outcome.key: outcome.verdict for outcome in pool.run(programs)}
    assert verdicts == {str(n): Verdict.PASSED if n % 2 else Verdict.FAILED for n in range(8)}


def test_given_a_program_over_the_limit_when_run_then_it_is_told_and_the_rest_goes_on(pool: Pool) -> None:
    huge = program("#" * (LIMITS.program_bytes + 1), key="huge")
    verdicts = {o.key: o.verdict for o in pool.run([huge, program("def f(x): return x + 1", key="ok")])}
    assert verdicts == {"huge": Verdict.CHECKER_ERROR, "ok": Verdict.PASSED}


def test_given_workers_killed_from_outside_when_programs_run_then_none_is_lost_and_none_forged() -> None:
    source = "import time\ndef f(x):\n    time.sleep(0.02)\n    return x + {0}"
    programs = [program(source.format(n % 2), key=str(n)) for n in range(30)]
    with Pool(2, LIMITS) as pool:
        verdicts = {}
        for outcome in pool.run(programs):
            verdicts[outcome.key] = outcome.verdict
            if len(verdicts) in (5, 15):
                os.kill(max(processes(pool.marker)), signal.SIGKILL)
    assert len(verdicts) == 30
    for key, verdict in verdicts.items():
        right = Verdict.PASSED if int(key) % 2 else Verdict.FAILED
        assert verdict in {right, Verdict.CHECKER_ERROR, Verdict.ERROR}
    assert sum(verdict == Verdict.PASSED for verdict in verdicts.values()) >= 10


def test_given_a_pool_when_closed_then_no_process_and_no_folder_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Pool(1, LIMITS, use_namespaces=False) as pool:
        marker = pool.marker
        assert processes(marker)
        assert list(pool.run([program("open('left', 'w').write('x')\ndef f(x): return x + 1")]))
    assert processes(marker) == set()
    assert list(tmp_path.iterdir()) == []


def test_given_a_pool_in_use_when_used_wrongly_then_the_error_says_how(pool: Pool) -> None:
    outcomes = pool.run([program("def f(x): return x + 1")] * 3)
    next(outcomes)
    with pytest.raises(SandboxUsageError, match="already running"):
        next(pool.run([]))
    assert len(list(outcomes)) == 2
    with pytest.raises(SandboxUsageError, match="`with` statement"):
        next(Pool(1).run([]))
    with pytest.raises(SandboxUsageError, match="`0` workers"):
        Pool(0)


def test_given_an_interpreter_that_is_not_there_when_opened_then_the_error_names_it() -> None:
    with pytest.raises(WorkerError, match="`/nowhere/python`"), Pool(1, python="/nowhere/python"):
        pass


def test_given_an_interpreter_that_is_none_when_opened_then_the_error_says_it_does_not_start() -> None:
    with pytest.raises(WorkerError, match="does not start"), Pool(1, python="/bin/false"):
        pass


def change_worker_source(monkeypatch: pytest.MonkeyPatch, module: str, old: str, new: str) -> None:
    """Have workers started from here on run a changed module, as if their kernel were another."""
    real = launch._source

    def source(name: str) -> str:
        text = real(name)
        if name == module:
            assert old in text
            text = text.replace(old, new)
        return text

    launch._bundle.cache_clear()
    monkeypatch.setattr(launch, "_source", source)


@pytest.fixture
def without_seccomp(monkeypatch: pytest.MonkeyPatch) -> None:
    attach = "        kernel.prctl(kernel.PR_SET_SECCOMP"
    change_worker_source(
        monkeypatch, "seccomp", attach, f'        raise OSError("no seccomp here")\n{attach}'
    )


@pytest.fixture
def without_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    change_worker_source(monkeypatch, "kernel", 'if sys.platform != "linux" or', "if True or")


@pytest.fixture(autouse=True)
def _fresh_bundle() -> Iterator[None]:
    yield
    launch._bundle.cache_clear()


@pytest.mark.usefixtures("without_seccomp")
def test_given_a_machine_without_seccomp_when_all_is_required_then_the_pool_refuses_and_names_what_is_missing() -> (
    None
):
    with (
        pytest.raises(SandboxUnavailableError, match=r"no_exec.*no_fork.*reduced isolation"),
        Pool(1, LIMITS, use_namespaces=False),
    ):
        pass


@pytest.mark.usefixtures("without_seccomp")
def test_given_a_machine_without_seccomp_when_reduced_is_asked_for_then_it_runs_and_the_isolation_says_so() -> (
    None
):
    with Pool(1, LIMITS, use_namespaces=False, reduced=True) as pool:
        assert {Property.NO_FORK, Property.NO_EXEC, Property.NO_NETWORK} <= pool.isolation.missing
        assert {Property.NO_OUTSIDE_READ, Property.MEMORY_LIMIT, Property.WALL_LIMIT} <= pool.isolation.given
        assert "seccomp" not in pool.isolation.layers
        assert run_one(pool, "def f(x): return x + 1").verdict == Verdict.PASSED


@pytest.mark.usefixtures("without_seccomp")
def test_given_a_machine_without_seccomp_when_only_what_it_has_is_required_then_the_pool_opens() -> None:
    with Pool(1, LIMITS, use_namespaces=False, required=[Property.NO_OUTSIDE_READ]) as pool:
        assert Property.NO_FORK in pool.isolation.missing


@pytest.mark.usefixtures("without_linux")
def test_given_another_platform_when_opened_then_the_pool_refuses_unless_reduced_is_asked_for() -> None:
    with pytest.raises(SandboxUnavailableError, match=r"no_network.*no_outside_read"), Pool(1, LIMITS):
        pass
    with Pool(1, LIMITS, reduced=True) as pool:
        assert pool.isolation.layers == ("rlimits",)
        assert {Property.NO_NETWORK, Property.NO_FORK, Property.NO_OUTSIDE_WRITE} <= pool.isolation.missing
        assert {Property.WALL_LIMIT, Property.CPU_LIMIT, Property.EMPTY_ENVIRONMENT} <= pool.isolation.given
        sources = ("def f(x): return x + 1", "def f(x): return x", "def f(x):\n    while True: pass")
        verdicts = [run_one(pool, source).verdict for source in sources]
        assert verdicts == [Verdict.PASSED, Verdict.FAILED, Verdict.TIMEOUT]


@pytest.mark.parametrize("taken", [27, 28, 29, 30, 31, 1100])
def test_given_a_caller_with_many_open_files_when_it_runs_programs_then_verdicts_arrive(taken: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    held = [os.open(os.devnull, os.O_RDONLY)]
    try:
        while held[-1] < taken:
            held.append(os.dup(held[0]))
        listing = "import os\ndef f(x): return x + 1 if len(OPEN) == 5 else OPEN\n"
        listing += "OPEN = [fd for fd in range(2000) if not isinstance(probe(fd), OSError)]\n"
        probe = "def probe(fd):\n    try: return os.fstat(fd)\n    except OSError as error: return error\n"
        with Pool(1, LIMITS) as opened:
            assert run_one(opened, probe + listing).verdict == Verdict.PASSED
    finally:
        for fd in held:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("fill", ["os.mkdir('d'); os.chdir('d')", "open(str(next(n)), 'w').close()"])
def test_given_a_scratch_folder_filled_without_end_when_run_then_the_solution_is_to_blame(fill: str) -> None:
    source = f"import itertools, os\ndef f(x):\n    n = itertools.count()\n    while True: {fill}\n"
    with Pool(1, LIMITS, use_namespaces=False) as opened:
        assert run_one(opened, source).verdict in {Verdict.TIMEOUT, Verdict.ERROR, Verdict.OUTPUT}


def test_given_the_null_device_when_a_solution_uses_it_then_it_may(pool: Pool) -> None:
    source = "import os\ndef f(x):\n    with open(os.devnull, 'w') as file: print(x, file=file)\n    return x + len(os.urandom(1))"
    assert run_one(pool, source).verdict == Verdict.PASSED
