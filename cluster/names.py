"""Names under which processes of one cluster find each other."""

NAMESPACE = "neuroforge"
STATE_ACTOR = "neuroforge-state"
FLEET_ACTOR = "neuroforge-fleet"
GATEWAY_APP = "neuroforge"
