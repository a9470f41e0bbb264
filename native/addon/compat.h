/*
 * compat.h: what keeps this addon loadable on systems older than the one that built it (glibc 2.28, RHEL 8).
 *
 * glibc 2.34 moved libpthread into libc and gave the moved functions a new version; a plain build there would refuse to
 * load on anything older. The old versions are still exported everywhere, so we name them. Everything else that we call
 * is older than 2.28; test/unit/addon.symbols.test.ts looks.
 */
#ifndef VAST_OST_COMPAT_H
#define VAST_OST_COMPAT_H

#if defined(__GLIBC__) && !defined(VAST_OST_NO_SYMVER) /* sanitizers wrap the plain names */
#if defined(__x86_64__)
#define VAST_OST_OLD_GLIBC "GLIBC_2.2.5"
#elif defined(__aarch64__)
#define VAST_OST_OLD_GLIBC "GLIBC_2.17"
#endif
#endif
#ifdef VAST_OST_OLD_GLIBC
__asm__(".symver pthread_create,pthread_create@" VAST_OST_OLD_GLIBC);
__asm__(".symver pthread_key_create,pthread_key_create@" VAST_OST_OLD_GLIBC);
__asm__(".symver pthread_setspecific,pthread_setspecific@" VAST_OST_OLD_GLIBC);
__asm__(".symver pthread_attr_setstacksize,pthread_attr_setstacksize@" VAST_OST_OLD_GLIBC);
#endif

#endif
