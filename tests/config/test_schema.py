import json

from centrex.config.schema import json_schema


def test_the_schema_is_json_and_tells_units_and_effects() -> None:
    schema = json.loads(json.dumps(json_schema()))
    network = schema["$defs"]["NetworkSettings"]
    assert network["required"] == ["domain"]
    assert network["additionalProperties"] is False
    assert network["properties"]["port"]["effect"] == "restart"
    assert network["properties"]["monitor_interval"]["unit"] == "s"
    assert {"type": "string"} in network["properties"]["address"]["anyOf"]
    assert schema["$defs"]["WanSettings"]["properties"]["method"]["available"] is False
