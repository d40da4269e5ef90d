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
    "The committee will meet again in spring to discuss the colour of the new curtains.",
    "He asked whether the train to the coast still ran on Sundays, but nobody knew.",
    "Once upon a time a fox, a hen and a tortoise shared a small house by the river.",
    "Our quarterly newsletter: three recipes for autumn soups and a crossword puzzle.",
    "2025-01-14 08:11:02,113 DEBUG [pool-3-thread-7] PriceCache - refreshed 4411 entries in 8 ms",
    "D/ViewRootImpl( 2211): performTraversals took 14ms",
    "[debug] worker 3: chunk 88/120 done, eta 00:01:12",
    "TRACE o.s.w.s.DispatcherServlet - resolved view 'home' in 0.4 ms",
    "DEBUG:matplotlib.font_manager:findfont: score(DejaVu Sans) = 0.05",
    "rendering scene 4: 1,204,881 triangles, 61 draw calls, 16.6 ms",
    "epoch 12/50 - loss: 0.2213 - val_loss: 0.2490 - lr: 1.0e-04",
    "assertion held: expected 42, got 42",
    "INFO  BillingJob - invoice 20391 rendered, 3 line items, total 118.40 EUR",
    "\u0000\u0003\u0002\u001f\u008b\b\u0000 \u00d0\u00cf\u0011\u00e0 PK\u0003\u0004",
    "MZ\u0090\u0000\u0003 !This program cannot be run in DOS mode.\r\r\n$ PE L",
    "AAAAB3NzaC1yc2EAAAADAQABAAABgQC7f1x9 QmFzZTY0IGlzIG5vdCBhIGxvZw==",
    "%PDF-1.7 4 0 obj << /Type /Page /Parent 2 0 R >> endobj xref trailer",
    "<p>Welcome to our <b>spring sale</b>: everything for the garden at half price</p>",
    "diff --git a/readme.md b/readme.md\n-old line\n+new line",
    "def greet(name):\n    return f'hello {name}'",
    '{"recipe":"pancakes","servings":4,"ingredients":["flour","milk","eggs"]}',
    '{"severity":"debug","component":"layout","message":"recomputed 14 columns","duration_ms":3}',
    '{"type":"FeatureCollection","features":[{"geometry":{"coordinates":[4.9,52.3]}}]}',
    '{"id":17,"title":"The lighthouse","author":"unknown","pages":212,"stars":4.5}',
    "BEGIN:VCALENDAR SUMMARY:Dentist DTSTART:20250301T090000Z END:VCALENDAR",
    "npm notice created a lockfile as package-lock.json. You should commit this file.",
)


def build_noise_queries() -> list[LogQuery]:
    """Return the query of each text, as if it were a log of free text or of JSON."""
    queries = []
    for text in NOISE:
        is_json = text.startswith("{")
        queries.append(build_query(text if is_json else "", text, "json" if is_json else "text"))
    return queries
