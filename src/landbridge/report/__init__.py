"""The report: one page that opens offline, drawn from the evidence and nothing else."""
