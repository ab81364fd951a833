"""The system call filters, run by a small interpreter of classic BPF."""

from __future__ import annotations

import errno
import struct

import pytest

from phasegate.engine.runners.sandbox import seccomp, syscalls

ALLOW, KILL = 0x7FFF0000, 0x80000000
REFUSE, ABSENT = 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
MACHINES = sorted(ARCH)


def lines(filter_: seccomp.Filter) -> list[tuple[int, int, int, int]]:
    code = filter_._code.raw
    return [struct.unpack_from("<HBBI", code, at) for at in range(0, len(code) - 7, 8)]


def run(filter_: seccomp.Filter, arch: int, number: int, *arguments: int) -> int:
    words = (*arguments, 0, 0, 0, 0, 0, 0)[:6]
    data = struct.pack("<IIQ6Q", number & 0xFFFFFFFF, arch, 0, *(w & (1 << 64) - 1 for w in words))
    program, at, register = lines(filter_), 0, 0
    while True:
        code, yes, no, value = program[at]
        at += 1
        if code == 0x06:
            return value
        if code == 0x20:
            register = struct.unpack_from("<I", data, value)[0]
        else:
            holds = register == value if code == 0x15 else register >= value
            assert code in (0x15, 0x35)
            at += yes if holds else no


def answer(machine: str, name: str, *arguments: int, program: bool = False) -> int | None:
    number = syscalls.number(name, machine)
    chosen = seccomp.program_filter(machine) if program else seccomp.base_filter(machine, truncate=True)
    return None if number is None else run(chosen, ARCH[machine], number, *arguments)


@pytest.mark.parametrize("machine", MACHINES)
def test_given_the_base_filter_when_an_everyday_call_is_made_then_it_is_allowed(machine: str) -> None:
    assert {answer(machine, name) for name in syscalls.ALLOWED} - {None} == {ALLOW}


@pytest.mark.parametrize("machine", MACHINES)
def test_given_the_program_filter_when_a_call_of_the_worker_is_made_then_it_is_refused(machine: str) -> None:
    assert {answer(machine, name, program=True) for name in syscalls.SUPERVISION} - {None} == {REFUSE}


@pytest.mark.parametrize("machine", MACHINES)
def test_given_the_base_filter_when_a_hostile_call_is_made_then_the_process_is_killed(machine: str) -> None:
    assert {answer(machine, name) for name in syscalls.KILLED} - {None} == {KILL}


@pytest.mark.parametrize("machine", MACHINES)
def test_given_the_base_filter_when_any_other_number_is_called_then_it_is_refused(machine: str) -> None:
    known = {syscalls.number(name, machine) for name in syscalls.NUMBERS}
    chosen = seccomp.base_filter(machine, truncate=True)
    others = {run(chosen, ARCH[machine], n) for n in range(700) if n not in known}
    assert others == {REFUSE}


@pytest.mark.parametrize(
    ("name", "x86", "arm"),
    [("socket", 41, 198), ("socketpair", 53, 199), ("connect", 42, 203), ("execve", 59, 221), ("execveat", 322, 281),
     ("tgkill", 234, 131), ("tkill", 200, 130), ("rt_sigqueueinfo", 129, 138), ("pidfd_open", 434, 434),
     ("pidfd_send_signal", 424, 424), ("ptrace", 101, 117), ("mount", 165, 40), ("unshare", 272, 97), ("setns", 308, 268),
     ("chown", 92, None), ("fchownat", 260, 54), ("utimensat", 280, 88), ("setxattr", 188, 5), ("seccomp", 317, 277),
     ("mknodat", 259, 33), ("shmget", 29, 194), ("mq_open", 180, 180), ("setpriority", 141, 140)],
)  # fmt: skip
def test_given_the_base_filter_when_the_outside_is_reached_for_then_it_is_refused(
    name: str, x86: int, arm: int | None
) -> None:
    for machine, number in (("x86_64", x86), ("aarch64", arm)):
        if number is not None:
            assert run(seccomp.base_filter(machine, truncate=True), ARCH[machine], number) == REFUSE, name


@pytest.mark.parametrize("machine", MACHINES)
def test_given_fcntl_when_it_would_direct_signals_then_it_is_refused(machine: str) -> None:
    set_owner, set_signal, set_owner_ex = 8, 10, 15
    assert {answer(machine, "fcntl", 3, c) for c in (set_owner, set_signal, set_owner_ex)} == {REFUSE}
    assert answer(machine, "fcntl", 3, 1) == ALLOW
    assert answer(machine, "fcntl", 3, (1 << 32) | set_owner) == REFUSE


@pytest.mark.parametrize("machine", MACHINES)
def test_given_limits_when_they_are_another_process_s_then_they_are_out_of_reach(machine: str) -> None:
    assert answer(machine, "prlimit64", 0) == ALLOW
    assert answer(machine, "prlimit64", 1) == REFUSE


@pytest.mark.parametrize("machine", MACHINES)
def test_given_clone3_when_it_is_tried_then_it_looks_absent_so_that_libc_falls_back(machine: str) -> None:
    assert answer(machine, "clone3") == ABSENT


@pytest.mark.parametrize("machine", MACHINES)
def test_given_another_calling_convention_when_used_then_the_process_is_killed(machine: str) -> None:
    i386 = 0x40000003
    for chosen in (seccomp.base_filter(machine, truncate=True), seccomp.program_filter(machine)):
        assert run(chosen, i386, 0) == KILL
        assert run(chosen, ARCH[machine], 0x40000000) == KILL
        assert run(chosen, ARCH[machine], 0xFFFFFFFF) == KILL


def test_given_a_kernel_whose_landlock_ignores_truncation_when_filtered_then_truncate_is_refused() -> None:
    number = syscalls.number("truncate", "x86_64")
    assert number is not None
    assert run(seccomp.base_filter("x86_64", truncate=False), ARCH["x86_64"], number) == REFUSE
