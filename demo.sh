#!/usr/bin/env bash
# Real chat against real node processes, one of them killed on the way; ./demo.sh --help says all. Needs the .NET SDK alone.
set -u
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd) || exit 2

if ! command -v dotnet >/dev/null 2>&1; then
  echo "demo: dotnet is not on the PATH; install the .NET 10 SDK." >&2
  exit 2
fi

log=$(mktemp) || exit 2
trap 'rm -f "$log"' EXIT
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
echo "Building (a first build takes a minute or two)" >&2
for project in src/Cluster.Sample demo/Cluster.Demo; do
  if ! dotnet build "$root/$project" -c Release -v quiet --nologo >"$log" 2>&1; then
    cat "$log" >&2
    echo "demo: $project does not build; what the compiler says stands above." >&2
    exit 2
  fi
done
rm -f "$log"
trap - EXIT

# The driver keeps the caller's folder, so relative paths mean what they say.
exec dotnet "$root/demo/Cluster.Demo/bin/Release/net10.0/Cluster.Demo.dll" \
  --sample "$root/src/Cluster.Sample/bin/Release/net10.0/Cluster.Sample.dll" "$@"
