#!/usr/bin/env bash
# packaging/release.sh VERSION [FOLDER]: makes a release of the commit that is checked out.
#
# The tree has to be clean, and .ci/run has to have passed for this commit; otherwise it is run first. Then the version is set,
# the changelog gets its date, and FOLDER (dist/VERSION) gets the wheel, the sources, and for each architecture the image (OCI
# archive) and the single file, each with a bill of materials, and the checksums of all. This is done in a separate working
# tree; the branch and the tag vVERSION are moved only after everything has succeeded. See packaging/README.md.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD

: "${ARCHITECTURES:=amd64 arm64}" # another one than this machine's needs qemu-user-static
: "${PYTHON:=python3}"            # a Python with cavecron's extra `dev` installed
# Base images; @ARCH@ is replaced by the architecture, for registries that have one name for each.
: "${BUILD_BASE:=docker.io/library/debian:13-slim}"
: "${FINAL_BASE:=gcr.io/distroless/cc-debian13:nonroot}"
: "${ONE_FILE_BASE:=docker.io/library/debian:12-slim}" # the oldest supported glibc
: "${BUILD_OPTIONS:=}"                                 # more options for `buildah bud`

say() { printf '== %s\n' "$*"; }
stop() {
    printf 'release.sh: %s\n' "$*" >&2
    exit 1
}

check() {
    local number='(0|[1-9][0-9]*)'
    [[ $version =~ ^$number\.$number\.$number$ ]] || stop "usage: packaging/release.sh MAJOR.MINOR.PATCH [FOLDER]"
    [ "$before" != "$version" ] && [ "$(printf '%s\n' "$before" "$version" | sort --version-sort | tail -n 1)" = "$version" ] ||
        stop "$version is not newer than $before"
    git symbolic-ref --quiet HEAD >/dev/null || stop "no branch is checked out"
    "$PYTHON" -m uv --version >/dev/null || stop "$PYTHON has no uv: pip install -e '.[dev]', or set PYTHON"
    [ -z "$(git status --porcelain)" ] || stop "the working tree is not clean: commit or stash first"
    ! git rev-parse --quiet --verify "refs/tags/v$version" >/dev/null || stop "v$version is there already"
    [ ! -e "$folder" ] || stop "$folder is there already"
    mkdir -p "$folder.part" || stop "$folder cannot be made"
    rmdir "$folder.part" || stop "$folder.part is there already"
    grep -q '^## Unreleased$' CHANGELOG.md || stop "CHANGELOG.md has no section '## Unreleased'"
    # .ci/run writes the commit for which it passed into this file.
    local passed
    passed=$(cat "$(git rev-parse --git-path cavecron-ci-passed)" 2>/dev/null || true)
    if [ "$passed" != "$(git rev-parse HEAD)" ]; then
        say "CI has not passed for this commit yet: .ci/run"
        .ci/run || stop "CI is not green"
    fi
}

# set_version: sets the version in each file that names it, and the date in the changelog.
set_version() {
    sed -i "s/^__version__ = .*/__version__ = \"$version\"/" cavecron/__init__.py
    sed -i "s/^ARG VERSION=.*/ARG VERSION=$version/" Containerfile
    git grep -lz --fixed-strings "cavecron:$before" -- ':!CHANGELOG.md' |
        xargs -0 sed -i "s/cavecron:${before//./\\.}/cavecron:$version/g"
    sed -i "s/^## Unreleased$/## $version - $(date -u +%F)/" CHANGELOG.md
    git commit --quiet --all --message "Release $version"
}

packages() {
    say "wheel and sources"
    "$PYTHON" -m uv build --quiet --python "$PYTHON" --out-dir "$out" .
    rm -f "$out/.gitignore"
}

# bud ARCHITECTURE BASE OPTION...: builds one target of the Containerfile.
bud() {
    local architecture=$1 base=$2
    shift 2
    # qemu spends most of its time on signing pointers, which this processor does not do.
    if [ "$architecture" = arm64 ] && [ "$here" != arm64 ]; then set -- --build-arg QEMU_CPU=cortex-a72 "$@"; fi
    # shellcheck disable=SC2086 # BUILD_OPTIONS is a list
    buildah bud --quiet --layers $BUILD_OPTIONS --platform "linux/$architecture" --timestamp "$SOURCE_DATE_EPOCH" \
        --build-arg "SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH" --build-arg "BUILD_BASE=${base//@ARCH@/$architecture}" \
        --build-arg "BUILDPLATFORM=linux/$here" --build-arg "FETCH_BASE=${base//@ARCH@/$here}" --build-arg "FINAL_BASE=${FINAL_BASE//@ARCH@/$architecture}" \
        --build-arg "REVISION=$(git rev-parse HEAD)" "$@" . >/dev/null
}

# containers ARCHITECTURE: builds the image and the single file, each with its bill of materials.
containers() {
    local architecture=$1 name=cavecron-$version-linux-$1 made
    made=$(mktemp -d -p "$work")
    say "image for $architecture"
    bud "$architecture" "$BUILD_BASE" --format docker --tag "localhost/cavecron:$version-$architecture"
    buildah push --quiet "localhost/cavecron:$version-$architecture" "oci-archive:$out/$name.oci.tar:cavecron:$version"
    "$PYTHON" packaging/docker_manifest.py "$out/$name.oci.tar" "cavecron:$version"
    bud "$architecture" "$BUILD_BASE" --target bill --output "type=local,dest=$made/image"
    mv "$made/image/sbom.cdx.json" "$out/$name.oci.cdx.json"
    say "single file for $architecture"
    bud "$architecture" "$ONE_FILE_BASE" --target binary --output "type=local,dest=$made/file"
    mv "$made/file/cavecron" "$out/$name"
    mv "$made/file/sbom.cdx.json" "$out/$name.cdx.json"
}

version=${1:-}
folder=$(realpath -m "${2:-dist/$version}")
before=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' cavecron/__init__.py)
PYTHON=$(realpath --no-symlinks "$(command -v "$PYTHON")") # the release is built in another folder
check
here=$(dpkg --print-architecture)
work=$(mktemp -d)
out=$work/out
mkdir "$out"
trap 'cd "$root"; git worktree remove --force "$work/tree" 2>/dev/null; rm -rf "$work"' EXIT
git worktree add --quiet --detach "$work/tree"
cd "$work/tree"
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
set_version
packages
for architecture in $ARCHITECTURES; do containers "$architecture"; done
(cd "$out" && sha256sum -- * >SHA256SUMS)
commit=$(git rev-parse HEAD)
cd "$root"
mv "$out" "$folder.part"
git merge --quiet --ff-only "$commit"
git tag --annotate --message "cavecron $version" "v$version"
mv "$folder.part" "$folder"
say "$version is in $folder, and tagged; push the branch and the tag"
