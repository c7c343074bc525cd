"""The public contract kit: what a part, ours or anybody's, must do to fit. Call the checks from your own tests."""

from landbridge.testing.carrying import check_body, check_bridge, check_source
from landbridge.testing.data import toy_domain, toy_examples
from landbridge.testing.fields import check_fields
from landbridge.testing.judging import (
    check_evidence,
    check_modality,
    check_rival,
    check_task,
    toy_judgement,
)
from landbridge.testing.nearness import check_distance, check_score
from landbridge.testing.toys import toy_batch, toy_body, toy_model
from landbridge.testing.training import check_objective, check_tuning
from landbridge.testing.worlds import check_world

__all__ = [
    "check_body",
    "check_bridge",
    "check_distance",
    "check_evidence",
    "check_fields",
    "check_modality",
    "check_objective",
    "check_rival",
    "check_score",
    "check_source",
    "check_task",
    "check_tuning",
    "check_world",
    "toy_batch",
    "toy_body",
    "toy_domain",
    "toy_examples",
    "toy_judgement",
    "toy_model",
]
