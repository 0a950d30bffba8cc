"""Errors in the shape of the Messages API."""

TYPE_OF_STATUS = {400: "invalid_request_error", 401: "authentication_error", 402: "billing_error",
                  403: "permission_error", 404: "not_found_error", 409: "conflict_error",
                  413: "request_too_large", 429: "rate_limit_error", 500: "api_error",
                  503: "api_error", 504: "timeout_error", 529: "overloaded_error"}
MESSAGE_OF_STATUS = {403: "Your API key does not have permission to use the specified resource.",
                     429: "This request would exceed the rate limit for your organization.",
                     500: "Internal server error", 503: "Service unavailable",
                     504: "The request timed out", 529: "Overloaded"}


class ApiError(Exception):
    """status: HTTP. error_type: `error.type` of the body. headers: added to the response."""

    def __init__(self, status, message="", error_type="", headers=None):
        super().__init__(message)
        self.status = status
        self.message = message or MESSAGE_OF_STATUS.get(status, "Simulated error")
        self.error_type = error_type or TYPE_OF_STATUS.get(status, "api_error")
        self.headers = headers or {}

    def body(self, request_id):
        return {"type": "error",
                "error": {"type": self.error_type, "message": self.message},
                "request_id": request_id}


def invalid(message):
    return ApiError(400, message)
