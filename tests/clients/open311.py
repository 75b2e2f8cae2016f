"""Two clients of Open311 that others wrote submit a request, read it back in both forms, and follow it.

Arguments: the endpoint (…/open311/v2), the api_key, and `submit` or `follow NUMBER STATUS`.
"""

import itertools
import sys

from jsonschema import validate

# `three` was written for Python 2, and needs just this of it.
itertools.ifilter = filter

import georeport  # noqa: E402
import three  # noqa: E402

TEXT = {"type": ["string", "null"]}
TIME = {"type": ["string", "null"], "format": "date-time"}
NUMBER = {"type": ["number", "null"]}
# What GeoReport v2 says of its resources.
REQUEST = {
    "type": "object",
    "required": ["service_request_id", "status", "service_code", "requested_datetime"],
    "properties": {
        "service_request_id": {"type": "string"},
        "status": {"enum": ["open", "closed"]},
        "service_code": {"type": "string"},
        "requested_datetime": {"type": "string", "format": "date-time"},
        "updated_datetime": TIME,
        "expected_datetime": TIME,
        "status_notes": TEXT,
        "service_name": TEXT,
        "description": TEXT,
        "agency_responsible": TEXT,
        "service_notice": TEXT,
        "address": TEXT,
        "address_id": TEXT,
        "zipcode": TEXT,
        "lat": NUMBER,
        "long": NUMBER,
        "media_url": TEXT,
    },
}
SERVICE = {
    "type": "object",
    "required": ["service_code", "service_name", "metadata", "type"],
    "properties": {
        "service_code": {"type": "string"},
        "service_name": {"type": "string"},
        "metadata": {"type": "boolean"},
        "type": {"enum": ["realtime", "batch", "blackbox"]},
        "description": TEXT,
        "keywords": TEXT,
        "group": TEXT,
    },
}
DEFINITION = {
    "type": "object",
    "required": ["service_code", "attributes"],
    "properties": {
        "attributes": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["variable", "code", "datatype", "required", "order", "description", "values"],
                "properties": {
                    "variable": {"type": "boolean"},
                    "required": {"type": "boolean"},
                    "order": {"type": "integer"},
                    "datatype": {"enum": ["string", "number", "datetime", "text", "singlevaluelist", "multivaluelist"]},
                },
            },
        }
    },
}


def submit(endpoint: str, key: str) -> str:
    city = three.Three(endpoint, api_key=key)
    assert city.discovery()["endpoints"][0]["specification"].endswith("GeoReport_v2")
    services = city.services()
    validate(services, {"type": "array", "minItems": 1, "items": SERVICE})
    asking = next(service for service in services if service["metadata"])
    definition = city.services(asking["service_code"])
    validate(definition, DEFINITION)
    answers = {f"attribute[{one['code']}]": one["values"][0]["key"] for one in definition["attributes"] if one["required"]}
    where = {"lat": "26.1101", "long": "119.2602", "address": "软件大道 1 号"}
    sent = dict(where, description="路灯不亮 <b>", name="Zoe Chen", phone="059100001111", **answers)
    created = city.post(asking["service_code"], **sent)
    number = created[0]["service_request_id"]
    assert city.post_response.status_code == 201
    # The same form again is the same request.
    assert city.post(asking["service_code"], **sent)[0]["service_request_id"] == number
    no_key = three.Three(endpoint, api_key="nonsense").post(asking["service_code"], **sent)
    assert no_key[0]["code"] == 403, no_key
    incomplete = city.post(asking["service_code"], **dict(where, description="x"))
    assert incomplete[0]["code"] == 400 and "required" in incomplete[0]["description"], incomplete
    assert city.post("nonsense", **sent)[0]["code"] == 404
    return number


def follow(endpoint: str, number: str, status: str) -> None:
    for form in ("json", "xml"):
        client = georeport.GeoReport(endpoint, output_format=form)
        one = client.get_service_request(number)
        assert one["status"] == status, (form, one)
        assert one["description"].startswith("路灯不亮 <b>"), one
        assert "Zoe" not in str(one) and "0591" not in str(one), one
        many = client.get_service_requests(service_request_id=number)
        assert len(many if form == "json" else [many]) == 1, many
    client = georeport.GeoReport(endpoint)
    validate(client.get_service_requests(status=status), {"type": "array", "minItems": 1, "items": REQUEST})
    other = "closed" if status == "open" else "open"
    assert all(one["service_request_id"] != number for one in client.get_service_requests(status=other))


if __name__ == "__main__":
    endpoint, key, what, *rest = sys.argv[1:]
    if what == "submit":
        print(submit(endpoint, key))
    else:
        follow(endpoint, *rest)
