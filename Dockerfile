# hierseg in a container, as a user without rights. docs/containers.md says how to build and run it.
#   docker build -t hierseg .                          the CPU variant
#   docker build -t hierseg:cuda --build-arg VARIANT=cuda .
ARG PYTHON=3.11-slim-bookworm
ARG VARIANT=cpu

FROM python:${PYTHON} AS base
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 UV_NO_CACHE=1 PYTHONDONTWRITEBYTECODE=1
RUN pip install uv==0.13.9 \
    && python -m venv /opt/hierseg
ENV PATH=/opt/hierseg/bin:$PATH VIRTUAL_ENV=/opt/hierseg
WORKDIR /build
COPY constraints.txt ./

# The wheel, by the build backend that constraints.txt pins.
FROM base AS wheel
COPY pyproject.toml setup.py README.md LICENSE ./
COPY src ./src
RUN uv pip install --constraint constraints.txt setuptools \
    && uv build --wheel --no-build-isolation --python /opt/hierseg/bin/python --out-dir /dist

# torch for the CPU alone is on PyTorch's own index, under the same versions; its hashes are not in constraints.txt.
FROM base AS torch-cpu
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN grep -oE '^torch(vision)?==[0-9.]+' constraints.txt > torch.txt \
    && uv pip install --no-deps --default-index "${TORCH_INDEX}" --requirement torch.txt

# PyPI's torch brings the CUDA libraries; the driver is the host's.
FROM base AS torch-cuda
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility

# hadolint ignore=DL3006
FROM torch-${VARIANT} AS hierseg
ARG EXTRAS=serve,video,heif,onnx,openvino
COPY --from=wheel /dist /dist
# Versions are those of constraints.txt, and every file is checked by the hashes there.
RUN uv pip install --verify-hashes --constraint constraints.txt "hierseg[${EXTRAS}] @ file://$(ls /dist/*.whl)" \
    && hierseg --version \
    && useradd --create-home --uid 1000 hierseg \
    && mkdir /work \
    && chown hierseg:hierseg /work
USER 1000
WORKDIR /work
EXPOSE 8765
ENTRYPOINT ["hierseg"]
CMD ["--help"]
