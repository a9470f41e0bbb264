#!/bin/bash
# build.sh LAB: makes kernel and initramfs of the VM in LAB, from Debian's kernel package, which is unpacked there and
# not installed. Needs root (device nodes keep their owner), apt-get, dpkg, busybox, cpio, depmod.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "$1"
package=$(apt-cache depends linux-image-amd64 | awk '/Depends: linux-image-[0-9]/ { print $2; exit }')
[ -n "$package" ] || { echo "apt knows no linux-image-amd64: apt-get update"; exit 1; }
apt-get download -q "$package"
rm -rf kernel ir
dpkg -x linux-image-*.deb kernel
version=$(ls kernel/lib/modules)
depmod -b kernel "$version"
mkdir -p ir/bin ir/mods ir/proc ir/sys ir/dev
cp "$(command -v busybox)" ir/bin/busybox
cp "$here/init.sh" ir/init
chmod +x ir/init
n=100
# In the order in which they must be loaded.
for module in crc32c-intel $(sed 's#.*/##; s#\.ko$##' "$here/modules.txt"); do
  file=$(find "kernel/lib/modules/$version/kernel" -name "$module.ko*" | head -1)
  [ -n "$file" ] || { echo "no module $module in $package"; continue; }
  cp "$file" "ir/mods/$n-$(basename "$file")"
  n=$((n + 1))
done
cp kernel/boot/vmlinuz-* vmlinuz
(cd ir && find . | cpio -o -H newc 2>/dev/null | gzip -1) >initramfs.new
mv initramfs.new initramfs
rm -rf kernel ir linux-image-*.deb
