#!/bin/busybox sh
# First process of the VM: the machine's own file system, read-only, below a scratch overlay; LAB at /mnt/lab.
/bin/busybox mkdir -p /bin
/bin/busybox --install -s /bin
mount -t proc p /proc
mount -t sysfs s /sys
mount -t devtmpfs d /dev
for m in /mods/*; do insmod "$m" 2>/dev/null || echo "insmod failed: $m"; done
nine=trans=virtio,version=9p2000.L,msize=1048576
mkdir -p /ro /rw /new
mount -t 9p -o "$nine,cache=loose,ro" host /ro || exec sh
mount -t tmpfs -o size=3g t /rw
mkdir -p /rw/u /rw/w
mount -t overlay -o lowerdir=/ro,upperdir=/rw/u,workdir=/rw/w o /new || exec sh
mount --move /proc /new/proc
mount --move /sys /new/sys
mount --move /dev /new/dev
mkdir -p /new/dev/shm /new/dev/pts /new/mnt/lab
mount -t tmpfs t /new/dev/shm
mount -t devpts p /new/dev/pts
mount -t tmpfs r /new/run
mount -t 9p -o "$nine,cache=none" share /new/mnt/lab
exec switch_root /new /bin/bash /mnt/lab/guest.sh
