// SPDX-License-Identifier: LGPL-2.1-or-later
// Entry of the bare guest on arm32: SVC mode, MMU off. With BARE_MMU it maps its first 16 MiB of memory at 0xc0000000
// and where it is, by sections, and goes on at the upper addresses.
        .arch   armv7-a
        .arch_extension virt
        .section .text.start, "ax"
        .arm
        .globl  _start
_start: .rept   8                       // the header of a zImage
        mov     r0, r0
        .endr
        b       bare_start
        .long   0x016f2818              // magic
        .long   0                       // starts anywhere
        .long   __end - _start
        .long   0x04030201

        .globl  bare_start
        .type   bare_start, %function
bare_start:
        adr     r4, bare_start          // where it is; minus where it was linked to be
        ldr     r5, =bare_start
        sub     r4, r4, r5
        ldr     sp, =bare_stack_top
        add     sp, sp, r4
#ifdef BARE_MMU
        ldr     r0, =bare_table
        add     r0, r0, r4
        ldr     r1, =0x40000c02         // section, readable and writable, domain 0
        add     r2, r0, #0x1000         // entry 0x400
        add     r3, r0, #0x3000         // entry 0xc00
        mov     r6, #16
1:      str     r1, [r2], #4
        str     r1, [r3], #4
        add     r1, r1, #0x100000
        subs    r6, r6, #1
        bne     1b
        mov     r1, #0
        mcr     p15, 0, r1, c2, c0, 2   // TTBCR
        mcr     p15, 0, r0, c2, c0, 0   // TTBR0
        mov     r1, #3
        mcr     p15, 0, r1, c3, c0, 0   // DACR: domain 0 is not checked
        dsb
        isb
        mcr     p15, 0, r1, c8, c7, 0   // TLBIALL
        dsb
        isb
        mrc     p15, 0, r1, c1, c0, 0
        orr     r1, r1, #1
        mcr     p15, 0, r1, c1, c0, 0
        isb
        ldr     sp, =bare_stack_top
#endif
        mov     fp, #0                  // the end of the chain of frames
        mov     lr, #0
        ldr     r3, =bare_upper
        bx      r3
        .size   bare_start, . - bare_start

        .globl  bare_upper
        .type   bare_upper, %function
bare_upper:
        bl      bare_main
        b       .
        .size   bare_upper, . - bare_upper

        .globl  bare_hypercall_shutdown
        .type   bare_hypercall_shutdown, %function
bare_hypercall_shutdown:                // a leaf without a frame
        mov     r1, r0
        mov     r0, #2                  // SCHEDOP_shutdown
        mov     r12, #29                // sched_op
        hvc     #0xea1
        bx      lr
        .size   bare_hypercall_shutdown, . - bare_hypercall_shutdown
        .ltorg

        .section .bss.tables, "aw", %nobits
        .balign 16384
bare_table: .skip 16384
        .skip   8192
bare_stack_top:
        .section .note.GNU-stack, "", %progbits
