"""start -> queue (as many at once as allowed) -> a process each -> status on disk; uploads beside them."""
