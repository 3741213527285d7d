"""RoutingRequest + FleetSnapshot -> filter -> select -> Decision; Outcome -> estimate."""
