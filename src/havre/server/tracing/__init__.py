"""Traces: which request took which way, and how long each step of it was, told to a collector of OpenTelemetry.

    tracer    traces and spans of one worker, from the W3C headers in to the queue out
    front     the door of requests, with a span for each
    wrapped   rows and bytes, with a span for each call
    otlp      spans as the protocol's messages
    exporter  takes them to the collector

Nothing of it is imported, and nothing stands in the way of a request, unless ``traces_url`` is set: the parts that it
wraps know nothing of it.
"""
