// SPDX-License-Identifier: LGPL-2.1-or-later
// Entry of the bare guest on arm64: EL1, MMU off, anywhere in memory. With BARE_MMU it maps its first GiB of memory at
// 0xffff000040000000 (TTBR1) and where it is (TTBR0), and goes on at the upper addresses.
        .section .text.start, "ax"
        .globl  _start
_start: b       bare_start              // Documentation/arm64/booting.rst: the header of an Image
        .long   0
        .quad   0x80000                 // text_offset
        .quad   __end - _start          // image_size
        .quad   0x2                     // flags: little endian, 4K
        .quad   0, 0, 0
        .ascii  "ARM\x64"
        .long   0

        .globl  bare_start
        .type   bare_start, %function
bare_start:
        adrp    x0, bare_stack_top
        add     x0, x0, :lo12:bare_stack_top
        mov     sp, x0
#ifdef BARE_MMU
        adrp    x1, bare_table0
        adrp    x2, bare_table1
        orr     x3, x2, #3
        str     x3, [x1]                // level 0, entry 0: a table
        movz    x3, #0x4000, lsl #16    // level 1, entry 1: 1 GiB at 0x40000000
        movz    x4, #0x705              // block, attribute 1, inner shareable, accessed
        orr     x3, x3, x4
        str     x3, [x2, #8]
        movz    x3, #0xff00             // attribute 1: normal memory, write-back
        msr     mair_el1, x3
        ldr     x3, =0x00000002b5103510 // 4K, T0SZ = T1SZ = 16, inner shareable, write-back, 40 bits of address
        msr     tcr_el1, x3
        msr     ttbr0_el1, x1
        msr     ttbr1_el1, x1
        dsb     sy
        isb
        mrs     x3, sctlr_el1
        orr     x3, x3, #1
        msr     sctlr_el1, x3
        isb
        ldr     x0, =bare_stack_top
        mov     sp, x0
#endif
        mov     x29, #0                 // the end of the chain of frame records
        mov     x30, #0
        ldr     x3, =bare_upper
        br      x3
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
        mov     x1, x0
        mov     x0, #2                  // SCHEDOP_shutdown
        mov     x16, #29                // sched_op
        hvc     #0xea1
        ret
        .size   bare_hypercall_shutdown, . - bare_hypercall_shutdown
        .ltorg

        .section .bss.tables, "aw", %nobits
        .balign 4096
bare_table0: .skip 4096
bare_table1: .skip 4096
        .skip   8192
bare_stack_top:
        .section .note.GNU-stack, "", %progbits
