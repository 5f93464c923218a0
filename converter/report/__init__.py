"""What the user reads and looks at."""
