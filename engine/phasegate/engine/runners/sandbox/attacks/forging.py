# ruff: noqa: E501
# (One program a line or two: they are compared by eye.)
"""Attacks that try to look like a right answer, or to find it."""

from __future__ import annotations

from phasegate.engine.runners.sandbox.model import Verdict

from .attack import BROKEN, NOT_PASSED, Attack

_ERROR = frozenset({Verdict.ERROR})
_FAILED = frozenset({Verdict.FAILED})
_SEARCH = """
import re
PATTERN = "answer" + "-[0-9a-f]{32}"

def search(text):
    found = re.search(PATTERN, text)
    return found.group() if found else None
"""
_NUMBER_TEST = """
SECRET = @answer@
def check(candidate):
    for n in range(1, 4):
        assert candidate(n) == n + len(SECRET) * 1000
        assert n + len(SECRET) * 1000 == candidate(n)
"""
_CONTAINER_TEST = """
def check(candidate):
    assert candidate(1) == {"key": @answer@}
"""
_SWALLOWING_TEST = """
def check(candidate):
    for _ in range(3):
        try:
            assert candidate("x") == @answer@
        except:
            pass
"""
_MAPPING_TEST = """
def check(candidate):
    for n, value in enumerate(map(candidate, range(3))):
        assert value == @answer@
    assert all(map(lambda n: candidate(n) == @answer@, range(3)))
"""
_ALWAYS_EQUAL = """
class Equal({base}):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __lt__(self, other): return True
    __le__ = __gt__ = __ge__ = __lt__
    def __hash__(self): return 1
    def __sub__(self, other): return 0
    __rsub__ = __add__ = __radd__ = __sub__
def f(x): return Equal({argument})
"""
_RAW = """
import os, struct
def frame(body): return struct.pack("<I", len(body)) + body
def text(value): return b"s" + struct.pack("<I", len(value)) + value
def listing(count, body): return b"l" + struct.pack("<I", count) + body
"""


def _equal(name: str, base: str, argument: str = "", test: str = "") -> Attack:
    source = _ALWAYS_EQUAL.format(base=base, argument=argument)
    return Attack(name, source, BROKEN, test) if test else Attack(name, source, BROKEN)


def _answering(name: str, body: str) -> Attack:
    """Build an attack that answers a call with raw bytes, nonce included."""
    serve = (
        f"def f(x):\n    nonce = BODY_NONCE()\n    os.write(4, frame(b'R' + nonce + {body}))\n    return 0\n"
    )
    find = (
        "import sys\ndef BODY_NONCE():\n    frame_ = sys._getframe()\n"
        "    while frame_:\n        if 'nonce' in frame_.f_locals and frame_.f_locals['nonce']:\n"
        "            return frame_.f_locals['nonce']\n        frame_ = frame_.f_back\n    return b'\\0' * 8\n"
    )
    return Attack(name, _RAW + find + serve, NOT_PASSED)


FORGING = (
    Attack("os_exit_in_call", "import os\ndef f(x): os._exit(0)", _ERROR),
    Attack("os_exit_on_load", "import os\nos._exit(0)", _ERROR),
    Attack("sys_exit_in_call", "import sys\ndef f(x): sys.exit(0)", _ERROR),
    Attack("sys_exit_on_load", "import sys\nsys.exit(0)", _ERROR),
    Attack("exit_swallowed_by_test", "import os\ndef f(x): os._exit(0)", _ERROR, _SWALLOWING_TEST),
    Attack("system_exit_swallowed_by_test", "def f(x): raise SystemExit(0)", _ERROR, _SWALLOWING_TEST),
    Attack("stop_iteration_ends_the_test", "def f(x): raise StopIteration", _ERROR, _MAPPING_TEST),
    Attack("generator_exit_ends_the_test", "def f(x): raise GeneratorExit", _ERROR, _MAPPING_TEST),
    Attack("assertion_error", "def f(x): raise AssertionError('passed')", _ERROR),
    Attack("entry_point_missing", "def g(x): return x", _ERROR),
    Attack("printed_marker", "def f(x):\n    print('passed', flush=True)\n    return None", _FAILED),
    _equal("always_equal_object", "object"),
    _equal("always_equal_int", "int", "7", _NUMBER_TEST),
    _equal("always_equal_float", "float", "7.0", _NUMBER_TEST),
    _equal("always_equal_str", "str", "'x'"),
    _equal("always_equal_list", "list"),
    _equal("always_equal_tuple", "tuple"),
    _equal("always_equal_dict", "dict", "", _CONTAINER_TEST),
    _equal("always_equal_key", "str", "'key'", "def check(candidate):\n    assert {candidate(1): 1} == {@answer@: 1}\n"),
    Attack(
        "metaclass_lies",
        "class M(type):\n    def __eq__(c, o): return True\n    def __hash__(c): return 1\n"
        "    def __instancecheck__(c, o): return True\n    __mro__ = (str, object)\n"
        "class A(metaclass=M):\n    __class__ = str\n    def __eq__(s, o): return True\ndef f(x): return A()",
        BROKEN,
    ),
    Attack(
        "equal_but_different_keys",
        "class K(str):\n    def __eq__(s, o): return False\n    def __hash__(s): return id(s)\n"
        "def f(x): return {K('key'): 1, K('key'): 2}",
        BROKEN,
        _CONTAINER_TEST,
    ),
    Attack("nan_everywhere", "def f(x): return float('nan')", BROKEN, _NUMBER_TEST),
    Attack(
        "lying_exception",
        "class E(Exception):\n    def __str__(s): raise SystemExit(0)\n    __class__ = AssertionError\n"
        "    @property\n    def args(s): raise SystemExit(0)\n    def __eq__(s, o): return True\n"
        "def f(x): raise E()",
        _ERROR,
    ),
    Attack("frame_walk", _SEARCH + "import sys\ndef f(x):\n    frame = sys._getframe()\n    while frame:\n"
           "        for scope in (frame.f_locals, frame.f_globals):\n            hit = search(repr(scope))\n"
           "            if hit: return hit\n        frame = frame.f_back\n", BROKEN),
    Attack("gc_walk", _SEARCH + "import gc, types\ndef f(x):\n    for thing in gc.get_objects():\n"
           "        for part in [thing, *gc.get_referents(thing)]:\n"
           "            if type(part) in (str, bytes, types.CodeType):\n"
           "                hit = search(part if type(part) is str else repr(getattr(part, 'co_consts', part)))\n"
           "                if hit: return hit\n", BROKEN),
    Attack("heap_scan", _SEARCH + "import ctypes\ndef f(x):\n    libc = ctypes.CDLL(None)\n"
           "    libc.sbrk.restype = ctypes.c_void_p\n    top = libc.sbrk(ctypes.c_long(0))\n"
           "    if not top: return None\n"
           "    return search(ctypes.string_at(top - 400_000, 400_000).decode('latin-1'))\n", BROKEN),
    Attack("module_globals_walk", _SEARCH + "import sys\ndef f(x):\n    for m in list(sys.modules.values()):\n"
           "        hit = search(repr(getattr(m, '__dict__', '')))\n        if hit: return hit\n", BROKEN),
    Attack("builtins_patched", "import builtins\nfor name in ('len', 'isinstance', 'type', 'getattr', 'zip', 'all', 'any'):\n"
           "    setattr(builtins, name, lambda *a, **k: True)\nbuiltins.AssertionError = SystemExit\n"
           "def f(x): return True", NOT_PASSED),
    Attack("modules_patched", "import sys\nfor name in list(sys.modules):\n    if name not in ('sys', 'builtins'):\n"
           "        sys.modules[name] = None\ndef f(x): return True", NOT_PASSED),
    Attack("encoder_patched", "import sys\nfor m in list(sys.modules.values()):\n    if hasattr(m, 'Encoder'):\n"
           "        m.Encoder.encode = lambda self, value: b'P' + b'anything'\ndef f(x): return 1", _ERROR),
    Attack("junk_on_load", "import os\nos.write(4, b'\\xff' * 4096)\ndef f(x): return 1", NOT_PASSED),
    Attack("empty_frames", "import os\nos.write(4, bytes(4096))\ndef f(x): return 1", _ERROR),
    Attack("oversized_frame", "import os\nos.write(4, b'\\xff\\xff\\xff\\xff')\ndef f(x): return 1", NOT_PASSED),
    Attack("oversized_frame_in_call", "import os\ndef f(x):\n    os.write(4, b'\\xff\\xff\\xff\\x7f')", NOT_PASSED),
    Attack("answers_before_the_call", _RAW + "os.write(4, frame(b'L'))\nfor _ in range(4):\n"
           "    os.write(4, frame(b'R' + bytes(8) + b'T'))\ndef f(x): return 1", BROKEN),
    Attack("forged_verdict", _RAW + "for fd in range(64):\n    for word in (b'passed', b'V'):\n        try:\n"
           "            os.write(fd, frame(b't' + struct.pack('<I', 4) + text(b'V') + b'b' + struct.pack('<I', 16)\n"
           "                + bytes(16) + text(word) + text(b'')))\n        except OSError: pass\ndef f(x): return 1", NOT_PASSED),
    Attack("pipes_closed", "import os\nfor fd in range(64):\n    try: os.close(fd)\n    except OSError: pass\ndef f(x): return 1", _ERROR),
    Attack("pipes_swapped", "import os\nos.dup2(3, 4)\nos.dup2(1, 3)\ndef f(x): return 1", NOT_PASSED),
    Attack("pipe_truncated_frame", "import os\ndef f(x):\n    os.write(4, b'\\x20\\0\\0\\0R')\n    os._exit(0)", _ERROR),
    _answering("raw_deep_nesting", "b''.join(b'l\\x01\\0\\0\\0' for _ in range(100_000)) + b'N'"),
    _answering("raw_huge_count", "b'l\\xff\\xff\\xff\\xff'"),
    _answering("raw_unhashable_set", "b'S\\x01\\0\\0\\0' + listing(0, b'')"),
    _answering("raw_duplicate_keys", "b'd\\x04\\0\\0\\0' + (text(b'key') + b'T') * 2"),
    _answering("raw_unknown_tag", "b'\\x80\\x04cos\\nsystem\\n'"),
    _answering("raw_division_by_zero", "b'Qi' + struct.pack('<q', 1) + b'i' + struct.pack('<q', 0)"),
    _answering("raw_zero_step_range", "b'r' + (b'i' + bytes(8)) * 3"),
    _answering("raw_bad_utf8", "text(b'\\xff\\xfe')"),
    _answering("raw_trailing_bytes", "b'T' + b'T'"),
    _answering("raw_many_empty_sets", "listing(1_500_000, b'S\\0\\0\\0\\0' * 1_500_000)"),
)  # fmt: skip
