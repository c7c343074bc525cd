"""Controls that learn without any transfer: one file per rival."""
