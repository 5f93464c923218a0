"""What comes from the user and goes back: samples, files, weights. Bad files are refused here."""
