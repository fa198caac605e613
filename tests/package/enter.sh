#!/bin/bash
# enter.sh TREE CARRIED REPOSITORY FOLDER SCRIPT [NAME=VALUE...]: run SCRIPT in a machine made of TREE with CARRIED over it and the
# repository as /src, in the mount and PID namespaces this is called in. Changes go to a tmpfs on FOLDER.
set -euo pipefail
tree=$1 carried=$2 repository=$3 folder=$4 script=$5
root=$folder/root

mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$folder"
mkdir "$folder/changes" "$folder/work" "$root"
mount -t overlay overlay -o "lowerdir=$carried:$tree,upperdir=$folder/changes,workdir=$folder/work" "$root"
mkdir "$root/src"
mount --bind "$repository" "$root/src"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount --rbind /sys/fs/cgroup "$root/sys/fs/cgroup"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"

# Not chroot: a program in one cannot call pivot_root, which systemd and unshare's children may need.
cd "$root"
mkdir .outside
pivot_root . .outside
umount -l /.outside
exec env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "${@:6}" bash -euo pipefail -c "$script"
