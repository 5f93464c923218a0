"""Spiking models at work: predictions for shards of samples, every sample once; an HTTP service.

`predict` runs a model over data of any size. The service speaks the Open Inference Protocol, with streams over WebSocket and
metrics: `protocol` reads and writes messages, `batcher` brings requests together, `service` is the model with its limits,
`http` one ASGI application of it all, which `local` runs in this process and `on_ray` in replicas.
"""
