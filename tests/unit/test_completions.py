"""What is run for a completion: each shape a model answers in, and nothing repaired."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from phasegate.engine.runners.completions import COMPLETION_MAX_CHARS, assemble
from phasegate.engine.runners.suites import Problem, load_suite

PROMPT = (
    "from typing import List\n\n\n"
    "def base() -> int:\n    return 40\n\n\n"
    'def total(numbers: List[int]) -> int:\n    """Sum of base and numbers."""\n'
)
BODY = "    return base() + sum(numbers)\n"
WHOLE = f"def total(numbers: List[int]) -> int:\n{BODY}"
STUB = 'def total(numbers):\n    """Sum."""\n    ...\n'
RECORDINGS = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def problem(prompt=PROMPT):
    return Problem("Own/0", prompt, "total", "def check(candidate):\n    pass\n")


def total_of(source):
    names = {}
    exec(compile(source, "<assembled>", "exec"), names)  # noqa: S102 - the sources above
    return names["total"]([1, 1])


def fenced(code, info="python", mark="```"):
    return f"{mark}{info}\n{code}{mark}\n"


TALK = "Here is the function you asked for:\n\n"

WORKING = {
    "continuation": BODY,
    "continuation_with_helper_after": "    return base() + extra(numbers)\n\n\ndef extra(n):\n    return sum(n)\n",
    "header": WHOLE,
    "header_and_import": f"from typing import List\n\n{WHOLE}",
    "header_and_future_import": f"from __future__ import annotations\n\n{WHOLE}",
    "docstring_then_future_import": f'"""Mine."""\nfrom __future__ import annotations; x = 1\n\n{WHOLE}',
    "header_with_helper": f"def extra(n):\n    return sum(n)\n\n\n{WHOLE.replace('sum(numbers)', 'extra(numbers)')}",
    "whole_prompt": PROMPT + BODY,
    "lambda": "total = lambda numbers: base() + sum(numbers)\n",
    "leading_newline": f"\n{BODY}",
    "fenced_continuation": TALK + fenced(BODY),
    "fenced_header": TALK + fenced(WHOLE) + "\nIt adds them up.\n",
    "fenced_header_and_future_import": fenced(f"from __future__ import annotations\n{WHOLE}"),
    "fenced_whole_prompt": fenced(PROMPT + BODY),
    "fenced_without_info": fenced(WHOLE, info=""),
    "fenced_in_capitals": fenced(WHOLE, info="Python"),
    "fenced_with_attributes": fenced(WHOLE, info="python title=answer.py"),
    "fenced_by_tildes": fenced(WHOLE, mark="~~~"),
    "fenced_long": fenced(WHOLE, mark="`````"),
    "fenced_in_a_list": "1. Write it:\n" + "".join(f"   {x}\n" for x in fenced(WHOLE).splitlines()),
    "fenced_with_crlf": fenced(WHOLE).replace("\n", "\r\n"),
    "fence_never_closed": f"{TALK}```python\n{WHOLE}",
    "closing_fence_only": f"{BODY}```\n\nThat is all.",
    "usage_after": fenced(WHOLE) + "Use it so:\n" + fenced("print(total([1]))\n"),
    "usage_before": fenced("total([1])\n") + "with\n" + fenced(WHOLE),
    "install_before": fenced("pip install nothing\n", info="bash") + fenced(WHOLE),
    "prompt_restated_first": "You gave:\n" + fenced(STUB) + "The answer:\n" + fenced(WHOLE),
    "answer_then_alternative": fenced(WHOLE) + "or, wrongly\n" + fenced("def total(n):\n    return 0\n"),
    "continuation_after_output_block": fenced("42\n", info="text") + fenced(BODY),
}


@pytest.mark.parametrize("completion", WORKING.values(), ids=WORKING.keys())
def test_given_a_completion_in_any_shape_when_assembled_then_the_program_works(completion):
    assert total_of(assemble(problem(), completion)) == 42


@pytest.mark.parametrize(
    "prompt",
    [
        PROMPT.rstrip("\n"),
        PROMPT + "    ",
        "def base() -> int:\n    return 40\n\n\ndef total(numbers):\n",
        "import functools\nbase = lambda: 40\n\n@functools.cache\ndef total(numbers):\n",
        "def base() -> int:\n    return 40\n\n# Write `total`, which adds base and numbers.",
    ],
    ids=["no_newline", "trailing_indent", "no_docstring", "decorated", "no_head"],
)
def test_given_a_prompt_that_cannot_be_run_by_itself_when_the_header_is_repeated_then_it_works(prompt):
    completion = "def total(numbers):\n    return base() + sum(numbers)\n"
    assert total_of(assemble(problem(prompt), completion)) == 42


@pytest.mark.parametrize(
    "completion",
    [
        BODY,
        WHOLE,
        "    return base(\n",
        "return base() + sum(numbers)\n",
        "    s = '''\n```python\n    pass\n```\n'''\n    return base() + sum(numbers)\n",
        "Sure! def total(numbers): return 42",
        "",
        "\x00",
        "\ud800",
        "(" * 5000,
        "    return base() + sum(numbers)\n\n\nassert total(",
        "    return 1\n\nfrom __future__ import annotations\n",
    ],
)
def test_given_no_fence_and_no_module_of_its_own_when_assembled_then_it_is_prompt_plus_completion(completion):
    assert assemble(problem(), completion) == PROMPT + completion


def test_given_an_oversized_completion_when_assembled_then_it_is_not_looked_into():
    completion = fenced(WHOLE) + " " * COMPLETION_MAX_CHARS
    assert assemble(problem(), completion) == PROMPT + completion


def test_given_a_future_import_when_assembled_then_line_numbers_of_the_code_stay():
    code = f"from __future__ import (\n    annotations,\n)\n{WHOLE}"
    source = assemble(problem(), code)
    assert source.splitlines()[0] == "from __future__ import annotations"
    assert source.endswith(f"pass\n\n\n{WHOLE}")


def test_given_strange_escapes_when_assembled_then_no_warning_of_theirs_is_ours():
    assert assemble(problem(), "def total(n):\n    return '\\d'\n").startswith(PROMPT)


@pytest.mark.parametrize(
    "recording",
    [
        "humaneval_codegen16b_n20.jsonl.gz",
        "humaneval_gpt-3.5.jsonl.gz",
        "humaneval_claude-1.jsonl.gz",
        "humaneval_wizardlm-30b.jsonl.gz",
    ],
)
def test_given_real_unfenced_recordings_when_assembled_then_each_is_what_the_humaneval_harness_runs(
    recording,
):
    path = RECORDINGS / recording
    if not path.exists():
        pytest.skip(f"the recording {recording} is not beside the repository")
    problems = {each.task_id: each for each in load_suite("humaneval").problems}
    with gzip.open(path, "rt") as rows:
        for row in map(json.loads, rows):
            one = problems[row["task_id"]]
            assert assemble(one, row["completion"]) == one.prompt + row["completion"]
