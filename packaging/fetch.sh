#!/bin/sh
# Fetches the packages for building the program on a target machine, which can have another architecture than this one.
# Its list of installed Debian packages (dpkg's status) and its name (`uname -m`) are in /target. Nothing is run or compiled
# here, and the target need not resolve anything: the Debian packages are put into /target/debs. The wheels of both locks,
# verified by their hashes, are put into the virtual environments /opt/tools and /opt/runtime, which have no Python of
# their own: their links lead to that of the target.
set -eu
field() { sed -n "/^Package: $1\$/,/^\$/s/^$2: //p" /target/status; }

machine=$(cat /target/machine) architecture=$(field dpkg Architecture) glibc=$(field libc6 Version)
python=$(basename "$(readlink -f /usr/bin/python3)") # the target has the same Debian, so the same version
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
# unpack LOCK FOLDER: installs the wheels of LOCK into a new virtual environment FOLDER.
unpack() {
    python3 -m venv --without-pip "$2"
    # shellcheck disable=SC2086 # a list of options
    /opt/pip/bin/pip install --quiet --no-cache-dir --no-deps --require-hashes --only-binary=:all: $platforms \
        --target "$2/lib/$python/site-packages" --requirement "$1"
}
unpack packaging/build.lock /opt/tools
unpack packaging/requirements.lock /opt/runtime
