from neuroforge.contracts.models import ModelSpec
from neuroforge.engines.llamacpp_capabilities import SUPPORTED_CAPABILITIES, offered_capabilities


def test_embeddings_are_offered_when_the_spec_asks_for_them() -> None:
    assert offered_capabilities(ModelSpec(id="m")) == SUPPORTED_CAPABILITIES
    by_option = ModelSpec(id="m", engine_options={"embedding": True})
    by_capability = ModelSpec(id="m", capabilities=("embedding",))
    assert offered_capabilities(by_option) == offered_capabilities(by_capability)
    assert offered_capabilities(by_option) - SUPPORTED_CAPABILITIES == {"embedding"}
