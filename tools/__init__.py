"""Tools of the project's own; not installed."""
