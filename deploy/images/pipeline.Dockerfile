# syntax=docker/dockerfile:1.7
# The pipeline: code location (gRPC), the container of each run, and the ingest endpoint.
# The embedding model, the OCSF releases and the vectors of the packs are Python packages or files of
# this project: a container fetches nothing when it starts.
#
#   docker build -f deploy/images/pipeline.Dockerfile -t ocsf-pipeline:0.1.0 .
ARG PYTHON_IMAGE=python:3.11.14-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_COMPILE=1
# PyPI's torch for Linux brings 3 GB of CUDA; PyTorch's own index has a build for the CPU.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN python -m venv /opt/venv
WORKDIR /opt/ocsf_pipeline
# What changes rarely comes first: this layer is rebuilt when a dependency changes, not when code does.
COPY pyproject.toml constraints.txt README.md LICENSE ./
RUN --mount=type=cache,target=/root/.cache/pip \
    mkdir ocsf_pipeline && touch ocsf_pipeline/__init__.py \
    && /opt/venv/bin/pip install --extra-index-url "${TORCH_INDEX}" \
       -c constraints.txt -e '.[docker,trieve]'
# Half a gigabyte that servers have no use for: the embedded engine of laptops, and packages' own tests.
RUN /opt/venv/bin/pip uninstall --yes chdb chdb-core \
    && find /opt/venv -type d \( -name tests -o -name test \) -prune -exec rm -rf {} + \
    && /opt/venv/bin/python -c 'import dagster, torch, polars, sentence_transformers, sklearn'

FROM ${PYTHON_IMAGE}
RUN groupadd --gid 10001 ocsf && useradd --uid 10001 --gid 10001 --no-create-home ocsf
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    DAGSTER_HOME=/tmp/dagster_home \
    HOME=/tmp \
    HF_HUB_OFFLINE=1 \
    TRANSFORMERS_OFFLINE=1
COPY --from=build /opt/venv /opt/venv
WORKDIR /opt/ocsf_pipeline
# Dagster's loader of defs/ looks for pyproject.toml above the package, at run time too.
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY deploy/images/dagster_home.py /opt/deploy/dagster_home.py
COPY dagster.yaml /opt/deploy/dagster.yaml
COPY ocsf_pipeline ocsf_pipeline
USER 10001:10001
EXPOSE 4000 8088
HEALTHCHECK --interval=15s --timeout=10s --start-period=90s --retries=4 \
    CMD ["dagster", "api", "grpc-health-check", "-p", "4000"]
# The code location; a run and the ingest endpoint name their own command.
CMD ["dagster", "api", "grpc", "-h", "0.0.0.0", "-p", "4000", "-m", "ocsf_pipeline.definitions"]
