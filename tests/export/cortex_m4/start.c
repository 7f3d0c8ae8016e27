/* The start of a Cortex-M4 (board mps2-an386 of QEMU): the vector table, and the floating-point unit switched on. */
extern void _start(void);
void reset(void);

void reset(void)
{
    *(volatile unsigned *)0xE000ED88 |= 0xFu << 20;
    __asm volatile("dsb\n isb");
    _start();
}

__attribute__((section(".vectors"), used)) static void *const vectors[16] = { (void *)0x20400000, (void *)reset };
