"""The configuration: variables of the environment, and the settings that they make. Pure."""
