# syntax=docker/dockerfile:1.7
# Dagster's web server and daemon. They hold none of our code: they ask the code location over gRPC.
#
#   docker build -f deploy/images/dagster.Dockerfile -t ocsf-dagster:0.1.0 .
ARG PYTHON_IMAGE=python:3.11.14-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_COMPILE=1
RUN python -m venv /opt/venv
WORKDIR /build
COPY constraints.txt ./
# Versions come from constraints.txt, the same file that pins the pipeline's image.
# hadolint ignore=DL3013
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/venv/bin/pip install -c constraints.txt \
      dagster dagster-webserver dagster-postgres dagster-docker dagster-aws

FROM ${PYTHON_IMAGE}
RUN groupadd --gid 10001 ocsf && useradd --uid 10001 --gid 10001 --no-create-home ocsf
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    DAGSTER_HOME=/tmp/dagster_home \
    HOME=/tmp
COPY --from=build /opt/venv /opt/venv
WORKDIR /opt/deploy
COPY deploy/images/dagster_home.py dagster.yaml workspace.yaml ./
USER 10001:10001
EXPOSE 3000
# Writes $DAGSTER_HOME/dagster.yaml with the numbers of the environment, then becomes the command.
ENTRYPOINT ["python", "/opt/deploy/dagster_home.py", "/opt/deploy/dagster.yaml", "--"]
CMD ["dagster-webserver", "-h", "0.0.0.0", "-p", "3000", "-w", "/opt/deploy/workspace.yaml"]
