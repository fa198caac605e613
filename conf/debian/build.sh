#!/bin/bash
# build.sh FOLDER OUT: make OUT/speakerd_VERSION_ARCHITECTURE.deb of the compiled folder; the same bytes from the same tree. Prints its name.
# VERSION, COMPRESSION in the environment: other ones than the program's own and xz.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
folder=$1 out=$2
version=${VERSION:-$("$folder/speakerd" version | cut -d' ' -f2)}
architecture=$(dpkg --print-architecture)
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)}
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
umask 022
chmod 755 "$root"

put() { install -D -m "${3:-644}" "$1" "$root/$2"; }

mkdir -p "$root/usr/lib" "$root/usr/bin" "$root/etc/speakerd.d" "$root/DEBIAN"
cp -r "$folder" "$root/usr/lib/speakerd"
rm -rf "$root/usr/lib/speakerd/systemd" # for install-service, which is not needed here
find "$root/usr/lib/speakerd" -type f -exec chmod 644 {} +
chmod 755 "$root/usr/lib/speakerd/speakerd"
ln -s ../lib/speakerd/speakerd "$root/usr/bin/speakerd"
for unit in speakerd.service speakerd-credentials.{service,path,timer}; do
    put "systemd/$unit" "usr/lib/systemd/system/$unit"
done
put systemd/speakerd.sysusers usr/lib/sysusers.d/speakerd.conf
put systemd/speakerd.tmpfiles usr/lib/tmpfiles.d/speakerd.conf
# All at its default and a comment: what a later version adds is seen by dpkg's question, and changes nothing until then.
sed -e 's/^\([^#]\)/#\1/' -e '4a # Take the # away from a key and from the section it stands in.' conf/speakerd.yaml |
    install -m 644 /dev/stdin "$root/etc/speakerd.yaml"
echo /etc/speakerd.yaml >"$root/DEBIAN/conffiles"

doc=$root/usr/share/doc/speakerd
put conf/debian/copyright usr/share/doc/speakerd/copyright
put README.md usr/share/doc/speakerd/README.md
cp -r conf/examples "$doc/examples"
printf 'speakerd (%s) unstable; urgency=medium\n\n  * What changed is in CHANGELOG.md.\n\n -- %s  %s\n' "$version" \
    "$(sed -n 's/^Maintainer: //p' conf/debian/control)" "$(date -u -R -d "@$SOURCE_DATE_EPOCH")" | gzip -9n >"$doc/changelog.gz"
gzip -9nc CHANGELOG.md >"$doc/CHANGELOG.md.gz"

# The folder has every library that it needs but the C library and zlib; which version of the first, its symbols tell.
outside=$(find "$root/usr/lib/speakerd" -type f -exec readelf -d {} + 2>/dev/null | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort -u |
    while read -r name; do [[ -e $root/usr/lib/speakerd/$name ]] || echo "$name"; done |
    grep -Ev '^(libc|libm|libdl|librt|libutil|libpthread|libz|ld-linux.*)\.so\.' || true)
if [[ -n $outside ]]; then
    echo "error: $folder: needs libraries that are not in it: ${outside//$'\n'/ } (name their packages in conf/debian/control)" >&2
    exit 1
fi
glibc=$(find "$root/usr/lib/speakerd" -type f -exec readelf -V {} + 2>/dev/null | grep -o 'GLIBC_[0-9.]*' | sort -Vu | tail -1)

sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$architecture/" -e "s/@GLIBC@/${glibc#GLIBC_}/" \
    -e "s/@SIZE@/$(du -sk --exclude=DEBIAN "$root" | cut -f1)/" conf/debian/control >"$root/DEBIAN/control"
for script in postinst prerm postrm; do put "conf/debian/$script" "DEBIAN/$script" 755; done
(cd "$root" && find usr -type f -printf '%P\0' | sort -z | sed -z 's,^,usr/,' | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
package=$out/speakerd_${version}_$architecture.deb
dpkg-deb --root-owner-group "-Z${COMPRESSION:-xz}" --build "$root" "$package" >&2
echo "$package"
