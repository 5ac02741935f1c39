// Preloaded in a test: the first CLAIMS claims of a USB interface fail as if another
// program had it.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/ioctl.h>
#include <linux/usbdevice_fs.h>
#include <stdarg.h>

int ioctl(int fd, unsigned long request, ...) {
	static int claims;
	va_list rest;
	va_start(rest, request);
	void *argument = va_arg(rest, void *);
	va_end(rest);
	if (request == USBDEVFS_CLAIMINTERFACE && claims++ < CLAIMS) {
		errno = EBUSY;
		return -1;
	}
	int (*next)(int, unsigned long, void *) = dlsym(RTLD_NEXT, "ioctl");
	return next(fd, request, argument);
}
