"""Spiking models looked at: accuracy over time, errors and spikes layer by layer, what they cost."""
