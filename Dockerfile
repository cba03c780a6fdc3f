# bothends in a container: a virtual environment built in one stage and copied to another that holds nothing else.
# docker build -t bothends .                                  on a CPU
# docker build -t bothends:gpu --build-arg ACCELERATOR=gpu .  on an NVIDIA GPU; the host brings the driver
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
# What compiles the native engine and transport. python3-dev has the headers where the base's Python is Debian's own.
# Not pinned: Debian's stable release changes it for security only, and drops the version that was there before.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends g++ python3-dev libllhttp-dev libnghttp2-dev libssl-dev \
        libyyjson-dev zlib1g-dev \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin
ARG ACCELERATOR=cpu
WORKDIR /src
COPY deploy/locks deploy/locks
# Nothing is installed whose hash isn't in a lock, not even what builds the wheel (`make lock` writes them). pip stays outside
# of the environment. Its compiled modules stay inside: the root filesystem is read-only later, and without them each start
# and each health check would compile everything again.
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m venv --without-pip /opt/bothends \
 && python -m pip --python /opt/bothends/bin/python install --require-hashes --requirement deploy/locks/${ACCELERATOR}.txt \
 && python -m venv /builder \
 && /builder/bin/pip install --require-hashes --requirement deploy/locks/build.txt
# Compiled before the rest is here, so that a change there doesn't compile it again. It runs on any processor of the
# builder's architecture: what that one can do is asked for when the engine is loaded.
COPY native native
RUN /builder/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels ./native
COPY pyproject.toml README.md LICENSE ./
COPY service service
COPY export export
COPY training training
RUN /builder/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
 && python -m pip --python /opt/bothends/bin/python install --no-deps --no-index /wheels/*.whl \
 && find /opt/bothends -type d -name tests -prune -exec rm -r {} +

FROM ${PYTHON_IMAGE}
# What the native transport is linked with, not pinned for the same reason. Debian 13 gives libssl3t64 for libssl3.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends libllhttp9.2 libnghttp2-14 libssl3 libyyjson0 zlib1g \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin
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
