"""The gates for any file: JSON Lines or Parquet in, kept and rejected rows and a report out."""
