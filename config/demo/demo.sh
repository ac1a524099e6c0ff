#!/bin/sh
# Starts the daemon with the small 16S database, runs one real search and shows its top hits.
# With --once it stops the daemon afterwards; otherwise the daemon serves until Ctrl-C.
set -eu
umask 077
here=$(dirname "$0")
work=${BLASTD_DEMO_DIR:-.demo}
listen=${BLASTD_DEMO_LISTEN:-127.0.0.1:8470}
seconds=60
BLASTD_ANSWER_SECONDS=$seconds
export BLASTD_ANSWER_SECONDS
PATH=$(pwd)/.venv/bin:$PATH
# Settings and secrets of another service on this machine are none of the demonstration's.
unset BLASTD_CONFIG BLASTD_TOKEN http_proxy HTTP_PROXY all_proxy ALL_PROXY
mkdir -p "$work/db"
if [ ! -e "$work/db/16S_demo.nin" ]; then
    echo "== building the database 16S_demo (1,200 16S rRNA genes)"
    gzip -dc "$here/16S_demo.fa.gz" > "$work/db/16S_demo.fa"
    (cd "$work/db" && makeblastdb -in 16S_demo.fa -dbtype nucl -parse_seqids -title "16S rRNA genes (demonstration)" \
        -out 16S_demo > /dev/null)
fi
echo "== starting blastd on http://$listen (state and log in $work)"
: > "$work/blastd.log"
blastd serve --listen "$listen" --state-dir "$work/state" --db-dir "$work/db" --log-format json > "$work/blastd.log" 2>&1 &
daemon=$!
stop() {
    kill "$daemon" 2> /dev/null || true
    wait "$daemon" 2> /dev/null || true
}
trap 'stop; exit 130' INT TERM
trap stop EXIT
# The daemon that we started says itself where it listens: whatever else answers on that address is not it.
tries=0
until BLASTD_URL=$(sed -n 's/.*"url":"\(http[^"]*\)".*"event":"listening".*/\1/p' "$work/blastd.log") && [ -n "$BLASTD_URL" ]; do
    tries=$((tries + 1))
    if ! kill -0 "$daemon" 2> /dev/null || [ "$tries" -gt $((seconds * 5)) ]; then
        echo "blastd did not start on $listen:" >&2
        tail -n 5 "$work/blastd.log" >&2
        echo "Another address: BLASTD_DEMO_LISTEN=127.0.0.1:8471 make run" >&2
        exit 1
    fi
    sleep 0.2
done
export BLASTD_URL
blastd db list
echo "== searching: blastd submit --program blastn --db 16S_demo $here/query.fa --wait --format tabular"
blastd submit --program blastn --db 16S_demo "$here/query.fa" --title "first search" --wait --format tabular \
    --out "$work/hits.tsv"
if ! kill -0 "$daemon" 2> /dev/null; then
    echo "blastd ended during the search:" >&2
    tail -n 5 "$work/blastd.log" >&2
    exit 1
fi
printf 'query\tsubject\t%% identity\tlength\te-value\tbit score\n'
head -n 10 "$work/hits.tsv" | cut -f 1-4,11,12
echo "== done; all hits are in $work/hits.tsv"
if [ "${1:-}" = --once ]; then
    exit 0
fi
cat << END
== open $BLASTD_URL in a browser; Ctrl-C here stops the daemon. Things to try, in another terminal:
   .venv/bin/blastd submit --program blastn --db 16S_demo $here/query.fa --wait --format pairwise
   .venv/bin/blastd db make YOURS.fa --name yours        # then search in your own sequences
   curl --data-binary @$here/query.fa '$BLASTD_URL/api/blast/jobs?program=blastn&database=16S_demo'
END
wait "$daemon"
