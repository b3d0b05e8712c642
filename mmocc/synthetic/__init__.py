"""Data that the project draws itself: digits, ornaments, cartoon faces."""
