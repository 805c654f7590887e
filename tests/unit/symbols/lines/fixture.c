/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Compiled with debug information for the tests of source lines, which know the lines that are marked. */
volatile int sink;

static inline __attribute__((always_inline)) void innermost(int value)
{
	sink = value; /* line 7 */
}

static inline __attribute__((always_inline)) void middle(int value)
{
	innermost(value + 1); /* line 12 */
}

__attribute__((noinline)) void outer(int value)
{
	middle(value); /* line 17 */
	sink = 0;      /* line 18 */
}

__attribute__((noinline)) int other(int value)
{
	return sink + value; /* line 23 */
}
