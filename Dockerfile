# bothends in a container: a virtual environment built in one stage and copied to another that holds nothing else.
# docker build -t bothends .                                  on a CPU
# docker build -t bothends:gpu --build-arg ACCELERATOR=gpu .  on an NVIDIA GPU; the host brings the driver
# docker build -t bothends --build-arg NATIVE=wheels .        from dist/wheels (`make wheels`), as a release is: with no compiler at all
ARG PYTHON_IMAGE=python:3.13-slim
ARG NATIVE=source

# Nothing is installed whose hash isn't in a lock, not even what builds a wheel (`make lock` writes them).
FROM ${PYTHON_IMAGE} AS builder
WORKDIR /src
COPY deploy/locks/build.txt deploy/locks/build.txt
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m venv /builder \
 && /builder/bin/pip install --require-hashes --requirement deploy/locks/build.txt

# The native engine and transport, compiled here. python3-dev has the headers where the base's Python is Debian's own.
# Not pinned: Debian's stable release changes it for security only, and drops the version that was there before.
FROM builder AS native-source
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends g++ python3-dev libllhttp-dev libnghttp2-dev libssl-dev \
        libyyjson-dev zlib1g-dev \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin
# Compiled before the rest is here, so that a change there doesn't compile it again. It runs on any processor of the
# builder's architecture: what that one can do is asked for when the engine is loaded. Its libraries go into the wheel.
COPY native native
RUN /builder/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /built ./native \
 && PATH=/builder/bin:$PATH auditwheel repair --wheel-dir /wheels /built/*.whl

# Or as wheels that were made before, one of which fits.
FROM scratch AS native-wheels
COPY dist/wheels /wheels

# hadolint ignore=DL3006
FROM native-${NATIVE} AS native

FROM builder AS build
ARG ACCELERATOR=cpu
COPY deploy/locks deploy/locks
# pip stays outside of the environment. Its compiled modules stay inside: the root filesystem is read-only later, and without
# them each start and each health check would compile everything again.
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m venv --without-pip /opt/bothends \
 && python -m pip --python /opt/bothends/bin/python install --require-hashes --requirement deploy/locks/${ACCELERATOR}.txt
COPY native/pyproject.toml native/pyproject.toml
COPY deploy/release/sbom.py deploy/release/version.py deploy/release/
COPY pyproject.toml README.md LICENSE ./
COPY service service
COPY export export
COPY training training
COPY --from=native /wheels /wheels
# What is installed is told by /opt/bothends/sbom.cdx.json.
RUN /builder/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
 && version=$(python deploy/release/version.py) \
 && python -m pip --python /opt/bothends/bin/python install --no-deps --no-index --find-links /wheels \
        "bothends==$version" "bothends-native==$version" \
 && find /opt/bothends -type d -name tests -prune -exec rm -r {} + \
 && python deploy/release/sbom.py environment /opt/bothends > /opt/bothends/sbom.cdx.json

FROM ${PYTHON_IMAGE}
COPY --from=build /opt/bothends /opt/bothends
ENV PATH=/opt/bothends/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    ORT_DISABLE_TELEMETRY=1 \
    GRPC_VERBOSITY=NONE \
    BOTHENDS_HOST=0.0.0.0
USER 65532:65532
WORKDIR /
EXPOSE 50051 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --retries=3 --start-period=60s --start-interval=1s CMD ["bothends", "health"]
ENTRYPOINT ["bothends"]
CMD ["serve"]
