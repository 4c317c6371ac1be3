"""The sections of a domain file that say what is mixed: the share and its limits, and the sources of rows written by people.

The base of all sections stands here too, so that `config` can use both. Nothing here touches a disk.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from synth_assets.faults import Fault, broken, quoted, repeats

__all__ = ["NAME_PATTERN", "Cap", "Fields", "Mix", "Name", "RealData", "Section", "distinct"]

NAME_PATTERN = r"^[a-z][a-z0-9_-]{0,47}$"
Name = Annotated[str, Field(pattern=NAME_PATTERN)]


class Section(BaseModel):
    """A section of a domain file: unknown keys are errors, values do not change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class Cap(Section):
    """At most so large a share of a kind's rows in the mix may come from one method or one source."""

    method: Literal["distill", "reasoning", "constitutional", "best_of_n"] | None = None
    source: str | None = Field(default=None, min_length=1, max_length=200, description="As real_data declares it; or `synthetic: MODEL`.")
    share: float = Field(gt=0, le=1)

    @field_validator("share")
    @classmethod
    def _one_thing(cls, share: float, info: ValidationInfo) -> float:
        if {"method", "source"} <= info.data.keys() and (info.data["method"] is None) == (info.data["source"] is None):
            raise broken([Fault((), "a cap is on one method or on one source", "write either method or source beside share")])
        return share


class Mix(Section):
    """Synthetic share of the mix, by rows, per kind; limits within it; the domain's weight in a release."""

    synthetic_share: float = Field(default=0.8, ge=0.01, le=0.99, description="From 0.7 to 0.9, unless override says why not.")
    override: str | None = Field(
        default=None, min_length=3, max_length=300, validate_default=True, description="Why the share lies outside 0.7 to 0.9; the card repeats it."
    )
    caps: tuple[Cap, ...] = ()
    weight: float | None = Field(
        default=None,
        gt=0,
        le=1_000_000,
        description="The domain's share of a release's rows, in proportion to the weights of the other domains that have one; null takes all its rows.",
    )

    @field_validator("override")
    @classmethod
    def _needed(cls, override: str | None, info: ValidationInfo) -> str | None:
        share = info.data.get("synthetic_share")
        if share is not None and not 0.7 <= share <= 0.9 and override is None:
            raise broken([Fault((), f"synthetic_share is {share:g}, outside 0.7 to 0.9", "write a share within, or say in mix.override why not")])
        if share is not None and 0.7 <= share <= 0.9 and override is not None:
            raise broken([Fault((), f"synthetic_share is {share:g}, which needs no override", "delete mix.override")])
        return override


class Fields(Section):
    """Which field of a source holds which part; a part that is not named here is in the field of its own name."""

    topic: str | None = Field(default=None, min_length=1)
    instruction: str | None = Field(default=None, min_length=1)
    input: str | None = Field(default=None, min_length=1)
    response: str | None = Field(default=None, min_length=1)
    chosen: str | None = Field(default=None, min_length=1)
    rejected: str | None = Field(default=None, min_length=1)


class RealData(Section):
    """One source of rows written by people: a file, a query over files of the folder, or a dataset by name.

    With `fields` or `topic`, other fields of a row are ignored; without, a row has exactly its parts.
    """

    path: str | None = Field(
        default=None, min_length=1, max_length=500, description="JSON Lines, Parquet (.parquet), or for a query a DuckDB file (.duckdb); relative."
    )
    query: str | None = Field(
        default=None, min_length=1, max_length=20_000, description="A DuckDB select: over the tables of path, or over files, written '{folder}/name.parquet'."
    )
    dataset: str | None = Field(
        default=None, min_length=1, max_length=200, validate_default=True, description="A name on the Hub, or a folder of the domains folder."
    )
    config: str | None = Field(default=None, min_length=1, max_length=200, description="The dataset's configuration.")
    split: str = Field(default="train", min_length=1, max_length=200)
    revision: str | None = Field(default=None, min_length=1, max_length=200, description="The dataset's commit or tag: without it, rows change when it does.")
    kind: Literal["sft", "preference"] = "sft"
    topic: Name | None = Field(default=None, description="The topic of every row, where rows have none.")
    fields: Fields | None = None
    limit: int | None = Field(default=None, ge=1, description="Rows at most, drawn by seed.")
    source: str = Field(min_length=1, max_length=200)
    license: str = Field(min_length=1, max_length=100)

    @field_validator("dataset")
    @classmethod
    def _one_origin(cls, dataset: str | None, info: ValidationInfo) -> str | None:
        if not {"path", "query"} <= info.data.keys():
            return dataset
        path, query = info.data["path"], info.data["query"]
        database = path is not None and path.endswith(".duckdb")
        if path is None and query is None and dataset is None:
            raise broken([Fault((), "a source without path, query and dataset", "add one: path for a file, query for DuckDB, dataset for a dataset's name")])
        if dataset is not None and (path is not None or query is not None):
            raise broken([Fault((), "a source with dataset beside path or query", "keep one, and write the other as a source of its own")])
        if database != (query is not None) and path is not None:
            missing = "add query: what to select from it" if database else "delete query, or name a .duckdb file as path"
            raise broken([Fault((), f"path {quoted(path)} {'without' if database else 'beside'} a query", missing)])
        return dataset

    @property
    def name(self) -> str:
        """What it is called in messages: the file, the dataset, or the beginning of the query."""
        return self.path or self.dataset or f"query {quoted(self.query or '')}"

    @property
    def external(self) -> bool:
        """Whether it is read when `real_data` is materialized, and not with the domain's file."""
        return self.path is None or self.query is not None

    def parts(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """A row of the source under the names of its parts."""
        if self.fields is None and self.topic is None:
            return dict(row)
        names = {part: given for part, given in (self.fields or Fields()).model_dump().items() if given is not None}
        wanted = ("topic", "instruction", "input", *(("response",) if self.kind == "sft" else ("chosen", "rejected")))
        found = {part: row[names.get(part, part)] for part in wanted if names.get(part, part) in row}
        if found.get("input", "") is None:
            found["input"] = ""
        return found if self.topic is None or "topic" in names else found | {"topic": self.topic}


def distinct(sources: Sequence[RealData]) -> Sequence[RealData]:
    """Sources that differ in what they read."""
    places = [(s.path, s.query, s.dataset, s.config, s.split if s.dataset else "") for s in sources]
    faults = [
        Fault(
            (n, "path" if sources[n].path else "query" if sources[n].query else "dataset"),
            f"path {quoted(sources[n].name)} stands twice",
            "delete or rename one of the two",
        )
        for n, _ in repeats(places)
    ]
    if faults:
        raise broken(faults)
    return sources
