#!/bin/sh
# Starts the daemon with the small 16S database, runs one real search and shows its top hits.
# With --once it stops the daemon afterwards; otherwise the daemon serves until Ctrl-C.
set -eu
here=$(dirname "$0")
work=${BLASTD_DEMO_DIR:-.demo}
listen=${BLASTD_DEMO_LISTEN:-127.0.0.1:8470}
BLASTD_URL=http://$listen
export BLASTD_URL
PATH=$(pwd)/.venv/bin:$PATH
mkdir -p "$work/db"
if [ ! -e "$work/db/16S_demo.nin" ]; then
    echo "== building the database 16S_demo (1,200 16S rRNA genes)"
    gzip -dc "$here/16S_demo.fa.gz" > "$work/db/16S_demo.fa"
    (cd "$work/db" && makeblastdb -in 16S_demo.fa -dbtype nucl -parse_seqids -title "16S rRNA genes (demonstration)" \
        -out 16S_demo > /dev/null)
fi
echo "== starting blastd on $BLASTD_URL (state and log in $work)"
blastd serve --listen "$listen" --state-dir "$work/state" --db-dir "$work/db" > "$work/blastd.log" 2>&1 &
daemon=$!
stop() {
    kill "$daemon" 2> /dev/null || true
    wait "$daemon" 2> /dev/null || true
}
trap 'stop; exit 130' INT TERM
trap stop EXIT
tries=0
until blastd db list > "$work/databases.txt" 2> /dev/null; do
    tries=$((tries + 1))
    if ! kill -0 "$daemon" 2> /dev/null || [ "$tries" -gt 60 ]; then
        echo "blastd did not start:" >&2
        tail -n 20 "$work/blastd.log" >&2
        exit 1
    fi
    sleep 0.3
done
cat "$work/databases.txt"
echo "== searching: blastd submit --program blastn --db 16S_demo $here/query.fa --wait --format tabular"
blastd submit --program blastn --db 16S_demo "$here/query.fa" --title "first search" --wait --format tabular \
    --out "$work/hits.tsv"
printf 'query\tsubject\t%% identity\tlength\te-value\tbit score\n'
head -n 10 "$work/hits.tsv" | cut -f 1-4,11,12
echo "== done; all hits are in $work/hits.tsv"
if [ "${1:-}" = --once ]; then
    exit 0
fi
echo "== the page: $BLASTD_URL   (Ctrl-C stops the daemon)"
wait "$daemon"
