"""A synthetic-data factory for training language models, as a Dagster asset graph over DuckDB."""

__version__ = "0.1.0"
