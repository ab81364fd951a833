"""`report.md`: the report as GitHub-flavoured Markdown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from phasegate.engine.runners.report.data import SYNTHETIC_TEXT
from phasegate.engine.runners.report.wording import (
    NOTHING,
    count,
    duration,
    duration_interval,
    p_value,
    percent,
    percent_interval,
    points,
    points_interval,
    verdict_name,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from phasegate.engine.runners.report.data import ReportData

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~$&])")


def report_markdown(data: ReportData) -> str:
    """The whole report as Markdown; text from outside is escaped, so it can start no markup."""
    return "\n".join(_lines(data)) + "\n"


def _lines(data: ReportData) -> Iterator[str]:
    mark = "[SYNTHETIC] " if data.synthetic else ""
    yield f"# {mark}Evaluation of {_text(data.model)} on {_text(data.suite)}"
    yield ""
    if data.synthetic:
        yield from ("> [!CAUTION]", f"> **{SYNTHETIC_TEXT}**", "")
    yield f"**{data.decision.level.value}**: {_text(data.decision.reason)}. {_source(data, 'success_level')}"
    yield ""
    yield f"The run ended in {_text(data.ended_in)}."
    yield from _bullets("Why", data.reasons)
    yield from _bullets("What to do next", data.remedies)
    yield from ("", f"## {mark}Figures", "")
    yield from _figures(data)
    yield from ("", f"## {mark}Latency", "", f"Of {_text(data.latency_of)}. {_source(data, 'latency')}", "")
    yield from _latency(data)
    yield from ("", f"## {mark}Verdicts", "", _source(data, "verdicts"), "")
    total = data.executed
    rows = [
        (verdict_name(name), count(number), percent(number / total))
        for name, number in data.verdicts().items()
        if number
    ]
    yield from _table(("verdict", "samples", "share"), rows)
    yield from ("", f"## {mark}Outcome by problem", "", _source(data, "outcomes"), "")
    yield from _table(("problem", "passed", "verdicts"), _outcome_rows(data))
    yield from ("", f"## {mark}Gates", "")
    yield from _table(
        ("axis", "threshold", "finding", "verified by", "evidence", "decision"),
        [(g.axis, g.threshold, g.finding, g.verified_by, g.evidence, g.decision) for g in data.gates],
    )
    yield from ("", f"## {mark}Provenance", "")
    yield from _table(("what", "value", "source"), _provenance(data))


def _figures(data: ReportData) -> Iterator[str]:
    rows = [
        (f"pass@{k}", percent(e.value), percent_interval(e), e.method, data.sources["pass_at"])
        for k, e in data.pass_at.items()
    ]
    rows += [
        (f"uplift of pass@{k}", points(e.value), points_interval(e), e.method, data.sources["uplift"])
        for k, e in data.uplift_pp.items()
    ]
    level = f"{100 * data.targets.confidence:g}% interval"
    yield from _table(("figure", "value", level, "method", "source"), rows)
    if data.progressive is not None:
        test = data.progressive
        yield ""
        yield (
            f"First sample against any of n: {test.gained} problems gained, {test.lost} lost, "
            f"{p_value(test.p_value)} ({_text(test.method)}). {_text(test.meaning).capitalize()}. "
            f"{_source(data, 'uplift')}"
        )


def _latency(data: ReportData) -> Iterator[str]:
    if data.latency is None:
        yield "Not measured."
        return
    rows = [(name, duration(e.value), duration_interval(e)) for name, e in data.latency.quantiles_ms.items()]
    yield from _table(("quantile", "value", f"{100 * data.targets.confidence:g}% interval"), rows)
    yield ""
    yield (
        f"{count(data.latency.count)} durations, mean {duration(data.latency.mean_ms)}, longest "
        f"{duration(data.latency.max_ms)}, {count(data.latency.outliers)} beyond 1.5 interquartile ranges."
    )


def _outcome_rows(data: ReportData) -> Iterator[tuple[str, str, str]]:
    for task_id, verdicts in data.outcomes.items():
        passed = sum(verdict == "passed" for verdict in verdicts)
        others = [name for name in dict.fromkeys(verdicts) if name != "passed"]
        named = ", ".join(f"{verdict_name(name)} {list(verdicts).count(name)}" for name in others)
        yield task_id, f"{passed} of {len(verdicts)}", named or NOTHING


def _provenance(data: ReportData) -> Iterator[tuple[str, str, str]]:
    given = ", ".join(data.isolation) or "none"
    missing = ", ".join(data.isolation_missing) or "nothing"
    rate = "not measured" if data.executions_per_s is None else f"{data.executions_per_s:.1f} per second"
    yield "task", f"{data.task}, run {data.run_id}", NOTHING
    yield "suite", f"{data.suite}, sha256 {data.suite_digest}", NOTHING
    yield "model", f"{data.model}, sha256 {data.model_digest}, seed {data.seed}", NOTHING
    yield "targets", f"sha256 {data.targets.digest()}", data.sources["targets"]
    yield (
        "executed",
        f"{count(data.executed)} programs in {data.elapsed_s:.1f} s, {rate}",
        data.sources["throughput"],
    )
    yield "isolation", f"{given}; not given: {missing}", data.sources["isolation"]
    yield (
        "ledger",
        f"{count(data.ledger_entries)} entries, head {data.ledger_head}, trust {data.trust}",
        NOTHING,
    )
    yield "report made", data.made_at, NOTHING


def _bullets(title: str, items: Sequence[str]) -> Iterator[str]:
    if items:
        yield from ("", f"{title}:", "")
        yield from (f"- {_text(item)}" for item in items)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(_text(cell) for cell in head) + " |"
    yield "|" + " --- |" * len(head)
    for row in rows:
        yield "| " + " | ".join(_text(cell) for cell in row) + " |"


def _source(data: ReportData, figure: str) -> str:
    return f"({_text(data.sources[figure])})"


def _text(value: str) -> str:
    """Text as itself: on one line, with every character that Markdown could take for markup escaped."""
    return _SPECIAL.sub(r"\\\1", " ".join(value.split()))
