"""outcome file -> rows -> bases -> combine -> calibrate -> FittedRouter; train, test -> evaluation -> curve, plot."""
