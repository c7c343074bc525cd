"""What was measured: one file per kind of finding, found by name through the registry, and the numerics they share."""
