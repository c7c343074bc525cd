"""Transferability scores, one file each: how well a source's features serve a target, told without training."""
