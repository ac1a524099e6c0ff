#!/bin/sh
# NCBI's sample client (web_blast.pl of its URL API pages) as a shell script with curl: submit, poll SearchInfo, fetch text.
# Exit codes as there: 2 no hits, 3 the search is unknown, 4 it failed, 5 not accepted.
url=$1 program=$2 database=$3 query=$4
case $program in
    megablast) set -- --data PROGRAM=blastn --data MEGABLAST=on ;;
    rpsblast) set -- --data PROGRAM=blastp --data SERVICE=rpsblast ;;
    *) set -- --data "PROGRAM=$program" ;;
esac
page=$(curl --silent --show-error --data CMD=Put "$@" --data "DATABASE=$database" --data-urlencode "QUERY@$query" "$url")
rid=$(printf '%s\n' "$page" | sed -n 's/^    RID = \(.*\)$/\1/p')
rtoe=$(printf '%s\n' "$page" | sed -n 's/^    RTOE = \(.*\)$/\1/p')
[ -n "$rid" ] || exit 5
sleep "$rtoe"
while :; do
    page=$(curl --silent --show-error "$url?CMD=Get&FORMAT_OBJECT=SearchInfo&RID=$rid")
    case $page in
        *Status=WAITING*) sleep 1 ;;
        *Status=FAILED*) exit 4 ;;
        *Status=UNKNOWN*) exit 3 ;;
        *Status=READY*ThereAreHits=yes*) break ;;
        *Status=READY*) exit 2 ;;
        *) exit 5 ;;
    esac
done
curl --silent --show-error "$url?CMD=Get&FORMAT_TYPE=Text&RID=$rid"
