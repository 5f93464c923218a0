"""How fast a user's own model is: latency, throughput, memory, and where the time goes."""
