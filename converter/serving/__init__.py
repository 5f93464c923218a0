"""A spiking model as an HTTP service: the Open Inference Protocol, streams over WebSocket, metrics.

`protocol` reads and writes messages, `batcher` brings requests together, `service` is the model with its limits, `http` one
ASGI application of it all, which `local` runs in this process and `on_ray` in replicas.
"""
