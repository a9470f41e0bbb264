/*
 * names.h: names of the kernel's that the C library of the oldest systems lacks (glibc 2.17, RHEL 7). The kernel that runs
 * may lack what they name as well, and refuses it then: that is for who asks.
 */
#ifndef VAST_OST_KERNEL_NAMES_H
#define VAST_OST_KERNEL_NAMES_H

#include <fcntl.h>
#include <sys/mman.h>

#ifndef F_GET_SEALS
#define F_GET_SEALS 1034
#endif
#ifndef F_SEAL_SHRINK
#define F_SEAL_SHRINK 0x0002
#endif
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#endif
