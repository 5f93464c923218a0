"""Spiking models at work: predictions for shards of samples, every sample once."""
