# ruff: noqa: PTH102, PTH103, PTH112, PTH114, PTH115, PTH120, PTH211
# (A worker stays small without pathlib.)
"""Fresh Linux namespaces for a worker, with a root of its own that holds only what Python needs.

See unshare(2), user_namespaces(7), mount_namespaces(7), pivot_root(2). Everything is read-only but a
scratch folder in memory, bounded in bytes and files.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from . import kernel

if TYPE_CHECKING:
    from collections.abc import Iterable

_NEW_NS, _NEW_UTS, _NEW_IPC = 0x00020000, 0x04000000, 0x08000000
_NEW_USER, _NEW_PID, _NEW_NET = 0x10000000, 0x20000000, 0x40000000
_ALL_BUT_USER = _NEW_NS | _NEW_UTS | _NEW_IPC | _NEW_PID | _NEW_NET
_LAYERS = ("mount_ns", "pid_ns", "net_ns", "ipc_ns", "uts_ns")

_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_REMOUNT = 1, 2, 4, 8, 32
_MS_BIND, _MS_REC, _MS_PRIVATE = 4096, 16384, 1 << 18
_MNT_DETACH = 2
# A user namespace may add restrictions to a mount, never lift those it came with.
# Pairs of what statvfs shows and mount wants; numbers, since not every platform names them in `os`.
_NOATIME, _NODIRATIME, _RELATIME_SHOWN, _MS_RELATIME = 1024, 2048, 4096, 1 << 21
_KEPT = (
    (_MS_NOSUID, _MS_NOSUID), (_MS_NODEV, _MS_NODEV), (_MS_NOEXEC, _MS_NOEXEC),
    (_NOATIME, _NOATIME), (_NODIRATIME, _NODIRATIME), (_RELATIME_SHOWN, _MS_RELATIME),
)  # fmt: skip

SCRATCH = "/scratch"


def enter() -> tuple[str, ...]:
    """Enter fresh namespaces and return the layers gained; the next child is process 1 of its own.

    Raises:
        OSError: the kernel gives this user no namespaces; nothing has changed then.
    """
    uid, gid = os.geteuid(), os.getegid()
    try:
        kernel.unshare(_NEW_USER | _ALL_BUT_USER)
    except OSError:
        if uid != 0:
            raise
        kernel.unshare(_ALL_BUT_USER)
        return _LAYERS
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{uid} {uid} 1")
    _write("/proc/self/gid_map", f"{gid} {gid} 1")
    return ("user_ns", *_LAYERS)


def _write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def build_root(
    readable: Iterable[str], hidden: Iterable[str], mount_point: str, scratch_bytes: int, scratch_files: int
) -> None:
    """Make `mount_point` the root of this process, with `readable` paths and `/scratch` in it, and go there.

    Args:
        readable: existing files and folders to show, read-only, under the same names.
        hidden: folders below those, shown empty.
        mount_point: an existing empty folder; what is mounted there is seen by this worker alone.
        scratch_bytes: size limit of the scratch folder.
        scratch_files: limit on the number of its files and folders.

    Raises:
        OSError: a mount was refused; the process is not to be used further.
    """
    kernel.mount("none", "/", None, _MS_REC | _MS_PRIVATE)
    kernel.mount("tmpfs", mount_point, "tmpfs", _MS_NOSUID, "mode=0755,size=1m")
    for path in readable:
        _show(path, mount_point)
    for path in hidden:
        if os.path.isdir(mount_point + path):
            kernel.mount("tmpfs", mount_point + path, "tmpfs", _MS_NOSUID | _MS_RDONLY, "mode=0555,size=4k")
    scratch = mount_point + SCRATCH
    os.mkdir(scratch)
    options = f"mode=0700,size={scratch_bytes},nr_inodes={scratch_files}"
    kernel.mount("tmpfs", scratch, "tmpfs", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC, options)
    os.chdir(mount_point)
    kernel.pivot_root(".", ".")
    kernel.unmount(".", _MNT_DETACH)
    kernel.mount("none", "/", None, _MS_REMOUNT | _MS_BIND | _MS_RDONLY | _MS_NOSUID)
    os.chdir(SCRATCH)


def _show(path: str, mount_point: str) -> None:
    target = mount_point + path
    if os.path.lexists(target):
        return
    os.makedirs(os.path.dirname(target), mode=0o755, exist_ok=True)
    if os.path.islink(path):
        os.symlink(os.readlink(path), target)
        return
    if os.path.isdir(path):
        os.mkdir(target)
    else:
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
    kernel.mount(path, target, None, _MS_BIND | _MS_REC)
    present = os.statvfs(target).f_flag
    kept = sum(flag for shown, flag in _KEPT if present & shown)
    nodev = 0 if path.startswith("/dev/") else _MS_NODEV
    kernel.mount("none", target, None, _MS_REMOUNT | _MS_BIND | _MS_RDONLY | _MS_NOSUID | nodev | kept)
