"""From mixed rows to a folder that trains: exports, dataset card, quality report."""
