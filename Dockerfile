# syntax=docker/dockerfile:1
# The service alone: no training libraries. Train elsewhere and mount the artifacts, or build with --build-arg EXTRA=train.
FROM python:3.12-slim AS build
ARG EXTRA=serve
WORKDIR /src
COPY requirements requirements
RUN python -m venv /opt/nextoffer \
 && /opt/nextoffer/bin/pip install --no-cache-dir --require-hashes -r requirements/${EXTRA}.txt
COPY pyproject.toml README.md LICENSE ./
COPY service service
COPY models models
COPY migrations migrations
RUN /opt/nextoffer/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.12-slim
# The wheels of implicit and LightGBM need the OpenMP runtime; it is there for the train variant.
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/* \
 && useradd --create-home --uid 10001 nextoffer && mkdir -p /var/lib/nextoffer && chown nextoffer /var/lib/nextoffer
COPY --from=build /opt/nextoffer /opt/nextoffer
ENV PATH=/opt/nextoffer/bin:$PATH PYTHONUNBUFFERED=1 OPENBLAS_NUM_THREADS=1 \
    NEXTOFFER_HOST=0.0.0.0 NEXTOFFER_ARTIFACTS_DIR=/var/lib/nextoffer/artifacts \
    NEXTOFFER_DATABASE_URL=sqlite:////var/lib/nextoffer/nextoffer.db
USER nextoffer
WORKDIR /var/lib/nextoffer
VOLUME /var/lib/nextoffer
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD python -c "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"
CMD ["sh", "-c", "nextoffer db upgrade && exec nextoffer serve"]
