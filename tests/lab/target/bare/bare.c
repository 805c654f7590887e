// SPDX-License-Identifier: LGPL-2.1-or-later
// A guest that is no Linux: calls itself a few functions deep and stops there, by spinning or by telling Xen that it crashed.
// Everything is on one stack and nothing is printed; the functions' names are what xstack is asked for.

struct shutdown {
    unsigned reason;
};
void bare_hypercall_shutdown(struct shutdown *how); // start-ARCH.S: SCHEDOP_shutdown

volatile unsigned bare_sink, bare_go = 1;

__attribute__((noinline)) void bare_stop(unsigned depth)
{
    unsigned marks[4] = {0x11111111u, 0x22222222u, 0x33333333u, depth};
    for (unsigned i = 0; i < 4; i++) bare_sink = marks[i];
#ifdef BARE_CRASH
    struct shutdown how = {3};
    bare_hypercall_shutdown(&how);
#endif
    while (bare_go) bare_sink++;
}

__attribute__((noinline)) unsigned bare_inner(unsigned depth)
{
    bare_stop(depth + 1);
    return bare_sink;
}

__attribute__((noinline)) unsigned bare_middle(unsigned depth, unsigned more)
{
    volatile unsigned char room[200]; // a frame that is not the smallest one
    for (unsigned i = 0; i < sizeof room; i++) room[i] = (unsigned char)(i + more);
    return bare_inner(depth + room[3]) + room[1];
}

__attribute__((noinline)) unsigned bare_outer(unsigned depth)
{
    return bare_middle(depth + 1, 7) * 3;
}

void bare_main(void)
{
    bare_sink = bare_outer(1) + 1;
    for (;;) bare_sink++;
}
