"""From calibration samples to the numbers that neurons need: one file per method."""
