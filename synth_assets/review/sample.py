"""The rows to review, read from the warehouse once, in one short transaction, and then held in memory.

A content that is drawn twice is one item: the gate's and the audit's draw, or two equal rows, share its verdict. Invariant: after `load_sample` nothing
here knows the warehouse.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from synth_assets.accounts import Row
from synth_assets.config import Domain
from synth_assets.errors import ReviewError
from synth_assets.quality.human_fixes import lot
from synth_assets.warehouse import Warehouse

__all__ = ["DomainSample", "Item", "Sample", "load_sample"]


@dataclass(frozen=True)
class Item:
    """One content to judge."""

    domain: str
    content_key: str
    purposes: tuple[str, ...]
    """gate, audit, or both."""
    row: Row
    """The row of `filtered`."""

    @property
    def pair(self) -> bool:
        """Whether two answers are compared."""
        return bool(self.row["kind"] == "preference")


@dataclass(frozen=True)
class DomainSample:
    """What the gate needs to know of one domain."""

    config: Domain
    gate: tuple[str, ...]
    """Content keys of the gate's sample, one per row."""
    lot: int
    """Rows that the sample was drawn from."""


@dataclass(frozen=True)
class Sample:
    """All that is to be reviewed."""

    items: tuple[Item, ...]
    """By domain, the gate's rows first, each in the order of its draw."""
    domains: tuple[DomainSample, ...]


def load_sample(database: Warehouse, configs: Mapping[str, Domain]) -> Sample:
    """The samples of these domains as they stand in the warehouse.

    Raises:
        ReviewError: there is no warehouse, or no sample in it.
    """
    if not database.path.exists():
        raise ReviewError(f"there is no warehouse at {database.path} yet. Make rows first: `synth-assets run --to spot_check`.")
    items: list[Item] = []
    domains: list[DomainSample] = []
    with database.read():
        for name, config in configs.items():
            drawn = database.rows("spot_check", name, order=("purpose", "id"))
            if not drawn:
                continue
            known = lot(rows := database.rows("filtered", name), database.rows("rejections", name))
            by_id = {row["id"]: row for row in (*known, *rows)}
            items += _items(name, [row for row in drawn if row["row_id"] in by_id], by_id)
            gate = [row for row in drawn if row["purpose"] == "gate"]
            domains.append(DomainSample(config, tuple(row["content_key"] for row in gate), max(len(known), len(gate))))
    if not items:
        asked = f" of {', '.join(configs)}" if configs else ""
        raise ReviewError(f"no sample{asked} is in the warehouse. Draw one first: `synth-assets run --to spot_check`.")
    return Sample(tuple(items), tuple(domains))


def _items(domain: str, drawn: list[Row], by_id: Mapping[str, Row]) -> list[Item]:
    purposes: dict[str, dict[str, None]] = {}
    for draw in sorted(drawn, key=lambda row: row["purpose"] != "gate"):
        purposes.setdefault(draw["content_key"], {})[draw["purpose"]] = None
    rows = {draw["content_key"]: by_id[draw["row_id"]] for draw in drawn}
    return [Item(domain, key, tuple(own), rows[key]) for key, own in purposes.items()]
