#!/bin/sh
# Runs in the build stage: builds the program and puts it, its licence and its bill of materials into the folder $1.
set -eu
into=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
PYTHONPATH=$(/opt/runtime/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
# Without column numbers modules are smaller and load faster; tracebacks show them only if the sources are there.
export PYTHONPATH PYTHONHASHSEED=0 PYTHONNODEBUGRANGES=1
/opt/tools/bin/python -m PyInstaller --noconfirm --log-level WARN --distpath "$work/dist" --workpath "$work/build" packaging/cavecron.spec
mkdir -p "$into" /opt/data
if [ -d "$work/dist/cavecron" ]; then
    cp -R "$work/dist/cavecron/." "$into"
else
    cp "$work/dist/cavecron" "$into"
fi
/opt/tools/bin/python packaging/sbom.py "$work/build/cavecron/libraries.txt" > "$into/sbom.cdx.json"
cp LICENSE "$into"
# Shared libraries need no execute permission; only the program itself has it.
find "$into" -type f -exec chmod 0644 {} +
chmod 0755 "$into/cavecron"
find "$into" /opt/data -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
