"""Numbers that the papers print, as CSV files with their sources."""
