"""ClassIndex over a self-hosted Trieve server, through trieve-py-client's transport.

    place       which server, organisation and dataset, and how patiently they are asked
    errors      what an answer other than success means, and what to check
    transport   one request: headers, timeout, bounded retries, JSON
    chunks      a class chunk as Trieve stores it, and back
    dataset     what the dataset holds, and changing it
    ingestion   waiting until the server has really stored what it accepted
    index       the port: state, plans, search

Belongs here: everything that is peculiar to Trieve. Does not belong here: what the corpus is
(`knowledge`), falling back to another index (`opening`). The client library is imported when the
first request is made: it takes half a second and 58 MB.
"""

from ocsf_pipeline.adapters.trieve.index import TrieveClassIndex
from ocsf_pipeline.adapters.trieve.place import SearchMode, TrievePlace

__all__ = ["SearchMode", "TrieveClassIndex", "TrievePlace"]
