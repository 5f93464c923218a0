"""Any trained model in a file becomes one finished `Ann`: checked, in floats, with a free batch."""
