"""Which function a group of nodes is, and where a neuron may stand."""
