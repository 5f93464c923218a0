"""Maps a function over pieces of work, here or on many machines. Knows no model."""
