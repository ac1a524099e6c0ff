# blastd with NCBI BLAST+ of Debian, as a user of its own.
FROM debian:bookworm-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends python3 python3-venv
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY blastd blastd
COPY migrations migrations
RUN python3 -m venv /opt/blastd && /opt/blastd/bin/pip install --no-cache-dir .

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 ncbi-blast+ util-linux \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --home-dir /var/lib/blastd --create-home blastd
COPY --from=build /opt/blastd /opt/blastd
USER blastd
VOLUME ["/var/lib/blastd", "/db"]
EXPOSE 8470
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python3", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8470/livez', timeout=4)"]
ENTRYPOINT ["/opt/blastd/bin/blastd"]
CMD ["serve", "--listen", "0.0.0.0:8470", "--state-dir", "/var/lib/blastd", "--db-dir", "/db"]
