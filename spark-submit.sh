#!/usr/bin/env bash
# Run one of jobs/ on Spark: ./spark-submit.sh JOB [--env NAME] [arguments of the job]
set -euo pipefail

home=$(CDPATH='' cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")" && pwd -P)

list_jobs() {
    local file
    echo "jobs:"
    for file in "$home"/jobs/[a-z]*.py; do
        printf '  %-11s %s\n' "$(basename -- "$file" .py)" "$(sed -n '1{s/^"""//;s/"""$//;p;}' "$file")"
    done
}

usage() {
    echo "usage: ./spark-submit.sh JOB [--env NAME] [--set section.key=value ...] [arguments of the job]"
    list_jobs
    cat <<'TEXT'
--env names conf/<env>.toml and conf/spark/<env>.conf (default: NIGHTREEL_ENV, else local).
JOB --help tells a job's own arguments. Spark's own log is logs/spark.log.
SPARK_SUBMIT names another spark-submit, SPARK_ARGS further arguments for it: SPARK_ARGS='--master "local[2]"'.
TEXT
}

refuse() {
    echo "spark-submit.sh: $1" >&2
    exit 2
}

case ${1-} in
    "") usage >&2; exit 2 ;;
    -h | --help) usage; exit 0 ;;
    -*) refuse "$1: the job's name comes first (see --help)" ;;
esac
job=$1
shift
if [[ $job == */* || ! -f $home/jobs/$job.py ]]; then
    echo "spark-submit.sh: $job: unknown job" >&2
    list_jobs >&2
    exit 2
fi

env=${NIGHTREEL_ENV:-local}
help=
remote=
arguments=()
while (($#)); do
    case $1 in
        --env) (($# > 1)) || refuse "--env needs a name"; env=$2; shift ;;
        --env=*) env=${1#--env=} ;;
        -h | --help) help=yes ;;
        *) [[ $1 != --remote && $1 != --remote=* ]] || remote=yes; arguments+=("$1") ;;
    esac
    shift
done

python=$home/.venv/bin/python
[[ -x $python ]] || python=${PYSPARK_DRIVER_PYTHON:-${PYSPARK_PYTHON:-python3}}
command -v -- "$python" >/dev/null || refuse "no Python at $python: run \`make install\` in $home"
library() { PYTHONPATH="$home/lib${PYTHONPATH:+:$PYTHONPATH}" "$python" "$@"; }

# Neither help nor a Spark Connect client needs spark-submit.
if [[ $help ]]; then
    library "$home/jobs/$job.py" --help
    exit
elif [[ $remote ]]; then
    library "$home/jobs/$job.py" --env "$env" "${arguments[@]}"
    exit
fi

# What is wrong with settings, names and paths is said before Java starts, by a job that runs as the others do.
if grep -q '^from nightreel\.job import' "$home/jobs/$job.py"; then
    said=$(NIGHTREEL_CHECK=yes library "$home/jobs/$job.py" --env "$env" ${arguments[@]+"${arguments[@]}"} 2>&1) || {
        code=$?
        [[ $said != *ModuleNotFoundError* ]] || refuse "$python: ${said##*ModuleNotFoundError: }: run \`make install\` in $home"
        printf '%s\n' "$said" >&2
        exit "$code"
    }
fi

submit=${SPARK_SUBMIT:-}
check_java=()
if [[ -z $submit ]]; then
    SPARK_HOME=$("$python" -c 'from importlib.util import find_spec as f; print(f("pyspark").submodule_search_locations[0])' \
        2>/dev/null) ||
        refuse "no Spark beside $python: run \`make install\`, or name a spark-submit in SPARK_SUBMIT"
    export SPARK_HOME
    submit=$SPARK_HOME/bin/spark-submit
    check_java=(--check-java)
fi
command -v -- "$submit" >/dev/null || refuse "SPARK_SUBMIT = $submit: no such program"

# A local master runs Python where the driver does; elsewhere the executors' Python is the cluster's or PYSPARK_PYTHON.
export PYSPARK_DRIVER_PYTHON=${PYSPARK_DRIVER_PYTHON:-$python}
if grep -Eqs '^spark\.master[[:space:]=:]+local(\[.*\])?$' "$home/conf/spark/$env.conf"; then
    export PYSPARK_PYTHON=${PYSPARK_PYTHON:-$python}
fi

cache=$home/build
[[ -w $home && $home != *[,:%]* ]] || cache=${XDG_CACHE_HOME:-$HOME/.cache}/nightreel
words=$(library -m nightreel.session.submit --env "$env" --home "$home" --cache "$cache" --more "${SPARK_ARGS:-}" \
    ${check_java[@]+"${check_java[@]}"})
eval "submit_arguments=($words)"

logs=$PWD/logs
{ mkdir -p -- "$logs" && [[ -w $logs ]]; } 2>/dev/null || logs=${TMPDIR:-/tmp}
log=$logs/spark.log
export SPARK_SUBMIT_OPTS="${SPARK_SUBMIT_OPTS:-} '-Dlog4j2.configurationFile=$home/conf/spark/log4j2.properties' '-Dnightreel.log=$log'"

# What the JVM says besides its logging goes to the same file; of it, a person sees only why Spark did not start.
keep_noise() {
    trap '' INT
    log=$log exec awk '{ print >> ENVIRON["log"]; fflush(ENVIRON["log"]) }
        /^(Error: |Exception in thread "main" )/ {
            print "spark-submit.sh: " $0 " (details in " ENVIRON["log"] ")" > "/dev/stderr"
        }'
}
# Spark passes what a job says on standard error to standard output; through this name the job finds its own way there.
# Where both go to the same file it may not: each would write over the other's lines.
exec 3>&2
if [[ -e /proc/$$/fd/3 && ! (-f /proc/$$/fd/3 && /proc/$$/fd/3 -ef /proc/$$/fd/1) ]]; then
    export NIGHTREEL_STDERR=/proc/$$/fd/3
fi
exec "$submit" "${submit_arguments[@]}" "$home/jobs/$job.py" --env "$env" ${arguments[@]+"${arguments[@]}"} \
    2> >(keep_noise)
