"""Decision -> load if needed -> call the engine -> fall back; how a request uses one model (later: several)."""
