"""A finished run's predictions scored: metrics with intervals, calibration, comparisons."""
