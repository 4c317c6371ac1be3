"""The partitions: one per domain file, read when the code location loads. Adding a file adds a partition."""

import dagster as dg

from synth_assets.domain_files import domains_folder, list_domain_names

DOMAINS = dg.StaticPartitionsDefinition(list_domain_names(domains_folder()))
