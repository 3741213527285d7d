from cluster.app import orchestrator_limits
from neuroforge.orchestrator.limits import OrchestratorLimits
from neuroforge.settings import settings_from_tree


def test_the_orchestrator_is_told_every_one_of_its_settings() -> None:
    tree = {
        "gateway": {"request_timeout": "1m", "load_timeout": "2m"},
        "orchestrator": {
            "hedge_share": 0.25,
            "hedge_quantile": 0.75,
            "slow_factor": 2.5,
            "slow_share": 0.125,
            "circuit_failure_share": 0.375,
            "circuit_min_calls": 7,
            "circuit_window": "3m",
            "circuit_open": "4s",
            "max_fan_out": 5,
        },
    }
    settings = settings_from_tree(tree, "test")
    limits = orchestrator_limits(settings)
    assert set(tree["orchestrator"]) == set(type(settings.orchestrator).model_fields), "each is tested here"
    assert (limits.task_timeout_s, limits.load_timeout_s) == (60.0, 120.0)
    assert (limits.hedge_share, limits.hedge_quantile, limits.max_fan_out) == (0.25, 0.75, 5)
    assert (limits.slow_factor, limits.slow_share) == (2.5, 0.125)
    breaker = limits.breaker
    assert (breaker.failure_share, breaker.min_calls, breaker.window_s, breaker.open_s) == (0.375, 7, 180.0, 4.0)


def test_the_defaults_of_settings_and_limits_are_the_same() -> None:
    assert orchestrator_limits(settings_from_tree({}, "test")) == OrchestratorLimits()
