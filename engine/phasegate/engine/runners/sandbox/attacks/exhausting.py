# ruff: noqa: E501
# (One program a line or two: they are compared by eye.)
"""Attacks that try to use up what other programs and the machine need."""

from __future__ import annotations

from phasegate.engine.runners.sandbox.model import Verdict

from .attack import DENIED, NOT_PASSED, Attack

_TIMEOUT = frozenset({Verdict.TIMEOUT})
_MEMORY = frozenset({Verdict.MEMORY})
_OUTPUT = frozenset({Verdict.OUTPUT})
_CRASH = frozenset({Verdict.ERROR, Verdict.MEMORY, Verdict.TIMEOUT})
_VALUE = frozenset({Verdict.FAILED, Verdict.ERROR, Verdict.OUTPUT, Verdict.MEMORY, Verdict.TIMEOUT})

EXHAUSTING = (
    Attack("fork_bomb", "import os\ndef f(x):\n    while True: os.fork()", DENIED),
    Attack("fork_bomb_on_load", "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass\n", _TIMEOUT),
    Attack("thread_bomb", "import threading, time\ndef f(x):\n    while True:\n"
           "        threading.Thread(target=time.sleep, args=(60,)).start()", DENIED),
    Attack("memory_3_gb", "def f(x):\n    block = bytearray(3 << 30)\n    return len(block)", _MEMORY),
    Attack("memory_creeping", "def f(x):\n    held = []\n    while True: held.append(bytearray(1 << 24))", _MEMORY | _TIMEOUT),  # whichever a slow machine comes to first
    Attack("memory_limit_lifted", "import resource\ndef f(x):\n    for which in (resource.RLIMIT_AS, resource.RLIMIT_CPU):\n"
           "        try: resource.setrlimit(which, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
           "        except (ValueError, OSError): pass\n    return bytearray(3 << 30)", _MEMORY),
    Attack("output_flood", "def f(x):\n    for _ in range(100_000): print('x' * 1024)", _OUTPUT),
    Attack("output_flood_raw", "import os\ndef f(x):\n    for _ in range(100): os.write(2, b'x' * (1 << 20))", _OUTPUT),
    Attack("file_flood", "def f(x):\n    with open('big', 'wb') as file:\n"
           "        for _ in range(100): file.write(bytes(1 << 20))", _OUTPUT),
    Attack("scratch_flood", "def f(x):\n    for n in range(10_000):\n        with open(f'file-{n}', 'wb') as file:\n"
           "            file.write(bytes(1 << 20))", NOT_PASSED),
    Attack("many_files", "def f(x):\n    for n in range(10**9): open(f'file-{n}', 'w').close()", NOT_PASSED),
    Attack("open_file_flood", "def f(x):\n    held = []\n    while True: held.append(open('/dev/null'))", NOT_PASSED),
    Attack("infinite_loop", "def f(x):\n    while True: pass", _TIMEOUT),
    Attack("infinite_loop_on_load", "while True: pass", _TIMEOUT),
    Attack("sleep", "import time\ndef f(x): time.sleep(3600)", _TIMEOUT),
    Attack("blocked_signals", "import signal, time\nfor number in range(1, 32):\n    try: signal.signal(number, signal.SIG_IGN)\n"
           "    except (OSError, ValueError): pass\n"
           "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))\ndef f(x):\n    while True: time.sleep(1)", _TIMEOUT),
    Attack("deep_recursion", "import sys\nsys.setrecursionlimit(10**9)\ndef f(x): return f(x)", _CRASH),
    Attack("deep_recursion_in_c", "import sys\nsys.setrecursionlimit(10**9)\nclass A:\n"
           "    def __getattr__(s, n): return getattr(s, n)\ndef f(x): return A().b", _CRASH),
    Attack("self_containing_list", "def f(x):\n    a = []\n    a.append(a)\n    return a", _VALUE),
    Attack("shared_reference_blow_up", "def f(x):\n    a = 'x' * 1000\n    for _ in range(60): a = [a, a]\n    return a", _VALUE),
    Attack("endless_iterator", "import itertools\ndef f(x): return itertools.count()", _VALUE),
    Attack("huge_int", "def f(x): return 1 << (1 << 28)", _VALUE),
    Attack("huge_string", "def f(x): return 'x' * (100 << 20)", _OUTPUT),
    Attack("slow_answer", "import os, time\ndef f(x):\n    os.write(4, b'\\x40')\n    time.sleep(3600)", _TIMEOUT),
)  # fmt: skip
