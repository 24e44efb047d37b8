"""The interface as OpenAPI 3.1 describes it: what the routes and their models give, made true."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flask_openapi import OpenAPI

_METHODS = frozenset({"get", "put", "post", "patch", "delete"})
#: The status of a request with a field that is not as described.
REFUSED_FIELD = "422"
PROBLEM = {
    "description": "A refusal: what is the matter, and how to mend it.",
    "content": {
        "application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}
    },
}
#: What a route answers that names no model: some JSON.
ANSWER = {"description": "The answer.", "content": {"application/json": {"schema": {}}}}


def describe(app: OpenAPI) -> dict[str, Any]:
    """The description of an application, as a JSON object.

    The library writes a refused field as JSON of the route's own kind; every refusal of ours is a
    problem document, whichever its status, so each operation says that once, as its default.
    """
    found = copy.deepcopy(app.api_doc)
    for item in found["paths"].values():
        for method, operation in item.items():
            if method in _METHODS:
                answers = operation.setdefault("responses", {})
                answers.pop(REFUSED_FIELD, None)
                if not answers:
                    answers["200"] = copy.deepcopy(ANSWER)
                answers["default"] = PROBLEM
    # The one answer that is no JSON and no file.
    text = found["paths"]["/v1/metrics"]["get"]["responses"]["200"]
    text["content"] = {"text/plain": {"schema": {"type": "string"}}}
    return found
