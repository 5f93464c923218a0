"""From calibration samples to the numbers that neurons need."""
