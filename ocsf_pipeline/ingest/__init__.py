"""Logs pushed over HTTP: requests in, raw batches in the object layout out, never classified.

    tokens    who may send
    bodies    a request's body within bounds: gzip, zstd, deflate
    lines     NDJSON, arrays, text -> lines of an object
    hec       Splunk's HTTP event collector: events, raw, its answers
    otlp      OpenTelemetry logs, protobuf and JSON
    objects   how gathered batches lie in an object, and how its retries are known again
    retries   which batches are stored already
    gather    many requests -> one durable object, through the ObjectStore port
    app       the routes (Starlette); server: the process (uvicorn)

Decoding is pure: only `gather`, `metrics`, `app` and `server` know of time, clients and sockets.
"""
