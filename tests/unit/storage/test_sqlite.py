"""The suites on SQLite."""

from tests.unit.storage.suite_audit import TestAppend, TestTail, TestTriggers, TestVerify  # noqa: F401
from tests.unit.storage.suite_keys import TestKeys  # noqa: F401
from tests.unit.storage.suite_live_tests import TestLiveTests, live_tests  # noqa: F401
from tests.unit.storage.suite_open import TestOpen  # noqa: F401
from tests.unit.storage.suite_outcome_data import TestExport, TestPurge, TestSummary  # noqa: F401
from tests.unit.storage.suite_outcomes import TestLearnerState, TestOutcomes, outcome_store  # noqa: F401
from tests.unit.storage.suite_prompts import TestPrompts, prompts  # noqa: F401
from tests.unit.storage.suite_registry import TestRegistry  # noqa: F401
from tests.unit.storage.suite_rules import TestRules, table  # noqa: F401
from tests.unit.storage.suite_state import TestExchange, exchange  # noqa: F401
