"""A path becomes a domain: formats, detection, checks, splits and duplicates."""
