"""How near the data is to what a source was trained on, by what its checkpoint tells of that."""
