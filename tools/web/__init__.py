"""What the tests in a browser need: Chromium, Node, and the pictures of examples/web (README.md there)."""
