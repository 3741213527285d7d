"""RoutingRequest + FleetSnapshot -> filter -> latency -> select -> Decision; Outcome -> latency estimate."""
