#!/bin/busybox sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# First process of a guest: dies in the way that the command line names (lab=WAY).
/bin/busybox mkdir -p /sbin /usr/bin /usr/sbin
/bin/busybox --install -s /bin
export PATH=/bin:/sbin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev 2>/dev/null
way=$(sed -n 's/.*lab=\([a-z0-9-]*\).*/\1/p' /proc/cmdline)
echo "LAB: $(uname -r) way=$way up at $(cut -d' ' -f1 /proc/uptime)"
for m in $(cat /modules/order); do
    case $m in softdog.ko) ;; *) insmod "/modules/$m" || echo "LAB: insmod $m failed" ;; esac
done
echo 1 >/proc/sys/kernel/sysrq
# What the guest knows about itself: what xstack's answers are held against.
truth() {
    echo "@release $(uname -r)"
    echo "@cmdline $(cat /proc/cmdline)"
    echo "@memory $(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo)"
    echo "@cpus $(grep -c '^processor' /proc/cpuinfo)"
    grep -H '' /proc/[0-9]*/task/[0-9]*/stack 2>/dev/null
    sed 's/^/@stat /' /proc/[0-9]*/task/[0-9]*/stat 2>/dev/null
    sed 's/^/@module /' /proc/modules
    echo "@uptime $(cat /proc/uptime)"
    echo "LAB: end of truth"
}
# What must not be in a redacted dump: a process has the one in its memory alone, put together there, and a tmpfs the other.
# In the process it is doubled until it fills pages of its own.
mkdir -p /tmp
mount -t tmpfs tmpfs /tmp
i=0
while [ $i -lt 2000 ]; do echo LAB-SECRET-IN-FILE; i=$((i + 1)); done >/tmp/secret
sh -c 'a=LAB-SECRET; a=$a-IN-PROCESS.; while [ ${#a} -lt 200000 ]; do a=$a$a; done; while :; do sleep 1000; done' &
case $way in
softdog*) insmod /modules/softdog.ko soft_margin=3 soft_panic=1 ;;
esac
echo "LAB: ready"
truth
case $way in
sysrq) sleep 2; echo c >/proc/sysrq-trigger ;;
softdog) # the timer interrupts kernel code
    taskset 2 sh -c 'exec 3>/dev/watchdog; echo >&3; exec dd if=/dev/zero of=/dev/null bs=8M' ;;
softdog-user) # the timer interrupts user code
    taskset 2 sh -c 'exec 3>/dev/watchdog; echo >&3; while :; do :; done' ;;
softdog-idle) # the timer interrupts the idle task
    taskset 2 sh -c 'exec 3>/dev/watchdog; echo >&3; sleep 1000' ;;
spin) # a kernel thread on CPU 1 prints its own backtrace and then never sleeps again
    insmod /modules/labmod.ko
    sleep 2 # it prints from another CPU
    sed 's/^/@module /' /proc/modules ;;
read) # for kernels that have no headers here: a system call that never ends
    taskset 2 dd if=/dev/zero of=/dev/null bs=64M ;;
user) taskset 2 sh -c 'while :; do :; done' ;;
idle) ;;
esac
echo "LAB: still alive"
while :; do sleep 1000; done
