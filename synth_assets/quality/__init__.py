"""Gates and measures: functions over columns, without Dagster and DuckDB."""
