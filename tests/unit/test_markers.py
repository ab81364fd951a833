"""Marks of unfinished work are found in production code, and only there."""

from __future__ import annotations

import textwrap

import pytest

from phasegate.engine.app.audit.markers import FILE_BYTES_MAX, MarkerRules, marker_findings

RULES = MarkerRules()


def look(path: str, text: str, rules: MarkerRules = RULES) -> list[tuple[str, str]]:
    """Code and place of what is found in one file."""
    content = textwrap.dedent(text).encode()
    return [(finding.code, finding.place) for finding in marker_findings({path: content}, rules)]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("def f():\n    pass\n", 1),
        ("def f():\n    ...\n", 1),
        ("x = 1\n\n\nasync def f():\n    raise NotImplementedError\n", 4),
        ("def f():\n    raise NotImplementedError('later')\n", 1),
        ('def f():\n    """Does it."""\n    pass\n', 1),
        ("def f():\n    pass\n    ...\n", 1),
        ("class A:\n    def f(self):\n        ...\n", 2),
        ("class P(Protocol):\n    class Q:\n        def f(self):\n            ...\n", 3),
    ],
)
def test_a_function_that_does_nothing_is_a_stub(text: str, line: int) -> None:
    assert look("src/a.py", text) == [("markers.stub", f"src/a.py:{line}")]


@pytest.mark.parametrize(
    "text",
    [
        "def f():\n    return None\n",
        'def f():\n    """Only said."""\n',
        "def f():\n    for _ in ():\n        pass\n",
        "try:\n    f()\nexcept ValueError:\n    pass\n",
        "class A(Exception):\n    pass\n",
        "class A(Protocol):\n    def f(self): ...\n",
        "class A(typing.Protocol[T]):\n    def f(self): ...\n",
        "class A(ABC):\n    @abc.abstractmethod\n    def f(self):\n        raise NotImplementedError\n",
        "@overload\ndef f(a): ...\ndef f(a):\n    return a\n",
        "def f():\n    if x:\n        raise NotImplementedError\n    return 1\n",
        "TODO = 1\nx = 'TODO: not a comment'\n",
        "# a mastodon, TODOS, XXXL\n",
    ],
)
def test_what_does_something_is_none(text: str) -> None:
    assert look("src/a.py", text) == []


@pytest.mark.parametrize("word", ["TODO", "FIXME", "XXX", "HACK"])
def test_a_marked_comment_is_found_in_python(word: str) -> None:
    assert look("src/a.py", f"x = 1  # {word}: mend\n") == [("markers.word", "src/a.py:1")]


def test_marks_come_in_the_order_of_lines() -> None:
    text = "def f():\n    pass\n\n\n# TODO one\ndef g():\n    ...\n"

    assert [place for _, place in look("a.py", text)] == ["a.py:1", "a.py:5", "a.py:6"]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("src/a.rs", "fn f() { todo!() }\n"),
        ("src/a.rs", 'fn f() { unimplemented!("x") }\n'),
        ("src/a.ts", "throw new Error('Not implemented');\n"),
        ("src/A.cs", "throw new NotImplementedException();\n"),
        ("src/a.go", 'panic("not implemented")\n'),
    ],
)
def test_the_spellings_of_other_languages_are_found(path: str, text: str) -> None:
    assert look(path, text) == [("markers.stub", f"{path}:1")]


def test_words_are_found_wherever_they_stand_in_other_languages() -> None:
    assert look("src/a.go", "package a\n// FIXME later\n") == [("markers.word", "src/a.go:2")]


@pytest.mark.parametrize(
    "path",
    ["tests/a.py", "pkg/tests/deep/a.py", "test_a.py", "src/a_test.go", "a.test.ts", "docs/a.py",
     "vendor/x/a.go", "README.md", "data.json"],
)  # fmt: skip
def test_tests_documents_and_foreign_code_are_left_out(path: str) -> None:
    assert look(path, "# TODO\n// TODO\n") == []


def test_rules_can_be_other_ones() -> None:
    rules = MarkerRules(words=("LATER",), sources=("lib/**",), excluded=("lib/gen/**",), stubs=False)

    assert look("lib/a.py", "# LATER\n# TODO\ndef f():\n    pass\n", rules) == [
        ("markers.word", "lib/a.py:1")
    ]
    assert look("lib/gen/a.py", "# LATER\n", rules) == []
    assert look("src/a.py", "# LATER\n", rules) == []


@pytest.mark.parametrize("content", [b"def f(:\n", b"\x00", b"# coding: no-such\n", b"(" * 5_000])
def test_python_that_cannot_be_read_is_not_evaluated(content: bytes) -> None:
    (finding,) = marker_findings({"a.py": content}, RULES)

    assert (finding.code, finding.severity) == ("markers.not_evaluated", "not_evaluated")


def test_a_file_without_end_is_not_evaluated() -> None:
    (finding,) = marker_findings({"a.go": b"x" * (FILE_BYTES_MAX + 1)}, RULES)

    assert finding.code == "markers.not_evaluated"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("bin/run", "#!/bin/sh\n# TODO mend\n"),
        ("bin/run", "#!/usr/bin/env python3\n# FIXME mend\n"),
        ("Makefile", "all:\n\tmake x # TODO\n"),
        ("deploy/app.yaml", "name: app\nowner: x  # TODO who\n"),
        ("deploy/app.yml", "name: app\ndescription: TODO\n"),
        ("Dockerfile", "FROM x\n# TODO: pin\n"),
        ("a.py", "x = 1\n# todo: mend\n"),
        ("a.py", "x = 1\ny = 2  # Todo(ann): mend\n"),
        ("a.py", "x = 1\n# fixme\n"),
        ("a.py", '"""Does it.\nTODO: mend\n"""\n'),
        ("a.py", 'def f():\n    """TODO: say."""\n    return 1\n'),
        ("a.py", '"""Does it.\n.. todo:: mend\n"""\n'),
        ("a.js", "x\n// todo: mend\n"),
        ("a.js", "x\n/* fixme */\n"),
        ("a.php", "x\n * @todo mend\n"),
        ("a.sql", "x;\n-- todo: mend\n"),
        ("a.sh", "x\n  # hack: mend\n"),
    ],
)
def test_a_mark_is_found_in_scripts_settings_docstrings_and_in_any_case(path: str, text: str) -> None:
    assert look(path, text) == [("markers.word", f"{path}:2")]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("LICENSE", "TODO\n"),
        ("data", "\x7fELF TODO\n"),
        ("notes.txt", "#!/bin/sh\n# TODO\n"),
        ("tests/run", "#!/bin/sh\n# TODO\n"),
        ("a.yaml", "title: TODO lists are sorted\nwords: [TODO, FIXME]\ntodo: 1\nurl: 'x#todo:1'\n"),
        ("a.py", "# the todo list is shown: first\ntodo = 1\n"),
        ("a.py", '"""Shows a todo list.\n\nThe words TODO and FIXME are looked for.\n"""\n'),
        ("a.py", "f('# todo: no comment')\n"),
        ("a.js", "fetch('http://todo:80')\nconst todo = a * todo(b)\n$('#todo:hover')\n"),
        ("a.go", "for i := todo; i--; todo(x) {}\n"),
    ],
)
def test_what_only_looks_like_a_mark_is_none(path: str, text: str) -> None:
    assert look(path, text) == []


def test_scripts_are_left_out_on_demand() -> None:
    assert look("bin/run", "#!/bin/sh\n# TODO\n", MarkerRules(scripts=False)) == []


def test_a_script_of_python_is_read_as_python() -> None:
    assert look("bin/run", "#!/usr/bin/python3\nx = 'TODO'\ndef f():\n    pass\n") == [
        ("markers.stub", "bin/run:3")
    ]
