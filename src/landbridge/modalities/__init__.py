"""How one kind of data is decoded, sketched, shown and spoiled: one file per modality."""
