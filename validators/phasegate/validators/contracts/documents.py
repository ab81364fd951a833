"""The five contracts as models: frozen, strict, with no key that is not named here.

Fractions are decimal strings, so that a document hashes to the same digest wherever it is written.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from phasegate.validators.boilerplate import content_words
from phasegate.validators.kpi_reading import Bound
from phasegate.validators.markdown import section_key
from phasegate.validators.placeholders import is_placeholder
from phasegate.validators.plan import find_cycle

ITEMS_MAX = 1_000
TEXT_CHARS_MAX = 10_000

PLACEHOLDER = "placeholder"
"""Type of the error for a text that says nothing."""


def says_something(text: str) -> str:
    """Return a text that is neither a placeholder nor made of words that stand in any document.

    Raises:
        PydanticCustomError: it says nothing.
    """
    lines = text.splitlines()
    if is_placeholder(lines) or not content_words(lines):
        raise PydanticCustomError(PLACEHOLDER, "says nothing that would not stand in any document")
    return text


# `$` alone would let a line end follow.
_END = r"$(?!\n)"

Text = Annotated[str, StringConstraints(min_length=1, max_length=TEXT_CHARS_MAX, pattern=r"\S")]
Prose = Annotated[Text, AfterValidator(says_something)]
Decimal = Annotated[str, StringConstraints(pattern=r"^-?[0-9]{1,30}(\.[0-9]{1,30})?" + _END)]
Commit = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?" + _END)]
RepositoryPath = Annotated[
    str,
    StringConstraints(
        min_length=1,
        max_length=4_096,
        pattern=r"^(?!/)(?![A-Za-z]:)(?!\./)(?!.*\\)(?!(.*/)?\.\.(/|$))[^\x00-\x1f]+" + _END,
    ),
]
CriterionId = Annotated[str, StringConstraints(pattern=r"^AC-[1-9][0-9]{0,5}" + _END)]
ItemId = Annotated[str, StringConstraints(pattern=r"^W-[1-9][0-9]{0,5}" + _END)]
RiskId = Annotated[str, StringConstraints(pattern=r"^R-[1-9][0-9]{0,5}" + _END)]
Count = Annotated[int, Field(ge=0, lt=2**53)]


class Grade(StrEnum):
    """How likely or how bad something is."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class RiskStatus(StrEnum):
    """What has become of a risk."""

    OPEN = "open"
    MITIGATED = "mitigated"
    ACCEPTED = "accepted"


class FileAction(StrEnum):
    """What a change does to a file."""

    ADD = "add"
    MODIFY = "modify"
    DELETE = "delete"
    RENAME = "rename"


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, regex_engine="python-re")


class Criterion(_Document):
    """One acceptance criterion."""

    id: CriterionId
    text: Prose


class KpiTarget(_Document):
    """One KPI with its direction and number."""

    name: Text
    bound: Bound
    value: Decimal
    unit: str = ""


class NamedRisk(_Document):
    """One risk as a strategy names it."""

    id: RiskId
    text: Prose


class ProblemSpec(_Document):
    """What is to be solved, and how one will know that it is."""

    contract: Literal["ProblemSpec"]
    version: Literal[1]
    task: Text
    problem: Prose
    objectives: Annotated[tuple[Prose, ...], Field(min_length=1, max_length=ITEMS_MAX)]
    non_goals: Annotated[tuple[Text, ...], Field(max_length=ITEMS_MAX)] = ()
    acceptance_criteria: Annotated[tuple[Criterion, ...], Field(min_length=1, max_length=ITEMS_MAX)]
    kpis: Annotated[tuple[KpiTarget, ...], Field(min_length=1, max_length=ITEMS_MAX)]
    risks: Annotated[tuple[NamedRisk, ...], Field(min_length=1, max_length=ITEMS_MAX)]

    @model_validator(mode="after")
    def _ids_are_unique(self) -> Self:
        _refuse_twice("acceptance criterion", [criterion.id for criterion in self.acceptance_criteria])
        _refuse_twice("kpi", [section_key(kpi.name) or kpi.name for kpi in self.kpis])
        _refuse_twice("risk", [risk.id for risk in self.risks])
        return self


class PlanItem(_Document):
    """One work item."""

    id: ItemId
    title: Prose
    depends_on: Annotated[tuple[ItemId, ...], Field(max_length=ITEMS_MAX)] = ()
    criteria: Annotated[tuple[CriterionId, ...], Field(max_length=ITEMS_MAX)] = ()
    files: Annotated[tuple[RepositoryPath, ...], Field(max_length=ITEMS_MAX)] = ()


class Plan(_Document):
    """The work in items that can be done in an order."""

    contract: Literal["Plan"]
    version: Literal[1]
    task: Text
    items: Annotated[tuple[PlanItem, ...], Field(min_length=1, max_length=ITEMS_MAX)]
    rollback: Prose | None = None

    @model_validator(mode="after")
    def _items_can_be_ordered(self) -> Self:
        names = [item.id for item in self.items]
        _refuse_twice("work item", names)
        for item in self.items:
            for other in item.depends_on:
                if other not in names:
                    raise ValueError(f"`{item.id}` depends on `{other}`, which is no item")
        cycle = find_cycle({item.id: item.depends_on for item in self.items})
        if cycle:
            raise ValueError(f"these items wait for each other: `{' -> '.join(cycle)}`")
        return self


class ChangedFile(_Document):
    """What a change does to one file; `old_path` is given for a rename and only then."""

    path: RepositoryPath
    action: FileAction
    added: Count = 0
    removed: Count = 0
    old_path: RepositoryPath | None = None

    @model_validator(mode="after")
    def _rename_names_both(self) -> Self:
        if (self.action is FileAction.RENAME) != (self.old_path is not None):
            raise ValueError("`old_path` is given for a rename, and only then")
        return self


class ChangeSet(_Document):
    """A change to a repository, against a named commit."""

    contract: Literal["ChangeSet"]
    version: Literal[1]
    task: Text
    base_commit: Commit
    summary: Prose
    files: Annotated[tuple[ChangedFile, ...], Field(min_length=1, max_length=ITEMS_MAX)]
    items: Annotated[tuple[ItemId, ...], Field(min_length=1, max_length=ITEMS_MAX)]

    @model_validator(mode="after")
    def _files_are_unique(self) -> Self:
        _refuse_twice("file", [file.path for file in self.files])
        return self


class PRSummary(_Document):
    """What a pull request tells its readers.

    `ledger_entries` are sequence numbers, the values of `metrics` decimal strings.
    """

    contract: Literal["PRSummary"]
    version: Literal[1]
    task: Text
    title: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"\S")]
    summary: Prose
    commit: Commit
    risks: Annotated[tuple[Text, ...], Field(min_length=1, max_length=ITEMS_MAX)]
    rollback: Prose
    ledger_entries: Annotated[tuple[Count, ...], Field(min_length=1, max_length=ITEMS_MAX)]
    metrics: Annotated[dict[str, Decimal], Field(max_length=ITEMS_MAX)] = Field(default_factory=dict)


class AssessedRisk(_Document):
    """One risk, judged."""

    id: RiskId
    description: Prose
    likelihood: Grade
    impact: Grade
    mitigation: Text
    status: RiskStatus
    accepted_by: Text | None = None

    @model_validator(mode="after")
    def _acceptance_has_a_name(self) -> Self:
        if (self.status is RiskStatus.ACCEPTED) != (self.accepted_by is not None):
            raise ValueError("`accepted_by` is given for an accepted risk, and only then")
        return self

    @model_validator(mode="after")
    def _mitigation_says_how(self) -> Self:
        # Whoever accepts a risk does nothing about it, and has signed with a name.
        if self.status is not RiskStatus.ACCEPTED:
            says_something(self.mitigation)
        return self


class RiskReport(_Document):
    """All risks of a change and the worst that is left."""

    contract: Literal["RiskReport"]
    version: Literal[1]
    task: Text
    overall: Grade
    risks: Annotated[tuple[AssessedRisk, ...], Field(min_length=1, max_length=ITEMS_MAX)]

    @model_validator(mode="after")
    def _overall_hides_nothing(self) -> Self:
        _refuse_twice("risk", [risk.id for risk in self.risks])
        order = tuple(Grade)
        left = [min(risk.likelihood, risk.impact, key=order.index) for risk in self.risks if _is_open(risk)]
        worst = max(left, key=order.index, default=Grade.LOW)
        if order.index(self.overall) < order.index(worst):
            raise ValueError(f"`overall` is `{self.overall}`, but a risk that is left is `{worst}`")
        return self


def _is_open(risk: AssessedRisk) -> bool:
    return risk.status is not RiskStatus.MITIGATED


def _refuse_twice(what: str, names: list[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"the {what} `{name}` stands twice")
        seen.add(name)
