#!/bin/bash
# image.sh FOLDER RELEASE AGENT [MIRROR]: a Debian with snapd as FOLDER/disk.img, with `kernel` and `initrd` beside it, and the two snaps that any other
# needs, made of the same Debian: base.snap, which stands in for core24, and snapd.snap. AGENT answers on its second serial port.
# Called in mount and PID namespaces of its own, which end what is mounted and started.
set -euo pipefail
folder=$1 release=$2 agent=$3 mirror=${4:-}
least=$folder/least root=$folder/root
export DEBIAN_FRONTEND=noninteractive LC_ALL=C

bootstrap() {
    debootstrap --variant=minbase --include=ca-certificates "$release" "$least" ${mirror:+"$mirror"}
    chmod 755 "$least"
    cp -a "$least" "$root"
    mount --make-rprivate /
    mount -t proc proc "$root/proc"
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d" # nothing is to start in here
    chmod +x "$root/usr/sbin/policy-rc.d"
    chroot "$root" apt-get install -qq -y --no-install-recommends -o Dpkg::Options::=--force-unsafe-io \
        systemd-sysv udev dbus kmod iproute2 procps python3 apparmor snapd initramfs-tools zstd linux-image-cloud-amd64
    rm "$root/usr/sbin/policy-rc.d"
}

configure() {
    install -m 755 "$agent" "$root/usr/local/lib/agent.py"
    # Before multi-user.target, which waits for snapd to have looked around.
    cat >"$root/etc/systemd/system/agent.service" <<'UNIT'
[Unit]
After=basic.target
[Service]
ExecStart=/usr/bin/python3 /usr/local/lib/agent.py /dev/ttyS1
KillMode=process
[Install]
WantedBy=multi-user.target
UNIT
    chroot "$root" systemctl enable -q agent.service
    chroot "$root" systemctl mask -q apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer dpkg-db-backup.timer \
        serial-getty@ttyS0.service serial-getty@ttyS1.service getty@tty1.service
    mkdir -p "$root/etc/systemd/journald.conf.d"
    printf '[Journal]\nStorage=volatile\nRateLimitBurst=0\n' >"$root/etc/systemd/journald.conf.d/here.conf"
    echo '/dev/vda / ext4 rw,noatime 0 0' >"$root/etc/fstab"
    echo node-1 >"$root/etc/hostname"
    printf '127.0.0.1 localhost node-1\n' >"$root/etc/hosts"
    echo 'nameserver 127.0.0.1' >"$root/etc/resolv.conf"
    # Debian's own snapd stays in charge, whatever the snap called snapd holds.
    echo 'SNAP_REEXEC=0' >>"$root/etc/environment"
    rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
    umount "$root/proc"
}

disk() {
    cp "$root"/boot/vmlinuz-* "$folder/kernel"
    cp "$root"/boot/initrd.img-* "$folder/initrd"
    mkfs.ext4 -q -d "$root" -O ^has_journal "$folder/disk.img" 2500M
}

# pack TREE NAME TYPE SNAP
pack() {
    mkdir -p "$1/meta"
    cat >"$1/meta/snap.yaml" <<META
name: $2
version: stand-in
type: $3
summary: stands in for $2
description: made of Debian $release
architectures: [amd64]
confinement: strict
grade: stable
META
    mksquashfs "$1" "$4" -noappend -quiet -no-progress -comp zstd -Xcompression-level 3
}

# The base: Debian's smallest, with all that a strict snap's root has mounted over.
base() {
    local tree=$least
    rm -rf "$tree"/{boot,etc/apt,var/cache/apt,var/lib/apt,usr/share/doc,usr/share/man,usr/share/locale}
    mkdir -p "$tree"/{snap,media,mnt,home,opt,srv,var/snap,var/lib/snapd,var/lib/dhcp,var/lib/extrausers,var/cache/fontconfig} \
        "$tree"/usr/{src,lib/snapd,libexec/snapd,lib/modules,lib/firmware,share/fonts,local/share/fonts} "$tree"/etc/{alternatives,ssl}
    touch "$tree"/etc/{machine-id,resolv.conf,hosts,hostname,timezone}
    ln -sf ../lib/snapd/snapctl "$tree/usr/bin/snapctl"
    pack "$tree" core24 base "$folder/base.snap"
}

# snapd installs no snap without one of this name.
snapd() {
    local tree=$folder/snapd
    mkdir -p "$tree"/{usr/bin,usr/lib,etc/apparmor.d,lib/systemd/system}
    cp -a "$root/usr/lib/snapd" "$tree/usr/lib"
    cp -a "$root/usr/bin/snap" "$tree/usr/bin"
    ln -s ../lib/snapd/snapctl "$tree/usr/bin/snapctl"
    cp -a "$root"/etc/apparmor.d/usr.lib.snapd.snap-confine* "$tree/etc/apparmor.d"
    cp -a "$root"/usr/lib/systemd/system/snapd* "$tree/lib/systemd/system"
    pack "$tree" snapd snapd "$folder/snapd.snap"
}

bootstrap
configure
disk
base
snapd
rm -rf "$least" "$root" "$folder/snapd"
