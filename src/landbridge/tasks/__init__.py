"""What is predicted: one file per task, found by name through the registry."""
