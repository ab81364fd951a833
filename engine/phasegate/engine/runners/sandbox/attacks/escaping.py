# ruff: noqa: E501
# (One program a line or two: they are compared by eye.)
"""Attacks that try to reach what lies outside: files, processes, the network, the checker."""

from __future__ import annotations

from phasegate.engine.runners.sandbox.model import Verdict

from .attack import BROKEN, DENIED, NOT_PASSED, Attack

_GAIN_TEST = "SECRET = @answer@\ndef check(candidate):\n    assert candidate(1) == 'gained'\n"
_KILLED = frozenset({Verdict.FORBIDDEN})
_STALE_TEST = "ANSWER = @answer@\ndef check(candidate):\n    assert candidate(1) == 'found'\n"
_CALL = """
import ctypes, platform
LIBC = ctypes.CDLL(None, use_errno=True)
X86 = platform.machine() == "x86_64"
def call(x86, arm, *words):
    result = LIBC.syscall(ctypes.c_long(x86 if X86 else arm), *[ctypes.c_void_p(w) for w in words])
    if result < 0: raise OSError(ctypes.get_errno(), "refused")
    return result
"""
_TRY_ALL = """
def attempt(*actions):
    results = []
    for action in actions:
        try: results.append(action())
        except Exception as error: results.append(error)
    return results
"""


def _each(name: str, head: str, *actions: str, allowed: frozenset[Verdict] = DENIED) -> Attack:
    """Build an attack that makes every attempt and would pass if one of them were not refused."""
    lambdas = ", ".join(f"lambda: {action}" for action in actions)
    tail = (
        f"def f(x):\n    results = attempt({lambdas})\n"
        "    return 'refused' if all(isinstance(r, Exception) for r in results) else 'gained'\n"
    )
    return Attack(name, f"import os, glob, socket, sys\n{_TRY_ALL}{head}\n{tail}", allowed, _GAIN_TEST)


def _system(name: str, *calls: str, head: str = "", allowed: frozenset[Verdict] = NOT_PASSED) -> Attack:
    return _each(name, _CALL + head, *calls, allowed=allowed)


ESCAPING = (
    Attack("read_secret", "def f(x): return open('@secret@').read()", DENIED),
    Attack(
        "read_installed_packages",
        "import glob, os, sys\n"
        "LIB = os.path.dirname(os.__file__)\n"
        "PLACES = (f'{LIB}/site-packages/*', f'{LIB}/dist-packages/*', f'{sys.base_prefix}/lib/python3*/*-packages/*', '/usr/lib/python3/dist-packages/*')\n"
        "def f(x): return 'gained' if any(glob.glob(place) for place in PLACES) else 'refused'\n",
        DENIED,
        _GAIN_TEST,
    ),
    _each("read_around", "", "open('/proc/self/root@secret@').read()", "open('/proc/1/root@secret@').read()",
          "open('/proc/self/cwd/../../../../../../@secret@').read()", "open('../../../../../../@secret@').read()",
          "os.readlink('@secret@')", "os.pread(os.open('@secret@', os.O_RDONLY | os.O_PATH), 99, 0)"),
    _each("read_by_link", "", "[os.symlink('@secret@', 'a'), open('a').read()][1]",
          "[os.link('@secret@', 'b'), open('b').read()][1]", "[os.rename('@secret@', 'c'), open('c').read()][1]",
          "[os.symlink('@outside@', 'd'), open('d/secret').read()][1]"),
    _each("read_parent_environment", "import re\ndef pick(text):\n    return re.search(rb'answer-[0-9a-f]{32}', text).group()",
          "pick(open('/proc/self/environ', 'rb').read())", "pick(open(f'/proc/{os.getppid()}/environ', 'rb').read())",
          "pick(open('/proc/1/environ', 'rb').read())", "pick(open('/proc/@supervisor@/environ', 'rb').read())",
          "pick(b''.join(open(p, 'rb').read() for p in glob.glob('/proc/*/environ')))", "pick(repr(os.environ).encode())"),
    _each("read_system_files", "", "open('/etc/passwd').read()", "open('/etc/hostname').read()",
          "' '.join(os.listdir('/'))", "open('/proc/self/maps').read()", "open('/proc/self/mem', 'rb').read(1)",
          "open('/proc/@supervisor@/cmdline').read()"),
    _each("write_outside", "", "open('@outside@/new', 'w').write('x')", "open('@secret@', 'a').write('x')",
          "open('@secret@', 'w').write('x')", "os.open('@secret@', os.O_RDONLY | os.O_TRUNC)", "os.truncate('@secret@', 0)",
          "os.unlink('@secret@')", "os.rename('@secret@', '@outside@/moved')", "os.mkdir('@outside@/folder')",
          "os.symlink('x', '@outside@/link')", "os.link('@secret@', '@outside@/hard')", "os.chmod('@secret@', 0o777)",
          "os.chown('@secret@', os.getuid(), os.getgid())", "os.utime('@secret@', (0, 0))",
          "os.setxattr('@secret@', 'user.x', b'x')", "os.mkfifo('@outside@/fifo')"),
    _each("write_through_symlink", "", "[os.symlink('@outside@', 'd'), open('d/new', 'w').write('x')]",
          "[os.symlink('@secret@', 's'), open('s', 'w').write('x')]", "[os.symlink('@outside@/n', 'n'), open('n', 'w')]"),
    Attack("symlinks_left_for_the_cleaner", "import os\nos.symlink('@outside@', 'outside')\nos.mkdir('d')\n"
           "os.symlink('@outside@', 'd/outside')\nos.symlink('@secret@', 'd/secret')\ndef f(x): return 1", BROKEN),
    Attack("awkward_folders_left", "import os\nos.mkdir('locked')\nopen('locked/x', 'w').close()\nos.mkdir('closed', 0)\n"
           "for n in range(300):\n    os.mkdir('a' * 50)\n    os.chdir('a' * 50)\nopen('-rf', 'w').close()\ndef f(x): return 1",
           BROKEN),
    Attack("stale_scratch", "import os\ndef f(x): return 'found' if os.listdir('.') else 'nothing'",
           frozenset({Verdict.FAILED}), _STALE_TEST, "open('left', 'w').write('x')\ndef f(x): return 1"),
    _each("network_loopback", "", "socket.create_connection(('127.0.0.1', @port@), 1).send(b'x')",
          "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', @udp_port@))",
          "socket.create_server(('127.0.0.1', 0)).getsockname()[0]", "socket.gethostbyname('example.org')"),
    _each("network_on_load", "S = attempt(lambda: socket.create_connection(('127.0.0.1', @port@), 1))[0]", "S.recv(99)"),
    _each("unix_sockets", "def connect(kind, name):\n    s = socket.socket(socket.AF_UNIX, kind)\n    s.connect(name)\n    s.send(b'x')\n"
          "    return s.recv(99)", "connect(socket.SOCK_STREAM, '@unix_path@')", "connect(socket.SOCK_STREAM, '\\0@abstract@')",
          "socket.socketpair()[0].recv(0, socket.MSG_DONTWAIT)"),
    Attack("daemon_left_behind", "import os, time\ndef f(x):\n    if os.fork() == 0:\n        os.setsid()\n"
           "        if os.fork() == 0:\n            while True: time.sleep(1)\n        os._exit(0)\n    return 1", DENIED),
    _each("spawned_process", "import subprocess, _posixsubprocess", "subprocess.check_output(['/bin/echo', 'x'])",
          "os.popen('echo x').read() or 1/0", "os.posix_spawn('/bin/true', ['true'], {})", "os.execv('/bin/true', ['true'])",
          "os.vfork() if hasattr(os, 'vfork') else 1/0", "os.forkpty()"),
    _each("signal_others", "import signal", "os.kill(os.getppid(), signal.SIGKILL)", "os.kill(-1, signal.SIGKILL)",
          "os.kill(1, signal.SIGKILL)", "os.killpg(0, signal.SIGKILL)", "os.kill(@supervisor@, signal.SIGKILL)",
          "signal.pidfd_send_signal(os.pidfd_open(os.getppid()), signal.SIGKILL)",
          "[os.kill(pid, signal.SIGKILL) for pid in range(2, 400)]"),
    Attack("signal_by_file_owner", "import fcntl, os, signal\nfor target in (os.getppid(), 1, @supervisor@, -os.getpgrp()):\n"
           "    for fd in (3, 4):\n        for command, value in ((8, target), (10, int(signal.SIGKILL)), (4, 0o20000)):\n"
           "            try: fcntl.fcntl(fd, command, value)\n            except OSError: pass\ndef f(x): return 1", NOT_PASSED),
    _system("signal_by_raw_call", "call(200, 130, os.getppid(), 9)", "call(234, 131, os.getppid(), os.getppid(), 9)",
            "call(129, 138, os.getppid(), 9, 0)", "call(62, 129, -1, 9)"),
    _system("limits_of_others", "call(302, 261, os.getppid(), 0, ctypes.addressof(LIMIT), 0)",
            "call(302, 261, @supervisor@, 0, ctypes.addressof(LIMIT), 0)", "call(141, 140, 0, @supervisor@, 19)",
            head="LIMIT = (ctypes.c_ulonglong * 2)(0, 0)"),
    _system("trace_others", *(f"call(101, 117, {how}, os.getppid() {more}, 0, 0)" for how, more in ((16, ""), (16, "+ 1"), (0x4206, "- 1"))),
            "call(310, 270, os.getppid(), ctypes.addressof(V), 1, ctypes.addressof(V), 1, 0)", "call(311, 271, os.getppid(), 0, 0, 0, 0, 0)",
            head="V = (ctypes.c_ulonglong * 2)(0, 8)"),
    _system("checker_descriptors", "call(438, 438, call(434, 434, os.getpid() - 1, 0), 5, 0)", "call(312, 272, os.getpid(), os.getppid(), 0, 0, 0)"),
    _system("memfd_and_exec", "call(319, 279, ctypes.addressof(NAME), 0)", "os.execve(4, ['x'], {})",
            "call(322, 281, 4, ctypes.addressof(NAME), 0, 0, 0x1000)", head="NAME = ctypes.create_string_buffer(b'x')"),
    _system("keyring", "call(250, 219, 0, 0, 0)", allowed=_KILLED),
    _system("io_uring", "call(425, 425, 8, ctypes.addressof(P))", head="P = ctypes.create_string_buffer(256)", allowed=_KILLED),
    _system("bpf", "call(321, 280, 0, 0, 0)", allowed=_KILLED),
    _system("new_namespaces", "call(272, 97, 0x10000000)", "call(308, 268, 3, 0)", "call(161, 51, ctypes.addressof(ROOT))",
            "call(165, 40, 0, ctypes.addressof(ROOT), 0, 0, 0)", "call(155, 41, ctypes.addressof(ROOT), ctypes.addressof(ROOT))",
            head="ROOT = ctypes.create_string_buffer(b'/')"),
    _system("own_filter_and_dumpable", "call(157, 167, 22, 2, 0, 0, 0)", "call(157, 167, 4, 1, 0, 0, 0)", "call(317, 277, 1, 0, 0)",
            "call(157, 167, 1, 0, 0, 0, 0)"),
    _system("shared_memory", "call(29, 194, 1, 4096, 0o3666)", "call(68, 186, 1, 0o3666)", "call(64, 190, 1, 1, 0o3666)",
            "open('/dev/shm/x', 'w').write('x')"),
    Attack("other_calling_conventions", _CALL + "import mmap\ndef f(x):\n    if not X86: raise PermissionError(1, 'not this machine')\n"
           "    page = mmap.mmap(-1, 4096, prot=7)\n    page.write(b'\\xb8\\x02\\x00\\x00\\x00\\xcd\\x80\\xc3')\n"
           "    ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()\n    return 1", NOT_PASSED),
    Attack("x32_calls", _CALL + "def f(x):\n    if not X86: raise PermissionError(1, 'not this machine')\n"
           "    return call(0x40000000 + 57, 0)", _KILLED),
    _each("standard_input", "", "input()", "sys.stdin.read()", "sys.stdin.readline()", "os.read(0, 99).decode() or 1/0"),
)  # fmt: skip
