"""What comes out and how it is used again: the artifact, its proof of parity, its card, its predictions."""
