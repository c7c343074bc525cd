"""Generated data with exact ground truth: one file for each world, and what they are drawn with."""
