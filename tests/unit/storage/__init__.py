"""Storage tests; `suite_*` run against every kind of database, and their asserts are to explain themselves as well."""

import pytest

for _name in ("audit", "keys", "open", "outcome_data", "outcomes", "registry", "state"):
    pytest.register_assert_rewrite(f"{__name__}.suite_{_name}")
