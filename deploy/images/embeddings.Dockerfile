# syntax=docker/dockerfile:1.7
# One model behind Hugging Face's text-embeddings-inference, with the model inside: the build fetches it,
# the container fetches nothing. Used by the profile `trieve` only.
#
#   docker build -f deploy/images/embeddings.Dockerfile --build-arg MODEL=BAAI/bge-reranker-base .
ARG SERVER_IMAGE=ghcr.io/huggingface/text-embeddings-inference:cpu-1.5
ARG PYTHON_IMAGE=python:3.11.14-slim-bookworm

FROM ${PYTHON_IMAGE} AS model
ARG MODEL
# A commit of the model's repository; a branch is not a pin.
ARG REVISION=main
COPY constraints.txt /tmp/
# hadolint ignore=DL3013
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install --disable-pip-version-check -c /tmp/constraints.txt huggingface_hub \
    && python -c "import sys; from huggingface_hub import snapshot_download; \
       snapshot_download(sys.argv[1], revision=sys.argv[2], local_dir='/model', \
       ignore_patterns=['*.onnx', '*.h5', '*.msgpack', 'openvino/*'])" "${MODEL}" "${REVISION}"

# hadolint ignore=DL3006
FROM ${SERVER_IMAGE}
ENV HF_HUB_OFFLINE=1 HOME=/tmp
COPY --from=model /model /model
USER 10001:10001
EXPOSE 8080
ENTRYPOINT ["text-embeddings-router"]
CMD ["--model-id", "/model", "--port", "8080"]
