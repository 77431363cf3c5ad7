"""The JSON Schema of a configuration file, for editors and other people's tools."""

from typing import Any

from centrex.config.model import Config


def json_schema() -> dict[str, Any]:
    """Return the schema (draft 2020-12), with unit, effect and availability beside each key."""
    schema = Config.model_json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "Centrex configuration",
    }
