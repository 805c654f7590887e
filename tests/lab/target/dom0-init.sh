#!/bin/busybox sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# First process of the lab's dom0: brings Xen's daemons up, then runs what the host puts into the shared folder.
/bin/busybox mkdir -p /sbin /usr/sbin /usr/bin
/bin/busybox --install -s /bin
. /etc/lab
export PATH=/usr/lib/xen-$XEN/bin:/bin:/sbin:/usr/bin:/usr/sbin
export LD_LIBRARY_PATH=/usr/lib/$TRIPLET
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts
mount -t devpts -o mode=620,ptmxmode=666 devpts /dev/pts # xenconsoled makes a pty for each guest
mount -t tmpfs tmp /run
mkdir -p /run/xen /run/xenstored /run/lock /tmp
rm -rf /var/run /var/lock
ln -s /run /var/run
ln -s /run/lock /var/lock
ip link set lo up
for m in $(cat /modules/order); do insmod "/modules/$m" || echo "LAB: insmod $m failed"; done
mount -t xenfs xenfs /proc/xen
mkdir -p /r
if [ -n "$EXPORT" ]; then # a board without virtio: QEMU hands what is sent to this address to a server of the lab
    ip link set eth0 up
    ip addr add 10.0.2.15/24 dev eth0
    i=0
    until mount -t 9p -o "trans=tcp,port=564,version=9p2000.L,msize=65536,cache=none,aname=$EXPORT" 10.0.2.100 /r || [ $i -ge 30 ]; do
        sleep 1
        i=$((i + 1))
    done
else
    mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144,cache=none share /r
fi
[ -d /r/cmd ] || {
    echo "LAB: no shared folder"
    sleep 1
    poweroff -f
}
echo "LAB: dom0 at $(cut -d' ' -f1 /proc/uptime)"
{
    xenstored --pid-file /run/xenstored.pid
    i=0
    until [ -S /run/xenstored/socket ] || [ $i -ge 60 ]; do sleep 0.5; i=$((i + 1)); done
    xen-init-dom0
    xenconsoled --log=all --timestamp=none --log-dir=/r/console --pid-file=/run/xenconsoled.pid
    uname -a
    xl info
} >/r/boot.log 2>&1
cd /tmp
n=1
echo "LAB: ready at $(cut -d' ' -f1 /proc/uptime)"
: >/r/ready
# The host writes N.sh and then N.go; its output, its exit status and its end come back the same way.
while :; do
    if [ -e /r/cmd/$n.go ]; then
        sh /r/cmd/$n.sh </dev/null >/r/cmd/$n.out 2>/r/cmd/$n.err
        echo $? >/r/cmd/$n.rc.new
        mv /r/cmd/$n.rc.new /r/cmd/$n.rc
        n=$((n + 1))
    elif [ -e /r/cmd/off ]; then
        break
    else
        usleep 200000
    fi
done
sync
umount /r
poweroff -f
