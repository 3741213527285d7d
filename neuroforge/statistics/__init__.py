"""Numbers of an experiment -> intervals, paired tests, corrections, power: pure functions over numpy arrays."""
