"""What OpenAPI promises is what the service does, for inputs that fit and for inputs that do not."""

import warnings
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings

from tests.acceptance.app.api.serving import environment, serving
from tests.acceptance.app.api.test_serving import program_of
from tests.integration.app.api.ground import OPERATOR
from tests.integration.app.hotel import Hotel
from tests.integration.app.resilience.ground import Pms

with warnings.catch_warnings():
    # It uses what its own dependencies have deprecated.
    warnings.simplefilter("ignore", DeprecationWarning)
    import schemathesis
    from schemathesis.checks import not_a_server_error
    from schemathesis.core.result import Ok
    from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

# Of each operation, for each kind of input and caller.
EXAMPLES = 15
CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance]
BOUNDED = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def attack(
    operation: schemathesis.APIOperation[Any, Any, Any, Any],
    mode: schemathesis.GenerationMode,
    headers: Mapping[str, str],
    known: Mapping[str, str],
    session: requests.Session,
) -> None:
    """Send what the operation takes, or what it should not take; ids of rows are those that are there, if known."""

    @BOUNDED
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case: schemathesis.Case[Any]) -> None:
        for name in known.keys() & (case.path_parameters or {}).keys():
            case.path_parameters[name] = known[name]
        case.call_and_validate(headers=dict(headers), checks=CHECKS, session=session)

    send()


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode), ids=lambda mode: mode.value)
def test_no_input_makes_the_service_fail(
    hotel: Hotel, redis_url: str, pms: Pms, tmp_path: Path, mode: schemathesis.GenerationMode
) -> None:
    conversation = str(hotel.add_session(hotel.ours))
    known = {"tenant_id": str(hotel.theirs.tenant_id), "session_id": conversation}
    told = environment(hotel, redis_url, pms.url)
    with serving(told, tmp_path) as service, requests.Session() as session:
        session.trust_env = False
        ours = program_of(service, hotel)
        schema = schemathesis.openapi.from_url(f"{service.http.base_url}/openapi.json")
        operations = [
            found.ok() for found in schema.include(path_regex="^/v1/").get_all_operations() if isinstance(found, Ok)
        ]
        assert len(operations) >= 24
        for operation in operations:
            attack(operation, mode, OPERATOR, known, session)
            attack(operation, mode, ours, {}, session)
        assert service.readiness() == "ok"
        assert service.stop() == 0
    lines = service.lines()
    assert [line for line in lines if line["level"] == "error"] == []
    statuses = Counter(int(str(line["status"])) for line in lines if str(line.get("route")).startswith("/v1/"))
    assert statuses.keys() >= {200, 201, 403, 404, 422}
    assert max(statuses) < 500
