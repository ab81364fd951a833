"""Seccomp filters in classic BPF: which system calls a sandboxed process may make.

Two filters are stacked. The *base* filter is an allow-list, put once on the worker. The *program*
filter takes away what only the worker needs (making and killing processes), and is put on each half
of each program; it is short because attaching a filter costs in proportion to its length.
See seccomp(2) and Documentation/userspace-api/seccomp_filter.rst.
"""

from __future__ import annotations

import ctypes
import errno
import struct
from typing import TYPE_CHECKING

from . import kernel, syscalls

if TYPE_CHECKING:
    from collections.abc import Iterable

_LOAD, _JUMP_EQ, _JUMP_GE, _RETURN = 0x20, 0x15, 0x35, 0x06
_NUMBER_AT, _ARCH_AT, _ARGUMENTS_AT = 0, 4, 16
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32_BIT = 0x40000000
_ALLOW, _KILL = 0x7FFF0000, 0x80000000
_ERRNO = 0x00050000
_REFUSE, _ABSENT = _ERRNO | errno.EPERM, _ERRNO | errno.ENOSYS

_Program = list[tuple[int, int, int, int]]


class Filter:
    """A filter ready to be attached; the buffers live as long as the object."""

    def __init__(self, program: _Program) -> None:
        self._code = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *line) for line in program))
        head = struct.pack("<HxxxxxxQ", len(program), ctypes.addressof(self._code))
        self._head = ctypes.create_string_buffer(head, len(head))
        self._address = ctypes.addressof(self._head)

    def attach(self) -> None:
        """Put the filter on this process for good; its children inherit it.

        The process must have given up gaining privileges (`PR_SET_NO_NEW_PRIVS`).

        Raises:
            OSError: the kernel refused, for example because it has no seccomp.
        """
        kernel.prctl(kernel.PR_SET_SECCOMP, kernel.SECCOMP_MODE_FILTER, self._address)


def base_filter(machine: str, *, truncate: bool) -> Filter:
    """Build the allow-list of a worker; `truncate(2)` only where Landlock watches over it."""
    program = _preamble(machine)
    names = (*syscalls.ALLOWED, *syscalls.SUPERVISION, *(("truncate",) if truncate else ()))
    program += _each(names, machine, _ALLOW)
    for name, (index, values) in syscalls.ARGUMENTS.items():
        program += _by_argument(name, machine, index, values)
    program += _each(syscalls.UNKNOWN, machine, _ABSENT)
    program += _each(syscalls.KILLED, machine, _KILL)
    return Filter([*program, (_RETURN, 0, 0, _REFUSE)])


def program_filter(machine: str) -> Filter:
    """Build the filter that takes the worker's own calls away from a program."""
    program = _preamble(machine)
    program += _each(syscalls.SUPERVISION, machine, _REFUSE)
    return Filter([*program, (_RETURN, 0, 0, _ALLOW)])


def _preamble(machine: str) -> _Program:
    return [
        (_LOAD, 0, 0, _ARCH_AT),
        (_JUMP_EQ, 1, 0, _AUDIT_ARCH[machine]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER_AT),
        (_JUMP_GE, 0, 1, _X32_BIT),
        (_RETURN, 0, 0, _KILL),
    ]


def _each(names: Iterable[str], machine: str, action: int) -> _Program:
    numbers = [n for n in (syscalls.number(name, machine) for name in names) if n is not None]
    return [line for n in numbers for line in ((_JUMP_EQ, 0, 1, n), (_RETURN, 0, 0, action))]


def _by_argument(name: str, machine: str, index: int, values: Iterable[int]) -> _Program:
    number = syscalls.number(name, machine)
    if number is None:
        return []
    # The kernel reads these arguments as 32-bit words, so the low half alone decides.
    tests = [line for v in values for line in ((_JUMP_EQ, 0, 1, v), (_RETURN, 0, 0, _ALLOW))]
    body = [(_LOAD, 0, 0, _ARGUMENTS_AT + 8 * index), *tests, (_RETURN, 0, 0, _REFUSE)]
    return [(_JUMP_EQ, 0, len(body), number), *body]
