# blastd with the NCBI BLAST+ of Debian 13, as a user of its own. The same image serves as `kubernetes.image`.
FROM debian:trixie-slim AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 python3-venv \
    && python3 -m venv /opt/pip \
    && python3 -m venv --without-pip /opt/blastd
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY blastd blastd
COPY migrations migrations
# pip stays behind in this stage.
RUN /opt/pip/bin/pip --python /opt/blastd/bin/python install --no-cache-dir '.[server]'

FROM debian:trixie-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 ncbi-blast+ ca-certificates \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log \
    && useradd --no-log-init --uid 8470 --user-group --home-dir /var/lib/blastd --shell /usr/sbin/nologin blastd \
    && install -d -m 700 -o blastd -g blastd /var/lib/blastd \
    && install -d /db \
    && ln -s /opt/blastd/bin/blastd /usr/local/bin/blastd
COPY --from=build /opt/blastd /opt/blastd
# By number, so that Kubernetes' runAsNonRoot can see that it is not root.
USER 8470:8470
ENV STATE_DIRECTORY=/var/lib/blastd
VOLUME ["/var/lib/blastd"]
EXPOSE 8470
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python3", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8470/livez', timeout=4)"]
ENTRYPOINT ["blastd"]
CMD ["serve", "--listen", "0.0.0.0:8470", "--db-dir", "/db"]
