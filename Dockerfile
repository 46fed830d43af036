# syntax=docker/dockerfile:1
# The worker in an image of its binary, the C library and the CA certificates: no shell, not root, read-only root works.
#   docker build --build-arg LOCKGATE_REVISION=$(git rev-parse --short HEAD) -t lockgate .
#   docker run --read-only --cap-drop ALL -v ./topologies:/etc/lockgate/topologies:ro -v ./avro:/etc/lockgate/avro:ro \
#     -e LOCKGATE__KAFKA__BROKERS=… -e LOCKGATE__REGISTRY__URL=… lockgate run /etc/lockgate/topologies --avro /etc/lockgate/avro

FROM rust:1.95-slim-bookworm AS build
# For the native libraries that are built from source: librdkafka, OpenSSL, zlib, zstd.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends g++ make perl \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY src src
COPY topologies topologies
COPY avro avro
ARG LOCKGATE_REVISION=unknown
# The folder of artefacts is a cache that the image does not keep, so the binary is copied out of it.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    LOCKGATE_REVISION="$LOCKGATE_REVISION" cargo build --release --locked --bin lockgate \
 && cp target/release/lockgate /lockgate

FROM gcr.io/distroless/cc-debian12:nonroot
LABEL org.opencontainers.image.title="lockgate" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /lockgate /usr/local/bin/lockgate
WORKDIR /etc/lockgate
# Inside a container loopback is of no use to Prometheus; publish the port to 127.0.0.1 or keep it on a private network.
ENV LOCKGATE__ADMIN__LISTEN=0.0.0.0:9400
EXPOSE 9400
USER nonroot
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=20s --retries=3 CMD ["lockgate", "health"]
ENTRYPOINT ["lockgate"]
CMD ["--help"]
