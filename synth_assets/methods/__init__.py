"""The published methods, one module each: algorithms over requests and replies, without Dagster and DuckDB."""
