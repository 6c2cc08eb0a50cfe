# syntax=docker/dockerfile:1

# The builder's glibc must not be newer than the runtime's: both are Debian 12.
FROM rust:1.95-slim-bookworm AS build
WORKDIR /build

# The dependencies alone, behind empty sources: this layer is built again only when the manifest or
# the lock file changes. Benches are cut out of the manifest, since their files are not there yet.
COPY Cargo.toml Cargo.lock ./
RUN sed -i '/^\[\[bench\]\]/,/^$/d' Cargo.toml \
 && mkdir src && echo 'fn main() {}' > src/main.rs && touch src/lib.rs \
 && cargo build --profile dist --locked \
 && rm -r src

# COPY keeps file times, which may be older than what was just built: touched files are built again.
COPY . .
RUN touch src/main.rs src/lib.rs \
 && cargo build --profile dist --locked \
 && mkdir /state

FROM gcr.io/distroless/cc-debian12
COPY --from=build /build/target/dist/upauth /upauth
# The own CA and the store live here: the one place to mount a volume; the rest can be read-only.
COPY --from=build --chown=65532:65532 --chmod=700 /state /var/lib/upauth
ENV STATE_DIRECTORY=/var/lib/upauth UPAUTH_CONFIG=/etc/upauth/proxy.toml
# Numeric, since `runAsNonRoot` of Kubernetes cannot check a name.
USER 65532:65532
EXPOSE 7717
# Exec form, so that SIGTERM arrives at upauth itself.
ENTRYPOINT ["/upauth"]
CMD ["run"]
# Asks the admin listener, or [admin] health_listen.
HEALTHCHECK --interval=10s --timeout=6s CMD ["/upauth", "health"]
