"""Catalog entry -> sources in turn -> parts in staging -> join, verify -> the store; GGUF header -> memory plan."""
