"""One TOML a benchmark task."""
