"""Steps in order of their number."""
