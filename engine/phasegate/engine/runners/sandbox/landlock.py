"""Landlock: the kernel's path-based access control that a process without privilege puts on itself.

Constants and semantics: include/uapi/linux/landlock.h and landlock(7). What an older kernel does not
know is left out; the caller learns the ABI and decides whether that is enough.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
from typing import TYPE_CHECKING

from . import kernel

if TYPE_CHECKING:
    from collections.abc import Iterable

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_CREATE_RULESET_VERSION = 1
_RULE_PATH_BENEATH = 1

_WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 1, 1 << 2, 1 << 3
_REMOVE_DIR, _REMOVE_FILE, _MAKE_DIR, _MAKE_REG, _MAKE_SYM = 1 << 4, 1 << 5, 1 << 7, 1 << 8, 1 << 12
_REFER, _TRUNCATE = 1 << 13, 1 << 14
_FS_BITS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}  # ABI: how many of the filesystem rights it knows
_NET_TCP = 0b11  # bind and connect, from ABI 4
_SCOPES = 0b11  # abstract unix sockets and signals, from ABI 6

READ = _READ_FILE | _READ_DIR
SCRATCH = (
    READ | _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _MAKE_SYM | _REFER | _TRUNCATE
)
DEVICE = _READ_FILE | _WRITE_FILE
_ON_FILES = _READ_FILE | _WRITE_FILE | _TRUNCATE

ABI_REFER, ABI_TRUNCATE = 2, 3


def abi() -> int:
    """Return the kernel's Landlock ABI, 0 where there is none."""
    if kernel.machine() is None:
        return 0
    try:
        return kernel.syscall(_CREATE_RULESET, 0, 0, _CREATE_RULESET_VERSION)
    except OSError as error:
        if error.errno in {errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM}:
            return 0
        raise


def restrict(rules: Iterable[tuple[str, int]], version: int) -> None:
    """Deny this process and its children every file access but the `rules`, TCP, and outside signals.

    The process must have given up gaining privileges (`PR_SET_NO_NEW_PRIVS`).

    Args:
        rules: paths that must exist, each with the rights that hold for it and all below it.
        version: the ABI to use, as `abi()` gives it.

    Raises:
        OSError: the kernel refused; nothing is restricted then.
    """
    handled = (1 << _FS_BITS.get(version, 16)) - 1
    net, scoped = (_NET_TCP if version >= 4 else 0), (_SCOPES if version >= 6 else 0)  # noqa: PLR2004 - ABIs
    attributes = struct.pack("<QQQ", handled, net, scoped)[: 24 if scoped else 16 if net else 8]
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    ruleset = kernel.syscall(_CREATE_RULESET, buffer, len(attributes), 0)
    try:
        for path, rights in rules:
            _allow(ruleset, path, rights & handled)
        kernel.syscall(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            rights &= _ON_FILES
        rule = ctypes.create_string_buffer(struct.pack("<Qi", rights, fd), 12)
        kernel.syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, rule, 0)
    finally:
        os.close(fd)
