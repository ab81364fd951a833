"""`report.html`: the report as one page that asks for nothing from anywhere.

The page carries a content security policy that forbids every request and every script, so that it is
self-contained by the browser's word and not by ours. All text from outside is escaped.
"""

from __future__ import annotations

import re
from functools import cache
from html import escape
from importlib import resources
from typing import TYPE_CHECKING

from phasegate.engine.runners.report.data import SYNTHETIC_TEXT
from phasegate.engine.runners.report.plots import (
    STRIP_MAX_CELLS,
    latency_histogram,
    outcome_strip,
    pass_at_k_plot,
    solved_histogram,
    verdict_class,
)
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
    from collections.abc import Iterable, Sequence

    from phasegate.engine.runners.report.data import ReportData

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_CODE = re.compile(r"`([^`]+)`")
_TONES = {"PRIMARY": "good", "FALLBACK": "fair", "UPLIFT": "fair", "FAILED": "bad"}


def report_html(data: ReportData) -> str:
    """The whole report as an HTML document."""
    mark = "[SYNTHETIC] " if data.synthetic else ""
    title = escape(f"{mark}{data.model} on {data.suite}")
    sections = (_head, _cards, _pass_at, _outcomes, _latency, _gates, _provenance)
    body = "\n".join(section(data) for section in sections)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>\n{_style()}</style>\n</head>\n<body>\n"
        f"{_banner(data)}<main>\n{body}\n</main>\n{_banner(data)}</body>\n</html>\n"
    )


@cache
def _style() -> str:
    return (resources.files(__package__) / "style.css").read_text(encoding="utf-8")


def _banner(data: ReportData) -> str:
    if not data.synthetic:
        return ""
    return f'<div class="synthetic" role="note"><span>{escape(SYNTHETIC_TEXT)}</span></div>\n'


def _head(data: ReportData) -> str:
    tone = _TONES[data.decision.level.value]
    reasons = _list("Why it ended there", data.reasons) + _list("What to do next", data.remedies)
    level = escape(data.decision.level.value) + (" (synthetic)" if data.synthetic else "")
    return (
        f'<p class="eyebrow">phasegate evaluation · task {escape(data.task)} · run {escape(data.run_id)}</p>'
        f"<h1>{escape(data.model)} on {escape(data.suite)}</h1>"
        f'<p class="soft">{count(len(data.outcomes))} problems, {_samples(data.samples)} each, seed '
        f"{data.seed}. Made {escape(data.made_at)}. Ranges are {_level(data)} intervals.</p>"
        f'<section class="verdict {tone}" aria-label="Success level"><div><div class="level">{level}</div>'
        f"{_source(data, 'success_level')}</div>"
        f"<div><p>{_prose(data.decision.reason)}</p>"
        f"<p>The run ended in <b>{escape(data.ended_in)}</b>.</p>{reasons}</div></section>"
    )


def _cards(data: ReportData) -> str:
    cards = [
        _card(f"pass@{k}", percent(e.value), percent_interval(e), _source(data, "pass_at"))
        for k, e in data.pass_at.items()
        if k in {1, max(data.pass_at)}
    ]
    if data.largest_uplift_k is not None:
        gain = data.uplift_pp[data.largest_uplift_k]
        name = f"uplift, k = {data.largest_uplift_k} over 1"
        cards.append(_card(name, points(gain.value), points_interval(gain), _source(data, "uplift")))
    if data.latency is not None:
        p95 = data.latency.quantiles_ms["p95"]
        cards.append(
            _card("p95 latency", duration(p95.value), duration_interval(p95), _source(data, "latency"))
        )
    rate = NOTHING if data.executions_per_s is None else f"{data.executions_per_s:.0f} per s"
    done = f"in {duration(1000 * data.elapsed_s)}, {rate}"
    cards.append(_card("programs executed", count(data.executed), done, _source(data, "throughput")))
    return f'<section class="cards" aria-label="Key figures">{"".join(cards)}</section>'


def _pass_at(data: ReportData) -> str:
    rows = [
        (f"pass@{k}", percent(e.value), percent_interval(e), e.method) for k, e in data.pass_at.items()
    ] + [
        (f"uplift of pass@{k}", points(e.value), points_interval(e), e.method)
        for k, e in data.uplift_pp.items()
    ]
    table = _table(("figure", "value", f"{_level(data)} interval", "method"), rows, numeric=(1, 2))
    test = ""
    if data.progressive is not None:
        found = data.progressive
        test = (
            f"<p>First sample against any of n: <b>{found.gained}</b> problems gained, "
            f"<b>{found.lost}</b> lost, {escape(p_value(found.p_value))} "
            f"({escape(found.method)}). {_source(data, 'uplift')}<br>"
            f'<span class="soft">{_prose(found.meaning)}</span></p>'
        )
    caption = (
        "<b>Pass@k.</b> Chance that at least one of k samples passes: unbiased estimate, with intervals. "
        f"Dashed: pre-registered targets of pass@1. {_source(data, 'pass_at')} {_source(data, 'targets')}"
    )
    chart = _figure(caption, pass_at_k_plot(data))
    scrolling = f"<div class='scroll'>{table}</div>"
    beside, below = scrolling, ""
    if data.samples > 1:
        solved = (
            "<b>Problems by samples passed.</b> At the left those that no sample solved, at the right those "
            f"that every sample solved. {_source(data, 'outcomes')}"
        )
        beside, below = _figure(solved, solved_histogram(data)), scrolling
    return f'<h2>Pass@k</h2><div class="pair">{chart}{beside}</div>{below}{test}'


def _outcomes(data: ReportData) -> str:
    total = data.executed
    present = {name: number for name, number in data.verdicts().items() if number}
    legend = "".join(
        f'<li><svg viewBox="0 0 13 13" aria-hidden="true"><rect width="13" height="13" rx="2" '
        f'class="{verdict_class(name)}"/></svg>{escape(verdict_name(name))} '
        f'<b>{count(number)}</b> <span class="soft">{percent(number / total)}</span></li>'
        for name, number in present.items()
    )
    drawn = STRIP_MAX_CELLS // max(1, data.samples)
    cut = (
        f" The first {count(drawn)} problems are drawn; the table has all."
        if len(data.outcomes) > drawn
        else ""
    )
    caption = (
        "<b>Outcome by problem.</b> A column is a problem, in suite order; a row is a sample. Point at a "
        f"cell for its name.{cut} {_source(data, 'outcomes')} {_source(data, 'verdicts')}"
    )
    rows = [_outcome_row(task_id, verdicts) for task_id, verdicts in data.outcomes.items()]
    table = _table(("problem", "passed", "samples", "other verdicts"), rows, numeric=(1, 2))
    strip = _figure(
        caption, outcome_strip(data), f'<ul class="legend">{legend}</ul>' + _details("Every problem", table)
    )
    return f"<h2>Outcome by problem</h2>{strip}"


def _outcome_row(task_id: str, verdicts: Sequence[str]) -> tuple[str, str, str, str]:
    others = [name for name in dict.fromkeys(verdicts) if name != "passed"]
    named = ", ".join(f"{verdict_name(name)} {list(verdicts).count(name)}" for name in others)
    return task_id, str(list(verdicts).count("passed")), str(len(verdicts)), named or NOTHING


def _latency(data: ReportData) -> str:
    if data.latency is None:
        return "<h2>Latency</h2><p>Not measured in this run.</p>"
    rows = [
        (n, duration(e.value), duration_interval(e), e.method) for n, e in data.latency.quantiles_ms.items()
    ]
    table = _table(("quantile", "value", f"{_level(data)} interval", "method"), rows, numeric=(1, 2))
    caption = (
        f"<b>Latency</b> of {escape(data.latency_of)}: {count(data.latency.count)} durations, mean "
        f"{duration(data.latency.mean_ms)}, longest {duration(data.latency.max_ms)}, "
        f"{count(data.latency.outliers)} beyond 1.5 interquartile ranges. {_source(data, 'latency')}"
    )
    return f"<h2>Latency</h2>{_figure(caption, latency_histogram(data))}<div class='scroll'>{table}</div>"


def _gates(data: ReportData) -> str:
    if not data.gates:
        return "<h2>Gates</h2><p>No gate was evaluated.</p>"
    head = "".join(f"<th scope='col'>{name}</th>" for name in ("axis", "threshold", "finding", "verified by"))
    rows = "".join(
        f"<tr><th scope='row'>{escape(g.axis)}</th><td>{escape(g.threshold)}</td><td>{escape(g.finding)}</td>"
        f'<td>{escape(g.verified_by)}</td><td><span class="source">{escape(g.evidence)}</span></td>'
        f'<td class="decision d-{escape(g.decision)}">{escape(verdict_name(g.decision))}</td></tr>'
        for g in data.gates
    )
    return (
        "<h2>Gates</h2><div class='scroll'><table class='gates'><thead><tr>"
        f"{head}<th scope='col'>evidence</th><th scope='col'>decision</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
    )


def _provenance(data: ReportData) -> str:
    given = ", ".join(data.isolation) or "none"
    missing = ", ".join(data.isolation_missing) or "nothing"
    facts = [
        ("suite", f"{escape(data.suite)} <code>{escape(data.suite_digest)}</code>", ""),
        ("model", f"{escape(data.model)} <code>{escape(data.model_digest)}</code>", ""),
        ("targets", f"<code>{data.targets.digest()}</code>", _source(data, "targets")),
        (
            "isolation",
            f"{escape(given)}<br><span class='soft'>not given: {escape(missing)}</span>",
            _source(data, "isolation"),
        ),
        ("ledger head", f"<code>{escape(data.ledger_head)}</code>", ""),
        ("ledger", f"{count(data.ledger_entries)} entries, trust: {escape(data.trust)}", ""),
    ]
    rows = "".join(f"<tr><th scope='row'>{n}</th><td>{v}</td><td>{s}</td></tr>" for n, v, s in facts)
    return (
        f"<h2>Provenance</h2><div class='scroll'><table><tbody>{rows}</tbody></table></div>"
        "<footer>Each figure names the ledger entry it was taken from, as "
        "<span class='source'>ledger#sequence:hash</span>. <code>engine ledger show</code> prints the entry "
        "and <code>engine ledger verify</code> checks that none was changed.</footer>"
    )


def _card(name: str, value: str, detail: str, source: str) -> str:
    return (
        f'<div class="card"><div class="name">{escape(name)}</div><div class="big">{escape(value)}</div>'
        f'<div class="range">{escape(detail)}</div>{source}</div>'
    )


def _figure(caption: str, drawing: str, after: str = "") -> str:
    return f'<figure><figcaption>{caption}</figcaption><div class="scroll">{drawing}</div>{after}</figure>'


def _details(title: str, inside: str) -> str:
    return f'<details><summary>{escape(title)}</summary><div class="scroll">{inside}</div></details>'


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], *, numeric: Sequence[int]) -> str:
    css = [' class="num"' if index in numeric else "" for index in range(len(head))]
    top = "".join(
        f"<th scope='col'{style}>{escape(name)}</th>" for name, style in zip(head, css, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(f"<td{style}>{escape(cell)}</td>" for cell, style in zip(row, css, strict=True))
        + "</tr>"
        for row in rows
    )
    return f"<table class='figures'><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _list(title: str, items: Sequence[str]) -> str:
    if not items:
        return ""
    return f"<p>{escape(title)}:</p><ul>{''.join(f'<li>{_prose(item)}</li>' for item in items)}</ul>"


def _source(data: ReportData, figure: str) -> str:
    return f'<span class="source" title="ledger entry of this figure">{escape(data.sources[figure])}</span>'


def _samples(number: int) -> str:
    return f"{count(number)} sample{'' if number == 1 else 's'}"


def _level(data: ReportData) -> str:
    return f"{100 * data.targets.confidence:g}%"


def _prose(text: str) -> str:
    """A sentence, escaped, with what stands in backticks set as code."""
    sentence = f"{text[:1].upper()}{text[1:].rstrip('.')}."
    return _CODE.sub(r"<code>\1</code>", escape(sentence))
