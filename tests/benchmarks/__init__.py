"""`make benchmark`: each driver measures ratios in one run and writes .neuroforge/benchmarks/NAME.json."""
