"""Texts that are no security events: the ranker learns from them what it must not be sure of.

Belongs here: prose, applications' debug output, stack traces, gibberish, all written for this
project. Does not belong here: anything that has a class.
"""

from __future__ import annotations

from ocsf_pipeline.classify.queries import LogQuery, build_query

NOISE: tuple[str, ...] = (
    "The quick brown fox jumps over the lazy dog while the sun sets behind the hills.",
    "Dear team, please find the minutes of our last meeting below. Lunch is at noon on Friday.",
    "It was a bright cold day in the garden, and nobody had remembered to bring the umbrella.",
    "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt.",
    "Add two cups of flour, one egg and a pinch of salt; stir until smooth and bake for an hour.",
    "Chapter one. In which the traveller arrives at the harbour and finds the ship has left.",
    "Thanks for your order! We hope you enjoy your new shoes and would love to hear from you.",
    "DEBUG [main] c.e.app.Startup - bean 'orderMapper' wired in 12 ms",
    "DEBUG cache miss for key product:1881, loading from backing store",
    "TRACE render() took 3.2 ms, 14 nodes reconciled, 0 repaints",
    "2024-03-02 10:11:12 DEBUG scheduler tick 88123 queue=0 idle=7",
    "INFO  o.h.v.i.util.Version - HV000001: Validator 6.2.0 final",
    "verbose: resolved dependency left-pad@1.3.0 from lockfile",
    "[webpack] compiled successfully in 2381 ms, 412 modules",
    "warn: deprecated prop `colour` passed to component Button",
    "GC pause (young) 12M->4M(256M) 3.101ms",
    "heap used 412 MB of 1024 MB, 17 threads, uptime 3 days",
    "java.lang.NullPointerException\n\tat com.example.Foo.bar(Foo.java:12)\n\tat Foo.main",
    "Traceback (most recent call last):\n  File \"x.py\", line 1, in <module>\nKeyError: 'colour'",
    "x9f 0a 11 e7 \u0001\u0002 %%% \u00ff\u00fe ~~ ^^ 7f 45 4c 46",
    "q8zKp2Lx0vN3wRtY7uIoP1aSdFgHjKlZxCvBnM5qWeRtYuIoPaSdFgHjKl",
    "asdkjh qwpoeiru zmxncbv lkjashdf poiuqwer",
    "=====================================================",
    "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15",
    "42.1,17.8,3.3,0.9,11.2,7.5",
    '{"a": 1, "b": 2, "c": [3, 4]}',
    '{"temperature": 21.4, "humidity": 40, "room": "kitchen"}',
    '{"level":"debug","msg":"reconciled 3 widgets","elapsed":0.002}',
    '{"name":"colour-picker","props":{"size":"large","shade":"teal"}}',
    '{"level":"info","logger":"billing","msg":"invoice 1881 rendered to pdf","ms":88}',
    '{"metric":"queue_depth","value":17,"unit":"count","tags":{"shard":"b"}}',
    "select colour, taste from fruit order by ripeness -- note to self",
    "TODO: refactor this before the release, ask Kim about the edge case",
    "step 3/7: warming up model, epoch 2 loss 0.4412 accuracy 0.871",
    "[12:01] <kim> anyone up for a coffee?  [12:02] <lee> sure, five minutes",
    "score: home 3 away 1, second half, corner kick by number seven",
    "frame 1022 dropped, bitrate 4.1 Mbps, buffer 88%",
    "user interface repainted; layout pass finished; animation frame queued",
    "Compiling serde v1.0.190\n   Compiling tokio v1.33.0\n    Finished release [optimized]",
    "npm notice created a lockfile as package-lock.json. You should commit this file.",
)


def build_noise_queries() -> list[LogQuery]:
    """Return the query of each text, as if it were a log of free text or of JSON."""
    queries = []
    for text in NOISE:
        is_json = text.startswith("{")
        queries.append(build_query(text if is_json else "", text, "json" if is_json else "text"))
    return queries
