"""A finished search and its result -> lineage, parts, front, examples, facts -> view; report.py prints it."""
