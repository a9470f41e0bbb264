# Runs in the VM as root: a kernel NFS server on a tmpfs, the mount with the specified options, then the job.
exec >/mnt/lab/guest.log 2>&1
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
ip link set lo up
hostname nfsvm
mkdir -p /srv/x /mnt/vast-netbackup /run/rpcbind
mount -t tmpfs -o size=5g x /srv/x
mount -t nfsd nfsd /proc/fs/nfsd
rpcbind -w
rpc.statd || true
echo '/srv/x *(rw,no_root_squash,insecure,fsid=1,no_subtree_check,async)' >/etc/exports
exportfs -a
rpc.nfsd 8
rpc.mountd
export VAST_OST_NFS_SERVER=127.0.0.1:/srv/x VAST_OST_NFS_EXPORT=/srv/x
# The specified options; nolock, since the server is the machine itself.
export VAST_OST_NFS_OPTIONS=rw,hard,rsize=1048576,wsize=1048576,tcp,vers=3,timeo=600,actimeo=0,nolock
mount -t nfs -o "$VAST_OST_NFS_OPTIONS" "$VAST_OST_NFS_SERVER" /mnt/vast-netbackup
grep ' nfs ' /proc/mounts
bash /mnt/lab/job.sh
echo $? >/mnt/lab/exit
sync
echo o >/proc/sysrq-trigger
sleep 60
