"""The warehouse: the only room that opens DuckDB. Everybody else takes `Warehouse` from here."""

from synth_assets.warehouse.database import Warehouse

__all__ = ["Warehouse"]
