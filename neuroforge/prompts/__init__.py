"""items -> evaluate -> improve, evolve, structure -> paired test on fresh items -> promote -> PromptRelease."""
