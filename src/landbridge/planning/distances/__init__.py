"""Distances between sets of features, one file each: lower is nearer."""
