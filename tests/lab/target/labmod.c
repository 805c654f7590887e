// SPDX-License-Identifier: LGPL-2.1-or-later
// A guest's own module: a kernel thread on CPU 1 prints its backtrace and then spins in named functions for ever.
#include <linux/kthread.h>
#include <linux/module.h>

static volatile int lab_go = 1;

noinline int lab_inner(int n)
{
	dump_stack();
	while (lab_go)
		cpu_relax();
	barrier();
	return n + 1;
}

noinline int lab_middle(int n)
{
	int r = lab_inner(n);
	barrier();
	return r + 2;
}

noinline int lab_outer(int n)
{
	int r = lab_middle(n);
	barrier();
	return r + 3;
}

static int lab_thread(void *data)
{
	int r = lab_outer(1);
	barrier();
	return r;
}

static int __init lab_init(void)
{
	struct task_struct *task = kthread_create(lab_thread, NULL, "lab");

	if (IS_ERR(task))
		return PTR_ERR(task);
	kthread_bind(task, 1);
	wake_up_process(task);
	return 0;
}

module_init(lab_init);
MODULE_LICENSE("GPL");
