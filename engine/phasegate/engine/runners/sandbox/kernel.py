"""The few Linux calls Python has no name for, through ctypes; each raises `OSError` on failure."""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from functools import cache

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
PR_SET_NO_NEW_PRIVS = 38
SECCOMP_MODE_FILTER = 2
_CAPABILITY_VERSION_3 = 0x20080522
_CAPSET = {"x86_64": 126, "aarch64": 91}
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}


def machine() -> str | None:
    """Return `x86_64` or `aarch64` where the kernel layers can be used, else None."""
    if sys.platform != "linux" or struct.calcsize("P") != struct.calcsize("Q"):
        return None
    name = os.uname().machine
    return name if name in _CAPSET else None


@cache
def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    if machine() is not None:
        libc.prctl.argtypes = (ctypes.c_int, *[ctypes.c_ulong] * 4)  # a call builds no objects
    return libc


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def syscall(number: int, *arguments: int | ctypes.Array[ctypes.c_char]) -> int:
    """Make a system call; integers are passed as 64-bit words, buffers by address."""
    words = [ctypes.c_void_p(a if isinstance(a, int) else ctypes.addressof(a)) for a in arguments]
    libc = _libc()
    libc.syscall.restype = ctypes.c_long
    return _checked(libc.syscall(ctypes.c_long(number), *words), f"system call {number}")


def prctl(option: int, first: int = 0, second: int = 0) -> int:
    """Set a property of this process (prctl, section 2 of the manual)."""
    result: int = _libc().prctl(option, first, second, 0, 0)
    return result if result >= 0 else _checked(result, f"prctl {option}")


def unshare(flags: int) -> None:
    """Leave the namespaces named by `flags` for fresh ones (unshare(2))."""
    _checked(_libc().unshare(ctypes.c_int(flags)), "unshare")


def mount(source: str, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    """Mount a file system or change how one is mounted."""
    encoded = [None if text is None else os.fsencode(text) for text in (source, target, kind, data)]
    result = _libc().mount(encoded[0], encoded[1], encoded[2], ctypes.c_ulong(flags), encoded[3])
    _checked(result, f"mount of `{source}` on `{target}`")


def unmount(target: str, flags: int) -> None:
    """Take a mount away, as umount2(2) says."""
    _checked(_libc().umount2(os.fsencode(target), ctypes.c_int(flags)), f"unmount of `{target}`")


def pivot_root(new_root: str, put_old: str) -> None:
    """Make a mounted folder the root of this mount namespace."""
    number = _PIVOT_ROOT[os.uname().machine]
    new, old = (ctypes.create_string_buffer(os.fsencode(path)) for path in (new_root, put_old))
    syscall(number, new, old)


def drop_capabilities() -> None:
    """Empty the effective, permitted and inheritable capability sets of this process (capset(2))."""
    header = ctypes.create_string_buffer(struct.pack("<Ii", _CAPABILITY_VERSION_3, 0))
    syscall(_CAPSET[os.uname().machine], header, ctypes.create_string_buffer(24))
