#!/usr/bin/env bash
# Builds everything, checks the formatting, tries every benchmark, runs every test, and ends with "N passed, N failed". Needs the .NET 10 SDK; installs the rest.
# ./test.sh --nemesis 20m [--nodes 3] [--seed S] [--json]: faults on real processes and networks for so long, instead of the tests; docs/reliability.md.
set -u
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd) || exit 2
cd "$root" || exit 2
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 CI=true

say() { printf '\n== %s (%s s)\n' "$1" "$SECONDS"; }
fail() { echo "test: $1" >&2; exit 1; }

command -v dotnet >/dev/null 2>&1 || fail "dotnet is not on the PATH; install the .NET 10 SDK."
install() { # what, package, why
  say "Installing $1: $3"
  if [ "$(id -u)" = 0 ]; then as_root=""; elif command -v sudo >/dev/null 2>&1; then as_root="sudo"; else fail "$1 is missing; install it: apt-get install $2"; fi
  $as_root apt-get update -qq && $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$2" >/dev/null || fail "$1 could not be installed; install it: apt-get install $2"
}
command -v node >/dev/null 2>&1 || install Node.js nodejs "the browser client is held to the same vectors as the others"
if ! command -v initdb >/dev/null 2>&1 && ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then
  install PostgreSQL postgresql "the store for several machines is tested on servers of its own"
fi
# Also where they cannot be used: the nemesis then says what it could not inject.
if [ "$(id -u)" = 0 ] && ! command -v iptables >/dev/null 2>&1; then install iptables iptables "the nemesis cuts networks with it"; fi
if [ "$(id -u)" = 0 ] && ! command -v tcc >/dev/null 2>&1 && ! command -v cc >/dev/null 2>&1; then install tcc tcc "the nemesis compiles wall clocks that are wrong"; fi

if [ "${1:-}" = --nemesis ]; then
  shift
  dotnet build tests/Cluster.MultiNode.Tests -c Release -v quiet --nologo >&2 || fail "the build failed."
  exec dotnet tests/Cluster.MultiNode.Tests/bin/Release/net10.0/Cluster.MultiNode.Tests.dll nemesis "$@"
fi

say "Build"
dotnet restore ActorCluster.sln --locked-mode -v quiet || fail "the restore differs from the lock files, or a package is missing."
dotnet build ActorCluster.sln -c Release --no-restore -v quiet --nologo || fail "the build failed."

say "Format"
dotnet format ActorCluster.sln --no-restore --verify-no-changes --severity warn || fail "run: dotnet format ActorCluster.sln"

results=$(mktemp -d) || exit 2
trap 'rm -rf "$results"' EXIT
passed=0 failed=0

say "Benchmarks: each once, small and without thresholds, so that none is found broken on the day it is wanted"
bench="dotnet bench/Cluster.Bench/bin/Release/net10.0/Cluster.Bench.dll"
rows=$($bench list) && [ -n "$rows" ] || fail "the bench does not list its rows."
for row in $rows; do
  case $row in gateway) size="--callers 50" ;; rehome*) size="--entities 2000" ;; *) size="" ;; esac
  line=$(timeout --kill-after=5 60 $bench "$row" --seconds 1 --runs 1 $size --json 2>"$results/bench")
  if [ $? = 0 ] && [[ $line == "{\"bench\":\"$row\",\"value\":"[1-9]* || $line == "{\"bench\":\"$row\",\"value\":0."* ]]; then
    passed=$((passed + 1))
  else
    echo "test: bench $row failed: $line" >&2
    cat "$results/bench" >&2
    failed=$((failed + 1))
  fi
done

for project in tests/*/*.csproj; do
  name=$(basename "$project" .csproj)
  say "$name"
  # A skipped test counts as failed: what cannot run says so and fails.
  # What the simulator met, and at which seed it found each planted bug, is worth reading on a good day too.
  case $name in *Simulation*) shown="-showLiveOutput" ;; *) shown="" ;; esac
  timeout --kill-after=30 900 dotnet "tests/$name/bin/Release/net10.0/$name.dll" -failSkips -noLogo -noColor $shown -xml "$results/$name.xml"
  code=$?
  if [ -s "$results/$name.xml" ]; then
    read -r p f < <(sed -n 's/.*<assembly [^>]*passed="\([0-9]*\)"[^>]*failed="\([0-9]*\)".*/\1 \2/p; s/.*<assembly [^>]*failed="\([0-9]*\)"[^>]*passed="\([0-9]*\)".*/\2 \1/p' "$results/$name.xml" | head -n 1)
    passed=$((passed + ${p:-0})) failed=$((failed + ${f:-0}))
    if [ "$code" != 0 ] && [ "${f:-0}" = 0 ]; then echo "test: $name ended with code $code." >&2; failed=$((failed + 1)); fi
  else
    echo "test: $name left no results, code $code." >&2
    failed=$((failed + 1))
  fi
done

say "Done"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
