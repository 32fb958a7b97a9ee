"""The HTTP kit: unit of work, idempotency, ETags, pages, routes, middleware, the fast path."""
