"""The report: every figure names its entry, a synthetic run cannot be taken for another, nothing escapes."""

from __future__ import annotations

import dataclasses
import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest

from phasegate.engine.runners.errors import ReportError
from phasegate.engine.runners.report import (
    FIGURES,
    VERDICTS,
    GateRow,
    ReportData,
    render_report,
    write_report,
)
from phasegate.engine.runners.report.plots import (
    STRIP_MAX_CELLS,
    latency_histogram,
    outcome_strip,
    pass_at_k_plot,
    solved_histogram,
)
from phasegate.engine.runners.report.wording import NOTHING, duration, p_value
from phasegate.engine.runners.statistics import summarise
from phasegate.engine.runners.targets import load_targets

pytest.importorskip("numpy")

TARGETS = load_targets()
SOURCES = {name: f"ledger#{100 + index}:{index:08x}" for index, name in enumerate(FIGURES)}
VOID = {"meta", "br", "rect", "line", "circle", "path"}
HOSTILE = "<script>alert(1)</script>\"'&|`*[x](http://evil.example)\n# no"


def outcomes(problems=6, samples=4):
    names = [*VERDICTS, "passed", "passed"]
    return {
        f"Own/{index}": [names[(index * samples + sample) % len(names)] for sample in range(samples)]
        for index in range(problems)
    }


def report_data(*, verdicts=None, ks=(1, 2, 4), **fields):
    verdicts = verdicts or outcomes()
    passes = {task_id: [each == "passed" for each in row] for task_id, row in verdicts.items()}
    summary = summarise(passes, ks, TARGETS, seed=0)
    given = {
        "task": "EVAL-1",
        "run_id": "run-1",
        "suite": "own",
        "suite_digest": "a" * 64,
        "model": "replay:rec.jsonl",
        "model_digest": "b" * 64,
        "synthetic": False,
        "seed": 7,
        "samples": max(ks),
        "pass_at": summary.pass_at,
        "uplift_pp": summary.uplift_pp,
        "progressive": summary.progressive,
        "decision": summary.decision,
        "outcomes": verdicts,
        "latencies_ms": [3.5 + index for index in range(23)] + [3000.0],
        "elapsed_s": 2.0,
        "isolation": ["no network", "limits"],
        "ledger_head": "c" * 64,
        "ledger_entries": 1234,
        "trust": "embedded",
        "targets": TARGETS,
        "sources": SOURCES,
        "gates": [
            GateRow("success level", "not FAILED", "PRIMARY", "statistics", "ledger#102:00000002", "pass")
        ],
        "ended_in": "REVIEW",
        "made_at": "2026-01-05T10:00:00Z",
        "reasons": ["the reason"],
        "remedies": ["run `engine advance`"],
    }
    return ReportData(**{**given, **fields})


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.text = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *attr) for attr in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *attr) for attr in attrs]

    def handle_endtag(self, tag):
        if tag in VOID and (not self.open or self.open[-1] != tag):
            return
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def rendered(data):
    files = render_report(data)
    return json.loads(files["report.json"]), files["report.md"].decode(), files["report.html"].decode()


@pytest.mark.parametrize("figure", FIGURES)
def test_given_a_figure_without_its_ledger_entry_when_reported_then_the_report_is_refused(figure):
    lacking = {name: source for name, source in SOURCES.items() if name != figure}
    with pytest.raises(ReportError, match=f"figure `{figure}` names no ledger entry"):
        report_data(sources=lacking)


def test_given_no_outcomes_or_no_pass_at_1_when_reported_then_the_report_is_refused():
    data = report_data()
    fields = {each.name: getattr(data, each.name) for each in dataclasses.fields(data) if each.init}
    with pytest.raises(ReportError):
        ReportData(**{**fields, "outcomes": {}})
    with pytest.raises(ReportError):
        ReportData(**{**fields, "pass_at": {}})


def test_given_a_run_when_reported_then_every_figure_names_its_entry_in_all_three_forms():
    document, markdown, page = rendered(report_data())
    assert {name: figure["source"] for name, figure in document["figures"].items()} == SOURCES
    for source in SOURCES.values():
        assert source.replace("#", "\\#") in markdown
        assert source in page


def test_given_a_run_when_reported_as_json_then_the_figures_are_the_figures():
    data = report_data()
    document, _, _ = rendered(data)
    figures = {name: figure["value"] for name, figure in document["figures"].items()}
    assert figures["pass_at"]["1"]["value"] == data.pass_at[1].value
    assert figures["uplift"]["pp"]["4"]["low"] == data.uplift_pp[4].low
    assert sum(figures["verdicts"].values()) == figures["throughput"]["executed"] == 24
    assert figures["outcomes"]["Own/0"] == data.outcomes["Own/0"]
    assert figures["latency"]["summary"]["p95_ms"]["value"] == data.latency.quantiles_ms["p95"].value
    assert figures["throughput"]["executions_per_s"] == 12
    assert figures["targets"]["digest"] == TARGETS.digest()
    assert document["ledger"] == {"head": "c" * 64, "entries": 1234, "trust": "embedded"}


def test_given_a_synthetic_run_when_reported_then_no_form_and_no_picture_can_be_taken_for_a_model():
    data = report_data(synthetic=True, model="stub:0.55")
    document, markdown, page = rendered(data)
    assert document["synthetic"] is True
    assert document["notice"].startswith("SYNTHETIC")
    headings = [line for line in markdown.splitlines() if line.startswith("#")]
    assert all("[SYNTHETIC]" in heading for heading in headings)
    assert "> [!CAUTION]" in markdown
    assert "<title>[SYNTHETIC]" in page
    assert page.count('class="synthetic"') == 2
    for plot in (pass_at_k_plot, outcome_strip, solved_histogram, latency_histogram):
        assert ">SYNTHETIC</text>" in plot(data)


def test_given_a_real_run_when_reported_then_nothing_says_synthetic():
    document, markdown, page = rendered(report_data())
    assert document["notice"] is None
    assert "SYNTHETIC" not in markdown
    assert "SYNTHETIC" not in page


def test_given_the_page_when_parsed_then_it_is_well_formed_and_asks_for_nothing():
    page = rendered(report_data(synthetic=True))[2]
    parsed = Page(page)
    assert parsed.open == []
    assert not {"script", "link", "img", "iframe", "object", "embed", "use", "image", "a"} & set(parsed.tags)
    assert not [
        attr for attr in parsed.attributes if attr[1] in {"src", "href", "srcset", "xlink:href", "action"}
    ]
    assert not [attr for attr in parsed.attributes if attr[1].startswith("on")]
    assert not re.search(r"url\(|@import|https?:", page)
    assert ("meta", "content", "default-src 'none'; style-src 'unsafe-inline'") in parsed.attributes
    identifiers = [value for _, name, value in parsed.attributes if name == "id"]
    assert len(identifiers) == len(set(identifiers)) == 8


def test_given_hostile_names_when_reported_then_they_stay_text():
    hostile_gate = GateRow(*[HOSTILE] * 5, "fail")
    data = report_data(
        **dict.fromkeys(
            ("task", "run_id", "suite", "model", "suite_digest", "ledger_head", "trust"), HOSTILE
        ),
        **dict.fromkeys(("model_digest", "ended_in", "made_at", "latency_of"), HOSTILE),
        **dict.fromkeys(("isolation", "isolation_missing", "reasons", "remedies"), (HOSTILE,)),
        sources=dict.fromkeys(FIGURES, HOSTILE),
        gates=[hostile_gate],
        verdicts={HOSTILE: ["passed", HOSTILE, "failed", "error"]},
    )
    document, markdown, page = rendered(data)
    parsed = Page(page)
    assert parsed.open == []
    assert not {"script", "a"} & set(parsed.tags)
    assert not [attr for attr in parsed.attributes if attr[1].startswith(("on", "href"))]
    assert any("<script>alert(1)</script>" in text for text in parsed.text)
    assert document["model"]["name"] == HOSTILE
    assert not re.search(
        r"(?<!\\)[<`*\[]",
        markdown.replace("> [!CAUTION]", "")
        .replace("**FALLBACK**", "")
        .replace("**UPLIFT**", "")
        .replace("**PRIMARY**", "")
        .replace("**FAILED**", "")
        .replace("p < ", ""),
    )
    assert "\n# no" not in markdown


def test_given_hostile_names_when_tabled_in_markdown_then_every_row_keeps_its_columns():
    data = report_data(gates=[GateRow(*[HOSTILE] * 5, "fail")])
    rows = [line for line in rendered(data)[1].splitlines() if line.startswith("|")]
    widths = [len(re.findall(r"(?<!\\)\|", row)) for row in rows]
    assert set(widths) <= {4, 6, 7}
    assert max(widths) == 7


@pytest.mark.parametrize("samples", [1, 4, 16])
@pytest.mark.parametrize("problems", [1, 41, 164])
def test_given_any_shape_of_run_when_the_strip_is_drawn_then_every_sample_has_one_named_cell_inside(
    problems, samples
):
    data = report_data(verdicts=outcomes(problems, samples), ks=(1,), samples=samples)
    drawing = ET.fromstring(outcome_strip(data))  # noqa: S314 - our own output
    width, height = (float(part) for part in drawing.get("viewBox").split()[2:])
    cells = [each for each in drawing.iter("rect") if each.get("class", "").startswith("cell")]
    assert len(cells) == problems * samples
    assert len({(cell.get("x"), cell.get("y")) for cell in cells}) == problems * samples
    for cell in cells:
        assert float(cell.get("x")) + float(cell.get("width")) <= width
        assert float(cell.get("y")) + float(cell.get("height")) <= height
    assert cells[0].find("title").text == "Own/0, sample 1: passed"


def test_given_a_huge_run_when_drawn_then_the_strip_is_cut_and_says_so_while_the_table_has_all():
    data = report_data(verdicts=outcomes(STRIP_MAX_CELLS + 5, 1), ks=(1,))
    page = rendered(data)[2]
    assert page.count('class="cell ') == STRIP_MAX_CELLS
    assert "The first 20,000 problems are drawn" in page
    assert f"Own/{STRIP_MAX_CELLS + 4}</td>" in page


def test_given_each_verdict_when_drawn_then_each_has_a_colour_of_its_own():
    style = rendered(report_data())[2]
    colours = [re.search(rf"\.v-{verdict} {{ fill: var\((--\w+)\)", style)[1] for verdict in VERDICTS]
    assert len(set(colours)) == len(VERDICTS)
    light = [re.search(rf"{colour}: (#\w+)", style)[1] for colour in colours]
    assert len(set(light)) == len(VERDICTS)


@pytest.mark.parametrize(
    "latencies", [[5.0], [0.0], [0.0, 0.0, 7.0], [5.0] * 40, [1.0, 1e6], [9.0, 11.0, 12.5]]
)
def test_given_any_durations_when_the_histogram_is_drawn_then_every_one_is_in_a_bar_inside(latencies):
    data = report_data(latencies_ms=latencies)
    drawing = ET.fromstring(latency_histogram(data))  # noqa: S314 - our own output
    width = float(drawing.get("viewBox").split()[2])
    bars = [each for each in drawing.iter("rect") if each.get("class") == "bar"]
    assert sum(int(bar.find("title").text.split()[0].replace(",", "")) for bar in bars) == len(latencies)
    assert all(0 <= float(bar.get("x")) <= width for bar in bars)


def test_given_no_latencies_when_reported_then_every_form_says_so():
    document, markdown, page = rendered(report_data(latencies_ms=[], elapsed_s=0.0))
    assert document["figures"]["latency"]["value"]["summary"] is None
    assert document["figures"]["throughput"]["value"]["executions_per_s"] is None
    assert "Not measured." in markdown
    assert "Not measured in this run." in page


def test_given_one_sample_when_reported_then_there_is_no_uplift_anywhere():
    document, markdown, page = rendered(report_data(verdicts=outcomes(9, 1), ks=(1,)))
    assert document["figures"]["uplift"]["value"]["pp"] == {}
    assert "uplift of" not in markdown
    assert "uplift of" not in page
    assert "1 sample each" in page


def test_given_pictures_when_read_by_those_who_cannot_see_then_title_and_description_give_the_figures():
    drawing = ET.fromstring(pass_at_k_plot(report_data()))  # noqa: S314 - our own output
    names = drawing.get("aria-labelledby").split()
    assert drawing.get("role") == "img"
    assert [each.get("id") for each in drawing if each.tag in {"title", "desc"}] == names
    assert "pass@1 " in drawing.find("desc").text


def test_given_a_report_when_written_twice_then_the_files_are_complete_and_the_same(tmp_path):
    data = report_data()
    paths = write_report(data, tmp_path / "deep" / "report")
    before = {name: path.read_bytes() for name, path in paths.items()}
    assert before == render_report(data)
    write_report(data, tmp_path / "deep" / "report")
    assert {path.name for path in (tmp_path / "deep" / "report").iterdir()} == set(before)
    assert {name: path.read_bytes() for name, path in paths.items()} == before


def test_given_a_folder_that_cannot_be_made_when_written_then_it_is_a_clear_refusal(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ReportError, match="cannot write the report"):
        write_report(report_data(), tmp_path / "file" / "report")


def test_given_figures_when_worded_then_they_read_as_people_write_them():
    assert [duration(ms) for ms in (None, 0.5, 42.25, 523.4, 3010.0)] == [
        NOTHING,
        "0.50 ms",
        "42.2 ms",
        "523 ms",
        "3.01 s",
    ]
    assert [p_value(p) for p in (1e-9, 0.03125)] == ["p < 0.0001", "p = 0.0312"]
