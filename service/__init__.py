"""The online side of nextoffer: a FastAPI application and the `nextoffer` command."""
