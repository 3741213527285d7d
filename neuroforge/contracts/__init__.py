"""Every message between rooms: rooms never import each other, they exchange these."""
