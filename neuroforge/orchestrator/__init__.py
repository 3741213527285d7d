"""Decision -> load if needed -> call -> fall back -> Outcome; how a request uses one model (later: several)."""
