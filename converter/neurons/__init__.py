"""The neurons that can take an activation's place."""
