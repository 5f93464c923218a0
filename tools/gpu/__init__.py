"""The GPU kit: checks for a machine with a GPU that need no network there (README.md)."""
