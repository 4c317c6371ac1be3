"""A double of the Messages API and Message Batches for tests: faithful on the wire, and misbehaving by script, always in the same way.

`MessagesApi` runs in a thread of the test, `Served` in a process of its own (`python -m synth_assets_tests.messages_api`). What happens to
a call is decided by its script from the call alone, never by the order of arrival.
"""

from synth_assets_tests.messages_api.batches import Batch, BatchTerms
from synth_assets_tests.messages_api.behaviours import Answer, Behaviour, Call, Drop, Expired, Fault, Later, Raw, Script, Slow, StreamError
from synth_assets_tests.messages_api.checks import Terms
from synth_assets_tests.messages_api.faults import BILLING, CREDIT_TOO_LOW, MONTHLY_LIMIT, SPEND_LIMIT, Mix, plain_answer
from synth_assets_tests.messages_api.limits import RateLimit
from synth_assets_tests.messages_api.served import Served
from synth_assets_tests.messages_api.server import MessagesApi

__all__ = [
    "BILLING", "CREDIT_TOO_LOW", "MONTHLY_LIMIT", "SPEND_LIMIT", "Answer", "Batch", "BatchTerms", "Behaviour", "Call", "Drop", "Expired", "Fault", "Later",
    "MessagesApi", "Mix", "RateLimit", "Raw", "Script", "Served", "Slow", "StreamError", "Terms", "plain_answer",
]  # fmt: skip
