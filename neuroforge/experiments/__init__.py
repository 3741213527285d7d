"""ExperimentConfig -> matrix -> batch -> run -> score -> analyse -> report -> rules; pipeline.py calls them."""
