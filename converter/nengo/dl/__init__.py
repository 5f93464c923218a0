"""All that needs TensorFlow or NengoDL."""
