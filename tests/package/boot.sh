#!/bin/bash
# boot.sh TREE FOLDER NAME: become systemd over TREE, as PID 1 of the namespaces this is called in, on a host called NAME.
# What changes goes to a tmpfs on FOLDER, which ends with the mount namespace.
set -euo pipefail
tree=$1 folder=$2 name=$3
root=$folder/root

mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$folder"
mkdir "$folder/changes" "$folder/work" "$root"
mount -t overlay overlay -o "lowerdir=$tree,upperdir=$folder/changes,workdir=$folder/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom tty; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
for number in 0:stdin 1:stdout 2:stderr; do ln -s "fd/${number%:*}" "$root/dev/${number#*:}"; done
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
echo "$name" >"$root/etc/hostname"

cd "$root"
mkdir .outside
pivot_root . .outside
umount -l /.outside
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin container=test TERM=dumb /sbin/init
