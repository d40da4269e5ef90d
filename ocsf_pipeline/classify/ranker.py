"""The ranker's public face: the model, its training, its format.

Belongs here: names that other packages import. Does not belong here: any code.
"""

from ocsf_pipeline.classify.model import RANKER_FORMAT, Ranker, RankerError
from ocsf_pipeline.classify.training import list_training_texts, train_ranker

__all__ = ["RANKER_FORMAT", "Ranker", "RankerError", "list_training_texts", "train_ranker"]
