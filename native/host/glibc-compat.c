/*
 * glibc-compat.c: the program's start file (crt1.o) asks for the newest __libc_start_main too. The linker is told
 * (--wrap) to send that to us, and we hand it on to the old one, which every glibc has. The new start file gives no
 * init and fini functions (glibc runs the arrays itself); an old glibc takes NULL for "none", which is right: this
 * program has no constructors.
 */
#ifdef HOST_OLD_GLIBC
typedef int main_function(int, char **, char **);
int host_old_libc_start_main(main_function *, int, char **, void (*)(void), void (*)(void), void (*)(void), void *);
int __wrap___libc_start_main(main_function *, int, char **, void (*)(void), void (*)(void), void (*)(void), void *);

__asm__(".symver host_old_libc_start_main,__libc_start_main@" HOST_OLD_GLIBC);

int __wrap___libc_start_main(main_function *entry, int argc, char **argv, void (*init)(void), void (*fini)(void),
                             void (*rtld_fini)(void), void *stack_end) {
  return host_old_libc_start_main(entry, argc, argv, init, fini, rtld_fini, stack_end);
}
#else
typedef int nothing_to_do_here;
#endif
