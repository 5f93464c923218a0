from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from converter.serving.metrics import CHUNK, INFER, Metrics


def test_the_page_says_what_was_counted() -> None:
    metrics = Metrics()
    metrics.watch({"onnx_snn_queue": ("waiting", lambda: 3)})
    metrics.request(INFER, 200, 0.004)
    metrics.request(INFER, 200, 0.04)
    metrics.request(INFER, 429, 0.0001)
    metrics.request(CHUNK, 200, 1)
    metrics.batch(5, 3, 0.01, [0.001, 0.002])
    metrics.steps(1, 7)
    metrics.spikes(2, 3, 40)
    metrics.stream("refused")
    found = {
        (sample.name.removeprefix("onnx_snn_"), *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(metrics.page().decode())
        for sample in family.samples
    }
    assert found["requests_total", "200", INFER] == 2
    assert found["requests_total", "429", INFER] == 1
    assert found["request_seconds_count", INFER] == 3
    assert found["request_seconds_bucket", "0.005", INFER] == 2
    assert found["request_seconds_sum", CHUNK] == 1
    assert found["batch_samples_bucket", "4.0"] == 0
    assert found["batch_samples_bucket", "8.0"] == 1
    assert found["queue_seconds_count",] == 2
    assert found["samples_total",] == 6
    assert found["steps_total",] == 5 * 3 + 7
    assert found["counted_spikes_total",] == 40
    assert found["counted_steps_total",] == 6
    assert found["streams_total", "refused"] == 1
    assert found["queue",] == 3
