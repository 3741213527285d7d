"""serve -> record outcomes -> experiment -> better routing and prompts -> serve."""

__version__ = "0.1.0"
