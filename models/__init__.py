"""The offline side of nextoffer: it learns from sales history and writes artifacts that the service reads."""
