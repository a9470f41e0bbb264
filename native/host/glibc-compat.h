/*
 * glibc-compat.h: included before all else by the Makefile (-include). A program built on a new system asks for the
 * newest version of each C function, and glibc 2.34 gave dlopen and dlsym new ones. Asking for the old ones lets one
 * build run on every system from glibc 2.17 on.
 */
#ifndef HOST_GLIBC_COMPAT_H
#define HOST_GLIBC_COMPAT_H

#if defined(__x86_64__)
#define HOST_OLD_GLIBC "GLIBC_2.2.5"
#elif defined(__aarch64__)
#define HOST_OLD_GLIBC "GLIBC_2.17"
#endif

#ifdef HOST_OLD_GLIBC
__asm__(".symver dlopen,dlopen@" HOST_OLD_GLIBC);
__asm__(".symver dlsym,dlsym@" HOST_OLD_GLIBC);
__asm__(".symver dlclose,dlclose@" HOST_OLD_GLIBC);
__asm__(".symver dlerror,dlerror@" HOST_OLD_GLIBC);
#endif

#endif
