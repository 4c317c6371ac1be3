"""Great Expectations suites, one per stage; without Dagster."""
