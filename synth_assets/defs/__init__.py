"""Thin Dagster shells over the pure parts: partitions, resources, one module per group of assets, checks, jobs."""
