"""RoutingRequest -> filter -> features -> classify -> predict -> select -> Decision; Outcome -> record -> learner."""
