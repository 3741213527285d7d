"""Everything that knows Ray is running: settings -> applications -> fleet."""
