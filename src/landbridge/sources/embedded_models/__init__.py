"""One file per source that comes inside a Python package; each defines `MODEL`."""
