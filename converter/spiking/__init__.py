"""A spiking model's graph: the passes that bring time into it, and the file read back."""
