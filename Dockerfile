# The image that the DaemonSet and the Deployment run: the base lock and the package, nothing else.
# It stands on any Debian or Ubuntu with Python 3.11 or newer, its venv and ensurepip, and libstdc++6, such as this:
ARG BASE=docker.io/library/python:3.13-slim-trixie

# A package index of one's own and the certificates of a proxy come as secrets, which no layer keeps:
# --secret id=pip,src=/etc/pip.conf --secret id=certificates,src=/etc/ssl/certs/ca-certificates.crt
FROM ${BASE} AS packages
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_COMPILE=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /source
# Many bases come without the standard library's bytecode, and a read-only root can't write it: each start would compile
# it anew, which makes the start four times slower. What is missing goes to /bytecode; an agent runs none of what is
# left out. Unchecked, as all bytecode here: a tool that sets the files' times anew would make it stale otherwise.
RUN touch /began && library=$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))') \
 && python3 -m compileall -q --invalidation-mode unchecked-hash \
    -x '/(site-packages|dist-packages|tests?|idlelib|tkinter|turtledemo|lib2to3|ensurepip|pydoc_data)/' "$library" \
 && mkdir /bytecode \
 && find "$library" -name '*.pyc' -newer /began -print0 | tar --null -cf - -T - | tar -xf - -C /bytecode
COPY requirements/base.txt requirements/
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    --mount=type=secret,id=certificates,target=/etc/ssl/certs/ca-certificates.crt \
    python3 -m venv /build && python3 -m venv --without-pip /opt/prewarm \
 && /build/bin/pip --python /opt/prewarm/bin/python3 install \
    --no-deps --require-hashes --only-binary=:all: -r requirements/base.txt \
 && rm -r /opt/prewarm/include /opt/prewarm/bin/[Aa]ctivate* \
 && /opt/prewarm/bin/python3 -m compileall -q --invalidation-mode unchecked-hash /opt/prewarm/lib

FROM packages AS product
COPY requirements/build.txt requirements/
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    --mount=type=secret,id=certificates,target=/etc/ssl/certs/ca-certificates.crt \
    /build/bin/pip install --no-deps --require-hashes --only-binary=:all: -r requirements/build.txt
COPY . .
RUN /build/bin/pip wheel --no-index --no-deps --no-build-isolation --wheel-dir /dist . \
 && /build/bin/pip --python /opt/prewarm/bin/python3 install --no-index --no-deps --prefix /product /dist/*.whl \
 && /opt/prewarm/bin/python3 -m compileall -q --invalidation-mode unchecked-hash -s /product -p /opt/prewarm /product/lib

# Nothing runs in the last stage: it needs no shell, and what changes most lies on top.
FROM ${BASE}
COPY --from=packages /bytecode /
COPY --from=packages /opt/prewarm /opt/prewarm
# gRPC's fork handlers cost threads and are of no use: helpers are started by subprocess only.
ENV PATH=/opt/prewarm/bin:$PATH GRPC_ENABLE_FORK_SUPPORT=false PYTHONDONTWRITEBYTECODE=1
LABEL org.opencontainers.image.title="Prewarm" \
      org.opencontainers.image.description="Puts container images on Kubernetes nodes before Pods need them" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.1.0"
# The runtime's socket belongs to root's group; nothing else of root is needed.
USER 65532:0
ENTRYPOINT ["prewarm"]
COPY --from=product /product /opt/prewarm
