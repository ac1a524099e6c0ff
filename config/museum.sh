#!/bin/sh
# Installs real clients of others from their registries into .museum, for `make clients`; what is there stays.
# Each has its place: npm, two Python environments, Go, Maven. What the system's package manager has, it installs.
set -eu
museum=$(pwd)/.museum
mkdir -p "$museum"
sh config/system.sh npm libbio-tools-run-remoteblast-perl maven r-cran-httr r-cran-httr2 r-cran-readr r-bioc-annotate curl

if [ ! -e "$museum/npm/done" ]; then
    echo "== clients from npm"
    npm install --silent --no-fund --no-audit --prefix "$museum/npm" eventsource@4 standardwebhooks@1 @redocly/cli@2 \
        @stoplight/spectral-cli@6 openapi-typescript@7 openapi-fetch typescript@5
    touch "$museum/npm/done"
fi
if [ ! -e "$museum/py/done" ]; then
    echo "== clients from PyPI"
    python3 -m venv "$museum/py"
    "$museum/py/bin/pip" install --quiet --disable-pip-version-check biopython gget webblast biotite cblaster \
        httpx httpx-sse sseclient-py aiohttp-sse-client standardwebhooks pandas
    touch "$museum/py/done"
fi
if [ ! -e "$museum/flow/done" ]; then
    echo "== Snakemake from PyPI"
    python3 -m venv "$museum/flow"
    "$museum/flow/bin/pip" install --quiet --disable-pip-version-check snakemake
    touch "$museum/flow/done"
fi
if [ ! -e "$museum/java/done" ]; then
    echo "== BioJava from Maven"
    mkdir -p "$museum/java"
    cp tests/clients/programs/pom.xml "$museum/java/pom.xml"
    (cd "$museum/java" && mvn -q -B -Dmaven.repo.local="$museum/java/repository" dependency:copy-dependencies -DoutputDirectory=lib)
    touch "$museum/java/done"
fi
if [ ! -e "$museum/gen/done" ]; then
    echo "== openapi-python-client"
    python3 -m venv "$museum/gen"
    "$museum/gen/bin/pip" install --quiet --disable-pip-version-check openapi-python-client ruff
    touch "$museum/gen/done"
fi
command -v go > /dev/null 2>&1 || sh config/system.sh golang-go
if [ ! -e "$museum/go/done" ]; then
    echo "== oapi-codegen, and what its clients need"
    mkdir -p "$museum/go"
    GOPATH=$museum/go GOBIN=$museum/bin GOFLAGS=-modcacherw \
        go install github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2
    (
        cd "$museum/go"
        export GOPATH="$museum/go" GOFLAGS=-modcacherw
        rm -f go.mod go.sum
        go mod init example.org/search
        go get github.com/oapi-codegen/runtime@v1
    )
    touch "$museum/go/done"
fi
