"""Names under which processes of one cluster find each other."""

NAMESPACE = "neuroforge"
STATE_ACTOR = "neuroforge-state"
FLEET_ACTOR = "neuroforge-fleet"
LEARNER_ACTOR = "neuroforge-learner"
PROMPTS_ACTOR = "neuroforge-prompts"
EXPERIMENTS_ACTOR = "neuroforge-experiments"
GATEWAY_APP = "neuroforge"

ON_HEAD = {"node:__internal_head__": 0.001}
"""Ray resource that only the head node has."""
