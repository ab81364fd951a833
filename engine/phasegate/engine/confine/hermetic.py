"""No network, every file system read-only, one scratch folder writable: with Linux namespaces.

user_namespaces(7), network_namespaces(7), mount_setattr(2). Each property is tried out before the command
starts, so that it is reported as given because it held. What cannot be given refuses the run.

Not cut off: named sockets of other programs that lie outside `/run`, `/var/run` and `/tmp/.X11-unix`.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import socket
import struct
from pathlib import Path

from phasegate.engine.runners.sandbox import kernel, namespaces

_MOUNT_SETATTR = 442
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_ATTR_RDONLY = 1
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 2, 4, 8
_MS_BIND, _MS_REC, _MS_PRIVATE = 4096, 16384, 1 << 18
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1
_COVERED = ("/run", "/var/run", "/tmp/.X11-unix")  # noqa: S108 - sockets of other programs lie there
_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - the place POSIX names


def enter(scratch: str) -> None:
    """Enter fresh namespaces in which nothing but `scratch` can be written and no network is reached.

    Raises:
        OSError: this machine does not give that; the process is not to be used further.
    """
    if kernel.machine() is None:
        raise OSError(errno.ENOSYS, "this is no Linux machine whose namespaces can be used")
    namespaces.enter()
    kernel.mount("none", "/", None, _MS_REC | _MS_PRIVATE)
    kernel.mount(scratch, scratch, None, _MS_BIND)
    for folder in _COVERED:
        if Path(folder).is_dir() and not _is_below(scratch, folder) and not _is_below(os.getcwd(), folder):  # noqa: PTH109
            kernel.mount("tmpfs", folder, "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=0755,size=64k")
    _set_attributes("/", _ATTR_RDONLY, 0, _AT_RECURSIVE)
    _set_attributes(scratch, 0, _ATTR_RDONLY, 0)
    if Path(_SHARED_MEMORY).is_dir():
        kernel.mount("tmpfs", _SHARED_MEMORY, "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=1777,size=256m")
    _loopback_up()
    # The working folder was opened before the mounts; this steps into it as it is now.
    os.chdir(os.getcwd())  # noqa: PTH109


def finish(scratch: str) -> None:
    """The last steps of the first process in the namespaces: its own `/proc`, and the trial of each property.

    Raises:
        OSError: a property does not hold.
    """
    with contextlib.suppress(OSError):  # where the outer one is masked, the kernel does not give a whole one
        kernel.mount("proc", "/proc", "proc", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
    for place in (os.getcwd(), "/"):  # noqa: PTH109
        _must_fail_to_write(place)
    trial = Path(scratch, ".trial")
    trial.write_bytes(b"")
    trial.unlink()
    others = [name for _, name in socket.if_nameindex() if name != "lo" and _is_up(name)]
    if others:
        raise OSError(errno.ENETUNREACH, f"the network device `{others[0]}` is still there")


def drop_privileges() -> None:
    """Give up what the user namespace gave, for good, so that no mount can be undone.

    Raises:
        OSError: the kernel refused.
    """
    kernel.drop_capabilities()
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)


def _must_fail_to_write(folder: str) -> None:
    probe = Path(folder, f".phasegate-trial-{os.getpid()}")
    try:
        os.close(os.open(probe, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError:
        return
    probe.unlink()
    raise OSError(errno.EPERM, f"`{folder}` can still be written")


def _set_attributes(path: str, to_set: int, to_clear: int, flags: int) -> None:
    attributes = ctypes.create_string_buffer(struct.pack("<QQQQ", to_set, to_clear, 0, 0), 32)
    name = ctypes.create_string_buffer(os.fsencode(path))
    kernel.syscall(_MOUNT_SETATTR, _AT_FDCWD, name, flags, attributes, 32)


def _loopback_up() -> None:
    """Give the namespace its own loopback device, so that tests that talk to themselves can."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        asked = struct.pack("16sh22x", b"lo", 0)
        _, flags = struct.unpack("16sh22x", fcntl.ioctl(handle, _SIOCGIFFLAGS, asked))
        fcntl.ioctl(handle, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", flags | _IFF_UP))


def _is_up(name: str) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        asked = struct.pack("16sh22x", name.encode()[:15], 0)
        flags: int = struct.unpack("16sh22x", fcntl.ioctl(handle, _SIOCGIFFLAGS, asked))[1]
    return bool(flags & _IFF_UP)


def _is_below(path: str, folder: str) -> bool:
    return Path(path).is_relative_to(folder)
