# The image that the DaemonSet and the Deployment run: the base lock and the package, nothing else.
ARG BASE=docker.io/library/python:3.13-slim-trixie

FROM ${BASE} AS build
WORKDIR /source
COPY requirements requirements
RUN python3 -m venv /build \
 && /build/bin/pip install --no-cache-dir --no-deps --require-hashes -r requirements/dev.txt
RUN python3 -m venv --without-pip /opt/prewarm \
 && /build/bin/pip --python /opt/prewarm/bin/python install --no-cache-dir --no-deps --require-hashes -r requirements/base.txt
COPY . .
RUN /build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /dist . \
 && /build/bin/pip --python /opt/prewarm/bin/python install --no-deps /dist/*.whl

FROM ${BASE}
# The base comes without the standard library's bytecode, and a read-only root can't write it: each start would compile
# it anew, which makes the start four times slower.
RUN python3 -m compileall -q "$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"
COPY --from=build /opt/prewarm /opt/prewarm
# gRPC's fork handlers cost threads and are of no use: helpers are started by subprocess only.
ENV PATH=/opt/prewarm/bin:$PATH GRPC_ENABLE_FORK_SUPPORT=false PYTHONDONTWRITEBYTECODE=1
# The runtime's socket belongs to root's group; nothing else of root is needed.
USER 65532:0
ENTRYPOINT ["prewarm"]
