"""ONNX graphs: facts about operators, building, running, shapes, where the samples lie. Knows no neurons."""
