"""Whether the lines read of a patch make the file that stands after it."""

from __future__ import annotations

import difflib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phasegate.validators.patch_lines import misplaced
from phasegate.validators.patch_reader import parse_patch

_LINES = st.lists(st.sampled_from(["a", "b", "", "c\r", "\u2028d", "e\x0cf"]), max_size=8)


def _patch(old: list[str], new: list[str]) -> bytes:
    """A patch by another algorithm than git's, which is as good."""
    ended = [[f"{line}\n" for line in lines] for lines in (old, new)]
    return "".join(difflib.unified_diff(*ended, "a/f", "b/f", n=1)).encode()


def _content(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


@given(old=_LINES, new=_LINES)
def test_a_patch_makes_the_file_whatever_algorithm_wrote_it(old: list[str], new: list[str]) -> None:
    files = parse_patch(_patch(old, new)).files

    assert misplaced(files, {"f": _content(old)}, {"f": _content(new)}) == ()


@given(old=_LINES, new=_LINES, other=_LINES)
def test_a_file_of_other_lines_is_told(old: list[str], new: list[str], other: list[str]) -> None:
    files = parse_patch(_patch(old, new)).files

    found = misplaced(files, {"f": _content(old)}, {"f": _content(other)})
    assert found == (("f",) if files and new != other else ())


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        (b"diff --git a/f b/f\nold mode 100644\nnew mode 100755\n", ()),
        (b"diff --git a/f b/f\ndeleted file mode 100644\n--- a/f\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n", ()),
        (
            (
                b"diff --git a/f b/f\ndeleted file mode 100644\n--- a/f\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n"
                b"diff --git a/f b/f\nnew file mode 120000\n--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+a\n"
            ),
            (),
        ),
        (
            b"--- a/f\n+++ b/f\n@@ -1 +1,2 @@\n a\n+b\n--- a/f\n+++ b/f\n@@ -1,2 +1,3 @@\n+c\n a\n b\n",
            ("f",),
        ),
    ],
    ids=["mode", "deleted", "type", "twice"],
)
def test_modes_deletions_and_types_are_no_matter_and_a_file_told_twice_is(
    patch: bytes, expected: tuple[str, ...]
) -> None:
    files = parse_patch(patch).files

    assert files
    assert misplaced(files, {"f": b"a\n"}, {"f": b"a\n"}) == expected
