#!/bin/sh
# Fetches what the program is made with, for a machine that may be another one than this: /target has the list of its
# Debian packages (dpkg's status) and its name (`uname -m`). Nothing of it is run or built here, and nothing is left to be
# resolved there: Debian's packages end in /target/debs, the wheels of both locks, each with a hash of its lock, in the
# virtual environments /opt/tools and /opt/runtime, whose links lead to the Python of whatever machine they lie on.
set -eu
field() { sed -n "/^Package: $1\$/,/^\$/s/^$2: //p" /target/status; }

machine=$(cat /target/machine) architecture=$(field dpkg Architecture) glibc=$(field libc6 Version)
python=$(basename "$(readlink -f /usr/bin/python3)") # of the same Debian, and so of the same version there
mkdir -p /target/lists /target/debs
cat > /target/apt.conf <<EOF
APT { Architecture "$architecture"; Architectures { "$architecture"; }; Install-Recommends "false"; };
Acquire::Languages "none";
Dir { State::status "/target/status"; State::lists "/target/lists"; Cache::archives "/target/debs"; };
EOF
export APT_CONFIG=/target/apt.conf
apt-get update
apt-get install --yes --download-only binutils python3 "lib$python"
rm -r /target/debs/lock /target/debs/partial

minor=${glibc#2.} minor=${minor%%[!0-9]*}
platforms="--platform manylinux2014_$machine"
for older in $(seq 17 "$minor"); do
    platforms="$platforms --platform manylinux_2_${older}_$machine"
done
python3 -m venv /opt/pip
# unpack LOCK FOLDER
unpack() {
    python3 -m venv --without-pip "$2"
    # shellcheck disable=SC2086 # a list of options
    /opt/pip/bin/pip install --quiet --no-cache-dir --no-deps --require-hashes --only-binary=:all: $platforms \
        --target "$2/lib/$python/site-packages" --requirement "$1"
}
unpack packaging/build.lock /opt/tools
unpack packaging/requirements.lock /opt/runtime
